import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import type { Env } from "../../src/config/env.ts";
import type { Claim } from "../../src/contract/jobs.ts";
import type { Queue } from "../../src/contract/queue.ts";
import { expectProblem } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { startService, type TestService } from "../support/service.ts";

/** One repository for each thing that may hold an entry job. */
let world = "";

beforeAll(async () => {
  const ends: (() => void | Promise<void>)[] = [];
  const { post, databaseUrl, service } = await startService({}, (end) => ends.push(end));
  const add = (repo: string, work_item_id: string, more: object = {}) =>
    post("/tasks", { repo, work_item_id, ...more });
  await add("acme/cold", "FROZEN");
  await post("/freeze?repo=acme/cold", { reason: "a bad deploy" });
  await add("acme/free", "NEEDED", { entry_job: false });
  await add("acme/web", "DEPENDENT", { depends_on: ["NEEDED"] });
  await add("acme/busy", "ACTIVE", { entry_job: false });
  await add("acme/busy", "BEHIND");
  await add("acme/park", "PARKED", { entry_job: false });
  await add("acme/park", "OVERTAKING");
  await post("/serial-gate/pause?work_item=PARKED");
  await service.close();
  world = databaseUrl.replace(/^file:/, "");
  return async () => {
    for (const end of ends.reverse()) await end();
  };
});

/** A service over a copy of that world. */
const worldUnder = async (env: Env): Promise<TestService> => {
  const copy = join(temporaryFolder(), "gate.db");
  copyFileSync(world, copy);
  return startService({ ...env, DATABASE_URL: `file:${copy}` });
};

const reasonsOf = (queue: Queue): Record<string, string | null> =>
  Object.fromEntries(
    Object.values(queue.serial_gate.per_repo).flatMap(({ waiting }) =>
      waiting.map((job) => [job.work_item_id ?? "", job.reason]),
    ),
  );

const ALL_ON = { FROZEN: "freeze", DEPENDENT: "dependency", BEHIND: "active-task", OVERTAKING: null };

it.each<[string, Env, Record<string, string | null>]>([
  ["nothing", {}, ALL_ON],
  ["SERIAL_GATE_ENABLED=false", { SERIAL_GATE_ENABLED: "false" }, { ...ALL_ON, FROZEN: null, BEHIND: null }],
  [
    "ORCH_SERIAL_GATE_ENABLED=0",
    { ORCH_SERIAL_GATE_ENABLED: "0" },
    { ...ALL_ON, FROZEN: null, BEHIND: null },
  ],
  ["SERIAL_GATE_FREEZE_ENABLED=false", { SERIAL_GATE_FREEZE_ENABLED: "false" }, { ...ALL_ON, FROZEN: null }],
  [
    "ORCH_SERIAL_GATE_FREEZE_ENABLED=off",
    { ORCH_SERIAL_GATE_FREEZE_ENABLED: "off" },
    { ...ALL_ON, FROZEN: null },
  ],
  [
    "SERIAL_GATE_PAUSE_ENABLED=false",
    { SERIAL_GATE_PAUSE_ENABLED: "false" },
    { ...ALL_ON, OVERTAKING: "active-task" },
  ],
  [
    "ORCH_SERIAL_GATE_PAUSE_ENABLED=no",
    { ORCH_SERIAL_GATE_PAUSE_ENABLED: "no" },
    { ...ALL_ON, OVERTAKING: "active-task" },
  ],
  ["TASK_DEPS_ENABLED=false", { TASK_DEPS_ENABLED: "false" }, { ...ALL_ON, DEPENDENT: null }],
  ["ORCH_TASK_DEPS_ENABLED=f", { ORCH_TASK_DEPS_ENABLED: "f" }, { ...ALL_ON, DEPENDENT: null }],
  [
    "everything off",
    { SERIAL_GATE_ENABLED: "false", TASK_DEPS_ENABLED: "false" },
    { FROZEN: null, DEPENDENT: null, BEHIND: null, OVERTAKING: null },
  ],
  ["SERIAL_GATE_REPOS=acme/cold", { SERIAL_GATE_REPOS: "acme/cold" }, { ...ALL_ON, BEHIND: null }],
  [
    "SERIAL_GATE_REPOS=acme/busy, acme/park",
    { SERIAL_GATE_REPOS: "acme/busy, acme/park" },
    { ...ALL_ON, FROZEN: null },
  ],
  [
    "ORCH_SERIAL_GATE_REPOS=orchestrator",
    { ORCH_SERIAL_GATE_REPOS: "orchestrator" },
    { ...ALL_ON, FROZEN: null, BEHIND: null },
  ],
  [
    "the own name against the orchestrator's",
    { SERIAL_GATE_ENABLED: "true", ORCH_SERIAL_GATE_ENABLED: "false" },
    ALL_ON,
  ],
  ["another entry agent: no job of these is one", { SERIAL_GATE_ENTRY_AGENT: "architect" }, {}],
])("queue and claim agree under %s", async (_, env, expected) => {
  const { get, post } = await worldUnder(env);
  expect(reasonsOf((await get<Queue>("/queue")).body)).toEqual(expected);
  const { jobs } = (await post<Claim>("/jobs/claim", { max: 100 })).body;
  const free = Object.keys(expected).filter((workItem) => expected[workItem] === null);
  const handedOut = env.SERIAL_GATE_ENTRY_AGENT ? Object.keys(ALL_ON) : free;
  expect(jobs.map((job) => job.work_item_id).sort()).toEqual(handedOut.sort());
});

it.each<[string, Env, object]>([
  ["all switches on", {}, { enabled: true, freeze_enabled: true, pause_enabled: true, repos: "" }],
  ["the kill switch", { SERIAL_GATE_ENABLED: "false" }, { enabled: false }],
  ["the freeze switched off", { SERIAL_GATE_FREEZE_ENABLED: "false" }, { freeze_enabled: false }],
  ["the pause switched off", { SERIAL_GATE_PAUSE_ENABLED: "false" }, { pause_enabled: false }],
  [
    "the scope without invalid names",
    { SERIAL_GATE_REPOS: "acme/web, , acme web,orchestrator," },
    { repos: "acme/web,orchestrator" },
  ],
])("the queue shows %s", async (_, env, expected) => {
  const { get } = await startService(env);
  expect((await get<Queue>("/queue")).body.serial_gate).toMatchObject(expected);
});

it("the queue shows no freeze while the freeze is switched off", async () => {
  const { get } = await worldUnder({ SERIAL_GATE_FREEZE_ENABLED: "false" });
  const { per_repo } = (await get<Queue>("/queue")).body.serial_gate;
  expect(per_repo["acme/cold"]).toMatchObject({ frozen: false, frozen_reason: null, frozen_at: null });
});

it("the queue shows a paused task as the head of its lane while the pause is switched off", async () => {
  const { get } = await worldUnder({ SERIAL_GATE_PAUSE_ENABLED: "false" });
  const { per_repo } = (await get<Queue>("/queue")).body.serial_gate;
  expect(per_repo["acme/park"]?.active_task?.work_item_id).toBe("PARKED");
});

it("refuses a pause but accepts a resume while the pause is switched off", async () => {
  const { post } = await worldUnder({ SERIAL_GATE_PAUSE_ENABLED: "false" });
  expectProblem(await post("/serial-gate/pause?work_item=ACTIVE"), {
    status: 409,
    code: "layer_disabled",
    hint: expect.stringContaining("SERIAL_GATE_PAUSE_ENABLED") as unknown,
  });
  expect(await post("/serial-gate/resume?work_item=PARKED")).toMatchObject({
    status: 200,
    body: { paused: false, changed: true },
  });
});

it("refuses a freeze but accepts an unfreeze while the freeze is switched off", async () => {
  const { post } = await worldUnder({ SERIAL_GATE_FREEZE_ENABLED: "false" });
  expectProblem(await post("/freeze?repo=acme/web"), {
    status: 409,
    code: "layer_disabled",
    hint: expect.stringContaining("SERIAL_GATE_FREEZE_ENABLED") as unknown,
  });
  expect(await post("/unfreeze?repo=acme/cold")).toMatchObject({
    status: 200,
    body: { frozen: false, cleared: 1 },
  });
});

it("holds the jobs of the configured entry agent", async () => {
  const { post, get } = await startService({ SERIAL_GATE_ENTRY_AGENT: "architect" });
  await post("/tasks", { repo: "acme/web", work_item_id: "WEB-1", entry_job: false });
  const { body } = await post<{ job: { agent: string } }>("/tasks", {
    repo: "acme/web",
    work_item_id: "WEB-2",
  });
  expect(body.job.agent).toBe("architect");
  await post("/jobs", { repo: "acme/web", work_item_id: "WEB-2", agent: "analyst" });
  expect(reasonsOf((await get<Queue>("/queue")).body)).toEqual({ "WEB-2": "active-task" });
  const { jobs } = (await post<Claim>("/jobs/claim", { max: 9 })).body;
  expect(jobs.map((job) => job.agent)).toEqual(["analyst"]);
});

it("a pause applies again when its switch is turned on", async () => {
  const off = await worldUnder({ SERIAL_GATE_PAUSE_ENABLED: "false" });
  await off.service.close();
  const on = await startService({ DATABASE_URL: off.databaseUrl });
  expect(reasonsOf((await on.get<Queue>("/queue")).body)).toEqual(ALL_ON);
});
