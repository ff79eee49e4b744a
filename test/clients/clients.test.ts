/** The clients that people copy, run as they are against a live service. */

import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { Client } from "../../src/client/client.ts";
import { verify } from "../../src/replay/verify.ts";
import { parseWorkItems } from "../../src/replay/work-items.ts";
import { openStore } from "../../src/store/open.ts";
import { POLICY } from "../support/fixtures.ts";
import { startService, type TestService } from "../support/service.ts";

vi.setConfig({ testTimeout: 180_000 });

const path = (relative: string): string => fileURLToPath(new URL(`../../${relative}`, import.meta.url));
const PYTHON_CLIENT = path("clients/python");
const SHELL_WORKER = path("clients/shell/worker.sh");
const SAMPLE = path("samples/work-items.jsonl");

const lacks = (program: string): boolean => spawnSync(program, ["--version"]).error !== undefined;
const missing = ["python3", "curl", "jq"].filter(lacks);
const without = (...programs: string[]): boolean => programs.some((program) => missing.includes(program));

/** Starts a worker against a service, and ends it with the test.
 *  @param stdout is not read by default: a process that the worker leaves behind for a moment would keep it open */
const start = (
  { service }: TestService,
  [command, ...args]: readonly [string, ...string[]],
  stdout: "ignore" | "pipe" = "ignore",
): ChildProcess => {
  const child = spawn(command, args, {
    env: { PATH: process.env.PATH, SERIAL_GATE_URL: service.url, PYTHONDONTWRITEBYTECODE: "1" },
    stdio: ["ignore", stdout, "inherit"],
    detached: true,
  });
  // With the commands that it started.
  onTestFinished(() => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGTERM");
  });
  return child;
};

/** Runs a scene to its end. */
const scene = (service: TestService, name: string): { told: unknown[]; ended: Promise<unknown[]> } => {
  const child = start(service, ["python3", path("test/clients/scenes.py"), PYTHON_CLIENT, name], "pipe");
  const told: unknown[] = [];
  let text = "";
  child.stdout?.setEncoding("utf8").on("data", (part: string) => {
    text += part;
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) told.push(JSON.parse(line));
  });
  const ended = new Promise<unknown[]>((end) => {
    child.once("close", () => {
      end(told);
    });
  });
  return { told, ended };
};

const eventually = (look: () => unknown) => expect.poll(look, { timeout: 60_000, interval: 50 });

describe.skipIf(without("python3"))("the Python worker", () => {
  it("completes, retries, releases for a person, and hands the answer to the next run", async () => {
    const service = await startService();
    const client = new Client({ url: service.service.url });
    for (const [repo, work_item_id] of [
      ["acme/a", "FAIL"],
      ["acme/b", "ASK"],
    ] as const)
      await client.createTask({ repo, work_item_id });
    const { told, ended } = scene(service, "several-endings");
    await eventually(async () => (await client.queue()).serial_gate.per_repo["acme/b"]?.paused).toMatchObject(
      [{ work_item_id: "ASK", pause_reason: "blue or green?" }],
    );
    await client.resume({ work_item: "ASK" }, { answer: "blue" });
    await eventually(async () => (await client.queue()).jobs).toMatchObject({ done: 2 });
    await client.createTask({ repo: "acme/c", work_item_id: "LAST" });
    expect((await ended).at(-1)).toEqual({ ended: true });
    expect(told).toContainEqual({ item: "FAIL", attempt: 2, resumed: null });
    expect(told).toContainEqual({ item: "ASK", attempt: 1, resumed: "blue" });
    const { events } = await client.events({ limit: 100 });
    expect(events.find(({ kind }) => kind === "job.delayed")?.reason).toBe("the tests are red \ufffd");
  });

  it("keeps the lease of a job that outlasts it, and stops when it is asked to", async () => {
    const service = await startService();
    const client = new Client({ url: service.service.url });
    await client.createTask({ repo: "acme/a", work_item_id: "SLOW" });
    const { ended } = scene(service, "slow");
    expect(await ended).toEqual([{ ended: true }]);
    expect((await client.listJobs({})).jobs).toMatchObject([{ status: "done", attempt: 1 }]);
  });

  it.each([
    ["finishes", "task_terminal", (client: Client) => client.setStage(1, "done")],
    ["is cancelled", "task_cancelled", (client: Client) => client.cancelTask(1)],
  ])("stops the handler of a job whose task %s, and ends the job", async (_, code, finish) => {
    const service = await startService();
    const client = new Client({ url: service.service.url });
    await client.createTask({ repo: "acme/a", work_item_id: "A" });
    const { told, ended } = scene(service, "until-gone");
    await eventually(() => told).toContainEqual({ claimed: 1 });
    await eventually(async () => (await client.job(1)).job.progress).toBe("half way");
    await finish(client);
    expect(await ended).toContainEqual({ gone: true, why: code });
    expect((await client.job(1)).job.status).toBe("cancelled");
  });

  it("stops the handler when the lease is lost", async () => {
    const service = await startService();
    const client = new Client({ url: service.service.url });
    await client.createTask({ repo: "acme/a", work_item_id: "A" });
    const { told, ended } = scene(service, "until-gone");
    await eventually(() => told).toContainEqual({ claimed: 1 });
    await client.releaseByForce(1, { reason: "it hangs" });
    expect(await ended).toContainEqual({ gone: true, why: "lease_lost" });
  });
});

it.skipIf(without("python3", "curl", "jq"))(
  "Python and shell workers take the 200 work items of the sample to their end, in order",
  async () => {
    const service = await startService({ SERIAL_GATE_STRICT_LANES: "true" });
    const client = new Client({ url: service.service.url });
    const items = parseWorkItems(readFileSync(SAMPLE, "utf8"), SAMPLE);
    for (const { repo, work_item, files, lines } of items)
      await client.createTask({ repo, work_item_id: work_item, entry_job: { payload: { files, lines } } });
    const steps = path("test/clients/steps.py");
    for (const agents of ["analyst,developer", "developer,reviewer", "analyst,reviewer,tester"])
      start(service, ["python3", steps, PYTHON_CLIENT, agents]);
    for (let worker = 0; worker < 2; worker += 1)
      start(service, [SHELL_WORKER, "deployer", path("test/clients/deploy.sh")]);
    const tasks = [
      ...new Map(
        items.map(({ repo, work_item }) => [`${repo} ${work_item}`, { repo, work_item_id: work_item }]),
      ).values(),
    ];
    await expect
      .poll(async () => Object.keys((await client.queue()).serial_gate.per_repo), {
        timeout: 150_000,
        interval: 500,
      })
      .toEqual([]);
    const store = await openStore(service.databaseUrl);
    onTestFinished(() => store.close());
    const { violations, ...verdict } = await store.read(() =>
      verify({ entryAgent: POLICY.entryAgent, tasks }),
    );
    expect(violations).toEqual([]);
    expect(verdict.tasks).toBe(tasks.length);
  },
);
