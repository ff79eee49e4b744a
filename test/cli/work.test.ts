/** serial-gate work: a command for each job. */

import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, it, onTestFinished, vi } from "vitest";
import { Client } from "../../src/client/client.ts";
import { cliOf, type Cli } from "../support/cli.ts";
import { sleep } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import type { Running } from "../support/process.ts";
import { startService, type TestService } from "../support/service.ts";

vi.setConfig({ testTimeout: 120_000 });

let service: TestService;
let client: Client;
let cli: Cli;
let folder: string;

beforeEach(async () => {
  service = await startService();
  client = new Client({ url: service.service.url });
  folder = temporaryFolder();
  cli = cliOf(service.service.url, { PATH: process.env.PATH, FOLDER: folder });
});

/** A command of bash, as a file that can be run. */
const command = (...lines: string[]): string => {
  const path = join(folder, "agent.sh");
  writeFileSync(path, ["#!/usr/bin/env bash", ...lines, ""].join("\n"));
  chmodSync(path, 0o755);
  return path;
};

/** Starts a worker, which is killed with the test. */
const work = (path: string, ...options: string[]): Running => {
  const worker = cli.start("work", ...options, "--", path);
  onTestFinished(() => {
    worker.kill("SIGKILL");
  });
  return worker;
};

const add = async (repo: string, work_item_id: string, payload: unknown = null): Promise<number> =>
  (await client.createTask({ repo, work_item_id, entry_job: { payload } })).job?.id ?? NaN;

const eventually = (look: () => unknown) => expect.poll(look, { timeout: 60_000, interval: 50 });
const jobOf = async (id: number) => (await client.job(id)).job;
const outputOf = ({ heard }: Running): string => heard.stdout + heard.stderr;

it("hands the job to the command, and completes it with the outcome that the command writes", async () => {
  const id = await add("acme/web", "it's WEB-1", { branch: "b", big: "x".repeat(200_000) });
  const agent = command(
    'cat > "$FOLDER/job.json"',
    'env | grep ^SERIAL_GATE_ | sort > "$FOLDER/env"',
    'echo "half way" > "$SERIAL_GATE_PROGRESS"; echo out; echo err >&2; sleep 1.5',
    `echo '{"stage": "development", "result": {"plan": "ok"}, "next": [{"agent": "developer"}]}' > "$SERIAL_GATE_OUTCOME"`,
  );
  const worker = work(agent, "--agent", "analyst", "--name", "w", "--lease", "1s");
  await eventually(async () => (await jobOf(id)).progress).toBe("half way");
  await eventually(async () => (await jobOf(id)).status).toBe("done");
  expect(await jobOf(id)).toMatchObject({ result: { plan: "ok" }, attempt: 1 });
  expect((await client.listJobs()).jobs[0]).toMatchObject({ agent: "developer", status: "queued" });
  expect(JSON.parse(readFileSync(join(folder, "job.json"), "utf8"))).toMatchObject({
    id,
    work_item_id: "it's WEB-1",
    payload: { branch: "b" },
    base: { stale: false, overtaken_by: [] },
  });
  const env = readFileSync(join(folder, "env"), "utf8");
  for (const line of [
    `JOB_ID=${id}`,
    "REPO=acme/web",
    "WORK_ITEM=it's WEB-1",
    "AGENT=analyst",
    "STAGE=analysis",
    "ATTEMPT=1",
    "BASE_STALE=false",
    "ANSWER=",
  ])
    expect(env).toContain(`SERIAL_GATE_${line}\n`);
  expect(outputOf(worker)).toContain(`job ${id} | out\n`);
  expect(outputOf(worker)).toContain(`job ${id} | err\n`);
});

it("keeps the service's token from the command", async () => {
  await add("acme/web", "WEB-1");
  const agent = command('env > "$FOLDER/env"');
  const token = "0123456789abcdef0123";
  const withToken = cliOf(service.service.url, {
    PATH: process.env.PATH,
    FOLDER: folder,
    SERIAL_GATE_TOKEN: token,
  });
  const worker = withToken.start("work", "--", agent);
  onTestFinished(() => {
    worker.kill("SIGKILL");
  });
  await eventually(async () => (await client.queue()).jobs.done).toBe(1);
  expect(readFileSync(join(folder, "env"), "utf8")).not.toContain(token);
});

it("reports each exit code as what it means", async () => {
  const agent = command(
    'case "$SERIAL_GATE_WORK_ITEM" in',
    "  FAIL) echo 'the tests are red' >&2; exit 4;;",
    "  DEFER) exit 75;;",
    `  LATER) echo '{"run_after": "2999-01-01T00:00:00Z"}' > "$SERIAL_GATE_OUTCOME"; exit 75;;`,
    `  ASK) [ -n "$SERIAL_GATE_ANSWER" ] && exit 0; echo '{"pause": {"reason": "blue or green?"}}' > "$SERIAL_GATE_OUTCOME"; exit 76;;`,
    `  BAD) echo '{"stge": 1}' > "$SERIAL_GATE_OUTCOME";;`,
    `  CASE) echo '{"stage": "In Review"}' > "$SERIAL_GATE_OUTCOME";;`,
    "  SIGNAL) kill -9 $$;;",
    "esac",
  );
  const ids: Record<string, number> = {};
  for (const name of ["FAIL", "DEFER", "LATER", "ASK", "BAD", "CASE", "SIGNAL"])
    ids[name] = await add(`acme/${name.toLowerCase()}`, name);
  const worker = work(agent, "--concurrency", "4");
  const seen = async (name: string) => {
    const { status, attempt, error, run_after } = await jobOf(ids[name] ?? NaN);
    return { status, attempt, error, later: run_after !== null && Date.parse(run_after) > Date.now() };
  };
  await eventually(() => seen("FAIL")).toMatchObject({
    status: "delayed",
    attempt: 1,
    error: "The command ended with exit code 4.\nthe tests are red",
  });
  await eventually(() => seen("DEFER")).toMatchObject({ status: "delayed", attempt: 0, later: true });
  await eventually(() => seen("LATER")).toMatchObject({ status: "delayed", attempt: 0, later: true });
  await eventually(() => seen("BAD")).toMatchObject({
    status: "delayed",
    error: expect.stringContaining("stge") as unknown,
  });
  await eventually(() => seen("CASE")).toMatchObject({
    status: "delayed",
    error: expect.stringContaining("stage") as unknown,
  });
  await eventually(() => seen("SIGNAL")).toMatchObject({ error: "The command ended with exit code 137." });
  await eventually(async () => (await client.queue()).serial_gate.per_repo["acme/ask"]?.paused).toMatchObject(
    [{ work_item_id: "ASK", pause_reason: "blue or green?" }],
  );
  await client.resume({ work_item: "ASK" }, { answer: "blue" });
  await eventually(() => seen("ASK")).toMatchObject({ status: "done", attempt: 1 });
  expect(outputOf(worker)).toContain("waits for a person: blue or green?");
});

it("ends the whole process group of a job that is no longer its own, and says so", async () => {
  const id = await add("acme/web", "WEB-1");
  const agent = command('sleep 300 & echo $! > "$FOLDER/child"; trap "" TERM; wait; sleep 300');
  const worker = work(agent, "--lease", "1s");
  await eventually(async () => (await jobOf(id)).status).toBe("running");
  await eventually(() => readFileSync(join(folder, "child"), "utf8")).toMatch(/^\d+\n$/);
  await client.setStage(1, "done");
  await eventually(async () => (await jobOf(id)).status).toBe("cancelled");
  await eventually(() => outputOf(worker)).toContain(
    "the command was ended, because the job is no longer this worker's",
  );
  const child = Number(readFileSync(join(folder, "child"), "utf8"));
  expect(() => process.kill(child, 0)).toThrow("ESRCH");
});

it("on SIGTERM takes nothing new, lets the command finish, and ends with 0", async () => {
  const id = await add("acme/web", "WEB-1");
  const other = await add("acme/api", "API-1");
  const worker = work(command("sleep 1.5"));
  await eventually(async () => (await jobOf(id)).status).toBe("running");
  worker.kill("SIGTERM");
  expect((await worker.ended).code).toBe(0);
  expect((await jobOf(id)).status).toBe("done");
  expect(await jobOf(other)).toMatchObject({ status: "queued", attempt: 0 });
});

it("releases the job of a command that does not finish in the grace time", async () => {
  const id = await add("acme/web", "WEB-1");
  const worker = work(command("sleep 300"), "--grace", "500ms");
  await eventually(async () => (await jobOf(id)).status).toBe("running");
  worker.kill("SIGTERM");
  expect((await worker.ended).code).toBe(0);
  expect(await jobOf(id)).toMatchObject({ status: "queued", attempt: 0 });
});

it("a killed worker loses nothing: another one runs its job after the lease", async () => {
  const id = await add("acme/web", "WEB-1");
  const first = work(command("sleep 300"), "--lease", "1s");
  await eventually(async () => (await jobOf(id)).status).toBe("running");
  first.kill("SIGKILL");
  await first.ended;
  work(command("exit 0"));
  await eventually(async () => (await jobOf(id)).status).toBe("done");
  expect((await jobOf(id)).attempt).toBe(2);
});

it("outlives a restart of the service", async () => {
  const id = await add("acme/web", "WEB-1");
  const { databaseUrl } = service;
  const { port } = new URL(service.service.url);
  const worker = work(command("sleep 1"));
  await eventually(async () => (await jobOf(id)).status).toBe("running");
  await service.service.close();
  await sleep(1_500);
  service = await startService({ DATABASE_URL: databaseUrl, PORT: port });
  await eventually(async () => (await jobOf(id)).status).toBe("done");
  const later = await add("acme/api", "API-1");
  await eventually(async () => (await jobOf(later)).status).toBe("done");
  worker.kill("SIGTERM");
  expect((await worker.ended).code).toBe(0);
});

it("ends with a sentence where it cannot go on: a command that is not there, a token that is not known", async () => {
  const id = await add("acme/web", "WEB-1");
  const missing = await work(join(folder, "nothing.sh")).ended;
  expect(missing.code).toBe(1);
  expect(missing.stderr).toContain("The command cannot be started");
  expect(await jobOf(id)).toMatchObject({ status: "queued", attempt: 0 });
  const guarded = await startService({ SERIAL_GATE_TOKENS: "ann:0123456789abcdef0123" });
  const refused = await cliOf(guarded.service.url, { PATH: process.env.PATH })(
    "work",
    "--",
    command("exit 0"),
  );
  expect(refused.exit).toBe(4);
});
