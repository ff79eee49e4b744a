import { beforeAll, expect, it, vi } from "vitest";
import type { HistoryEvent } from "../../src/contract/events.ts";
import { sleep } from "../support/calls.ts";
import { cliOf, type Cli } from "../support/cli.ts";
import { shareService } from "../support/service.ts";

// Each line of a session is a process of its own.
vi.setConfig({ testTimeout: 120_000 });

const shared = shareService();
let cli: Cli;

const add = (repo: string, work_item_id: string): Promise<unknown> =>
  shared().post("/tasks", { repo, work_item_id });

beforeAll(() => {
  cli = cliOf(shared().service.url);
});

it("wait ends when the work item is ready", async () => {
  await add("acme/one", "ONE-1");
  await add("acme/one", "ONE-2");
  const waiting = cli.start("wait", "ONE-2", "--for=claimable", "--timeout", "60s");
  expect(await cli.session(["wait", "ONE-2", "--for=claimable", "--timeout", "10ms"])).toMatchInlineSnapshot(`
    "$ serial-gate wait ONE-2 --for=claimable --timeout 10ms
    No answer from the service after 10 ms.
    \`serial-gate explain ONE-2\` says what holds it.
    [6]
    "
  `);
  await cli("pause", "ONE-1");
  expect(await waiting.ended).toMatchObject({
    code: 0,
    stdout: "ONE-2 in acme/one can start.\n",
    stderr: "",
  });
});

it("wait ends when the work item is done", async () => {
  await add("acme/two", "TWO-1");
  const waiting = cli.start("wait", "TWO-1", "--for", "done", "-o", "name");
  await cli("task", "stage", "TWO-1", "done");
  expect(await waiting.ended).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^task\/\d+\n$/) as unknown,
  });
});

it("wait for created ends when somebody creates the work item, and says after its timeout that nobody did", async () => {
  const waiting = cli.start("wait", "NEW-1", "--for=created", "--timeout", "60s");
  const { exit, stderr } = await cli("wait", "NEW-2", "--for=created", "--timeout", "2s");
  expect({ exit, stderr }).toEqual({ exit: 6, stderr: "Nobody has created NEW-2 after 2 s.\n" });
  await add("acme/new", "NEW-1");
  expect(await waiting.ended).toMatchObject({
    code: 0,
    stdout: "NEW-1 in acme/new exists.\n",
    stderr: "",
  });
});

it("wait exits with 6 after its timeout and with 130 after ctrl-C", async () => {
  await add("acme/three", "THREE-1");
  const { exit, stderr } = await cli("wait", "THREE-1", "--for=done", "--timeout", "10ms");
  expect({ exit, stderr }).toEqual({
    exit: 6,
    stderr: expect.stringMatching(
      /^(THREE-1 in acme\/three is in analysis|No answer from the service) after/,
    ) as unknown,
  });
  const waiting = cli.start("events", "--follow", "-o", "name");
  await waiting.lines(1);
  waiting.kill("SIGINT");
  expect(await waiting.ended).toMatchObject({ code: 130, stderr: "" });
});

it.each(["25d", "30d", "60d", "9999d"])("wait --timeout %s still waits after a second", async (timeout) => {
  await add("acme/long", "LONG-1");
  const waiting = cli.start("wait", "LONG-1", "--for=done", "--timeout", timeout);
  const early = await Promise.race([waiting.ended, sleep(1_500)]);
  expect(early).toBe(undefined);
  waiting.kill("SIGINT");
  expect(await waiting.ended).toMatchObject({ code: 130, stderr: "" });
});

it("events --follow prints each event once, as it happens, as one line of JSON", async () => {
  await add("acme/four", "FOUR-1");
  const following = cli.start("events", "--repo", "acme/four", "--follow", "-o", "json");
  await following.lines(2);
  await cli("pause", "FOUR-1", "--reason", "lunch");
  await cli("resume", "FOUR-1");
  await following.lines(4);
  following.kill("SIGTERM");
  const { code, stdout } = await following.ended;
  expect(code).toBe(143);
  const events = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as HistoryEvent);
  expect(events.map(({ kind }) => kind)).toEqual([
    "task.created",
    "job.created",
    "task.paused",
    "task.resumed",
  ]);
  expect(events[2]).toMatchObject({ actor: "ann", reason: "lunch", work_item_id: "FOUR-1" });
});

it("events continues after any event id", async () => {
  const all = (await cli("events", "--repo", "acme/four", "-o", "name")).stdout.trimEnd().split("\n");
  const { stdout } = await cli("events", "--repo", "acme/four", "--after", all[1] ?? "", "-o", "name");
  expect(stdout.trimEnd().split("\n")).toEqual(all.slice(2));
  expect((await cli("events", "--repo", "acme/four", "--last", "1", "-o", "name")).stdout.trimEnd()).toBe(
    all[3],
  );
  expect((await cli("events", "--work-item", "FOUR-1", "--repo", "acme/one")).stderr).toBe("No events.\n");
});

it("queue --watch prints the queue again after every change when there is no terminal", async () => {
  await add("acme/five", "FIVE-1");
  const watching = cli.start("queue", "--repo", "acme/five", "--watch", "-o", "ndjson");
  await watching.lines(1);
  await cli("freeze", "acme/five", "--reason", "bad deploy");
  await watching.lines(2);
  watching.kill("SIGINT");
  const { code, stdout } = await watching.ended;
  expect(code).toBe(130);
  const lanes = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { repo: string; frozen: boolean });
  expect(lanes.map(({ repo, frozen }) => ({ repo, frozen }))).toEqual([
    { repo: "acme/five", frozen: false },
    { repo: "acme/five", frozen: true },
  ]);
});
