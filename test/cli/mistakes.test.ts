import { userInfo } from "node:os";
import { describe, expect, it, vi } from "vitest";
import type { HistoryEvent } from "../../src/contract/events.ts";
import { cliOf } from "../support/cli.ts";
import { startProgram } from "../support/process.ts";
import { shareService } from "../support/service.ts";

// Each line of a session is a process of its own.
vi.setConfig({ testTimeout: 120_000 });

const shared = shareService();
const url = (): string => shared().service.url;

describe("the command line answers a mistake with the way out", () => {
  it("for help as a verb", async () => {
    const cli = cliOf(url());
    const { stdout, exit } = await cli("help", "task", "add");
    expect({ start: stdout.split("\n")[0], exit }).toEqual({
      start: "Usage: serial-gate task add [options] <repo> <work-item>",
      exit: 0,
    });
    expect(await cli.session(["help", "puase"])).toMatchInlineSnapshot(`
      "$ serial-gate help puase
      error: unknown command 'puase'
      [2]
      "
    `);
  });

  it("for names and durations that the service would refuse", async () => {
    await shared().post("/tasks", { repo: "acme/web", work_item_id: "WEB-1" });
    expect(
      await cliOf(url()).session(
        ["task", "stage", "WEB-1", "In Review"],
        ["task", "add", "bad repo", "X"],
        ["task", "add", "acme/web", "--", "--all"],
        ["claim", "--wait", "2m"],
        ["claim", "--lease", "1ms"],
      ),
    ).toMatchInlineSnapshot(`
      "$ serial-gate task stage WEB-1 'In Review'
      Invalid <stage>: expected lower-case letters, digits, dots, dashes and underscores, such as code-review.
      [2]

      $ serial-gate task add 'bad repo' X
      Invalid <repo>: expected letters, digits and ._~+- in parts joined by slashes, without .git at the end, such as acme/web.
      [2]

      $ serial-gate task add acme/web -- --all
      Invalid <work-item>: expected at most 200 characters, with no control characters and no leading dash.
      [2]

      $ serial-gate claim --wait 2m
      error: option '--wait <duration>' argument '2m' is invalid. Expected a duration from 0s to 60s.
      [2]

      $ serial-gate claim --lease 1ms
      error: option '--lease <duration>' argument '1ms' is invalid. Expected a duration from 1s to 24h.
      [2]
      "
    `);
  });

  it("for a freeze that does not exist, and for a frozen repository without tasks", async () => {
    await shared().post("/freeze?repo=acme/empty");
    expect(
      await cliOf(url()).session(
        ["unfreeze", "acme/empty", "--id", "99"],
        ["queue", "--repo", "acme/empty"],
        ["unfreeze", "acme/empty", "-o", "name"],
        ["unfreeze", "acme/empty", "--id", "1"],
      ),
    ).toMatchInlineSnapshot(`
      "$ serial-gate unfreeze acme/empty --id 99
      There is no active freeze 99 of acme/empty. acme/empty is still frozen.
      [5]

      $ serial-gate queue --repo acme/empty
      REPO        STATE   ACTIVE  STAGE  JOB  WAITING  PAUSED
      acme/empty  frozen  -       -      -    0        0

      $ serial-gate unfreeze acme/empty -o name
      freeze/1

      $ serial-gate unfreeze acme/empty --id 1
      No tasks, jobs or freezes in acme/empty.
      [5]
      "
    `);
  });

  it("for a resume of a repository whose tasks were paused one by one", async () => {
    await shared().post("/tasks", { repo: "acme/alone", work_item_id: "ALONE-1" });
    await shared().post("/serial-gate/pause?work_item=ALONE-1");
    expect(await cliOf(url()).session(["resume", "--repo", "acme/alone", "--all", "--yes"]))
      .toMatchInlineSnapshot(`
      "$ serial-gate resume --repo acme/alone --all --yes
      No task of acme/alone was paused together with others.
        No waiting job is affected.
      Paused one by one: ALONE-1. To resume:
        serial-gate resume --repo acme/alone ALONE-1
      "
    `);
  });

  it("for the address of a service that is wrong in its path or its protocol", async () => {
    const withPath = await cliOf(`${url()}/x`).session(["queue"]);
    const withTls = await cliOf(url().replace("http:", "https:")).session(["queue"]);
    const { port } = new URL(url());
    expect((withPath + withTls).replaceAll(`https://127.0.0.1:${port}`, "https://HOST:PORT"))
      .toMatchInlineSnapshot(`
        "$ serial-gate queue
        There is no serial-gate at http://HOST:PORT/x: Nothing at /x/queue.
        Set SERIAL_GATE_URL to the address of the service.
        [1]
        $ serial-gate queue
        The service at https://HOST:PORT does not speak TLS.
        Use http:// in SERIAL_GATE_URL.
        [1]
        "
      `);
  });

  it("for a port that is in use", async () => {
    const { port } = new URL(url());
    const { code, stderr } = await startProgram(["serve"], { PORT: port, DATABASE_URL: "file::memory:" })
      .ended;
    expect({ code, last: stderr.trimEnd().split("\n").at(-1) }).toEqual({
      code: 1,
      last: `Port ${port} is in use. Set PORT to a free one.`,
    });
  });

  it("records the system's user name where the environment has none", async () => {
    await shared().post("/tasks", { repo: "acme/who", work_item_id: "WHO-1" });
    const cli = cliOf(url(), { USER: "", LOGNAME: "" });
    await cli("pause", "WHO-1");
    const { stdout } = await cli("events", "--repo", "acme/who", "--last", "1", "-o", "ndjson");
    expect((JSON.parse(stdout) as HistoryEvent).actor).toBe(userInfo().username);
  });
});
