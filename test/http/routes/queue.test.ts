import { expect, it } from "vitest";
import type { Queue } from "../../../src/contract/queue.ts";
import { A_TIME, AN_ID, invalidField, isolatedRepos, expectProblem } from "../../support/calls.ts";
import { shareService, startService } from "../../support/service.ts";

const shared = shareService();
const IDLE = {
  active_task: null,
  running: [],
  waiting: [],
  paused: [],
  freezes: [],
  frozen: false,
  frozen_reason: null,
  frozen_at: null,
  stuck: [],
};
const A_FREEZE = { freeze_id: AN_ID, frozen_at: A_TIME, reason: null, by: null, work_item_id: null };
const activeJob = (more: object): object => ({
  job_id: AN_ID,
  agent: "analyst",
  status: "queued",
  attempt: 0,
  max_attempts: 2,
  worker: null,
  since: A_TIME,
  run_after: null,
  progress: null,
  error: null,
  ...more,
});
const NO_JOBS = { queued: 0, delayed: 0, running: 0, done: 0, failed: 0, cancelled: 0 };

it("shows an empty queue of a new database", async () => {
  const { get } = await startService();
  const { status, body } = await get("/queue");
  expect(status).toBe(200);
  expect(body).toEqual({
    revision: 0,
    generated_at: A_TIME,
    degraded: false,
    jobs: NO_JOBS,
    serial_gate: {
      enabled: true,
      freeze_enabled: true,
      pause_enabled: true,
      strict_lanes: false,
      repos: "",
      per_repo: {},
    },
  });
});

it("shows the head, the waiting jobs, the paused tasks and the freeze of every lane", async () => {
  const { post, get } = await startService();
  const add = async (repo: string, work_item_id: string, more: object = {}) =>
    (
      await post<{ task: { id: number }; job: { id: number } | null }>("/tasks", {
        repo,
        work_item_id,
        ...more,
      })
    ).body;
  const parked = await add("acme/web", "WEB-5", { stage: "review", entry_job: false });
  const active = await add("acme/web", "WEB-7", { stage: "development", entry_job: false });
  const needed = await add("acme/lib", "LIB-1");
  const dependent = await add("acme/web", "WEB-8", { depends_on: ["LIB-1"] });
  const behind = await add("acme/web", "WEB-9");
  await add("acme/web", "WEB-1", { stage: "done" });
  const cold = await add("acme/api", "API-2");
  await post("/jobs", { repo: "acme/web", work_item_id: "WEB-7", agent: "developer" });
  await post("/serial-gate/pause?work_item=WEB-5", { reason: "needs input" });
  await post("/freeze?repo=acme/api", { reason: "older" });
  await post("/freeze?repo=acme/api", { reason: "error rate 4.1 %" });
  await post("/freeze?repo=acme/old");

  const { body } = await get<Queue>("/queue");
  expect(body).toEqual({
    revision: expect.any(Number) as unknown,
    generated_at: A_TIME,
    degraded: false,
    jobs: { ...NO_JOBS, queued: 5 },
    serial_gate: {
      enabled: true,
      freeze_enabled: true,
      pause_enabled: true,
      strict_lanes: false,
      repos: "",
      per_repo: {
        "acme/api": {
          ...IDLE,
          active_task: {
            task_id: cold.task.id,
            work_item_id: "API-2",
            stage: "analysis",
            since: null,
            job: activeJob({ job_id: cold.job?.id }),
          },
          waiting: [
            {
              job_id: cold.job?.id,
              task_id: cold.task.id,
              work_item_id: "API-2",
              stage: "analysis",
              agent: "analyst",
              reason: "freeze",
              position: 1,
              since: A_TIME,
            },
          ],
          freezes: ["older", "error rate 4.1 %"].map((reason) => ({ ...A_FREEZE, reason })),
          frozen: true,
          frozen_reason: "error rate 4.1 %",
          frozen_at: A_TIME,
        },
        "acme/lib": {
          ...IDLE,
          active_task: {
            task_id: needed.task.id,
            work_item_id: "LIB-1",
            stage: "analysis",
            since: null,
            job: activeJob({ job_id: needed.job?.id }),
          },
          waiting: [
            {
              job_id: needed.job?.id,
              task_id: needed.task.id,
              work_item_id: "LIB-1",
              stage: "analysis",
              agent: "analyst",
              reason: null,
              position: 1,
              since: A_TIME,
            },
          ],
        },
        "acme/old": { ...IDLE, freezes: [A_FREEZE], frozen: true, frozen_at: A_TIME },
        "acme/web": {
          ...IDLE,
          active_task: {
            task_id: active.task.id,
            work_item_id: "WEB-7",
            stage: "development",
            since: null,
            job: activeJob({ agent: "developer" }),
          },
          waiting: [
            {
              job_id: dependent.job?.id,
              task_id: dependent.task.id,
              work_item_id: "WEB-8",
              stage: "analysis",
              agent: "analyst",
              reason: "dependency",
              position: 1,
              since: A_TIME,
            },
            {
              job_id: behind.job?.id,
              task_id: behind.task.id,
              work_item_id: "WEB-9",
              stage: "analysis",
              agent: "analyst",
              reason: "active-task",
              position: 2,
              since: A_TIME,
            },
          ],
          paused: [
            {
              task_id: parked.task.id,
              work_item_id: "WEB-5",
              stage: "review",
              paused_at: A_TIME,
              paused_by: null,
              pause_reason: "needs input",
            },
          ],
        },
      },
    },
  });
  expect(Object.keys(body.serial_gate.per_repo)).toEqual(["acme/api", "acme/lib", "acme/old", "acme/web"]);
});

it("counts the jobs by status", async () => {
  const { web, add, enqueue, next, report, move } = isolatedRepos(shared());
  const other = await add("WEB-0");
  await move(other.task, "cancelled");
  await add("WEB-1", { entry_job: { max_attempts: 1 } });
  await report(await next(), "fail", { error: "e" });
  await enqueue("WEB-1", "tester");
  await report(await next(), "complete");
  await enqueue("WEB-1", "tester");
  await next();
  await enqueue("WEB-1", "tester");
  await enqueue("WEB-1", "tester", { run_after: "2099-01-01T00:00:00Z" });
  const { body } = await shared().get<Queue>(`/queue?repo=${web}`);
  expect(body.jobs).toEqual({ queued: 1, delayed: 1, running: 1, done: 1, failed: 1, cancelled: 1 });
});

it("lists waiting jobs by job id and numbers them by task", async () => {
  const { add, enqueue, lane } = isolatedRepos(shared());
  const first = await add("WEB-1", { entry_job: false });
  const second = await add("WEB-2");
  const late = await enqueue("WEB-1", "analyst");
  expect((await lane()).waiting).toEqual([
    {
      job_id: second.job.id,
      task_id: second.task.id,
      work_item_id: "WEB-2",
      stage: "analysis",
      agent: "analyst",
      reason: "active-task",
      position: 2,
      since: A_TIME,
    },
    {
      job_id: late.id,
      task_id: first.task.id,
      work_item_id: "WEB-1",
      stage: "analysis",
      agent: "analyst",
      reason: null,
      position: 1,
      since: A_TIME,
    },
  ]);
});

it("shows no reason for exactly the entry jobs that a claim then hands out", async () => {
  const { web, api, add, claim, pause, lane } = isolatedRepos(shared());
  await add("WEB-1", { entry_job: false });
  for (let n = 2; n < 6; n += 1) await add(`WEB-${n}`, n === 4 ? { depends_on: ["WEB-2"] } : {});
  await add("API-1", { repo: api, depends_on: [{ repo: web, work_item_id: "WEB-1" }] });
  for (let n = 2; n < 4; n += 1) await add(`API-${n}`, { repo: api });
  for (const parked of ["WEB-1", "WEB-2", "WEB-3"]) {
    await pause(parked);
    const free = [...(await lane()).waiting, ...(await lane(api)).waiting]
      .filter(({ reason }) => reason === null)
      .map(({ job_id }) => job_id);
    const claimed = await claim({ max: 100 });
    expect(claimed.map(({ id }) => id)).toEqual(free.toSorted((a, b) => a - b));
  }
});

it("shows only the requested repositories, one or several", async () => {
  const { web, api, add } = isolatedRepos(shared());
  await add("WEB-1");
  await add("API-1", { repo: api });
  const shown = async (query: string) => {
    const { body } = await shared().get<Queue>(`/queue?${query}`);
    return [Object.keys(body.serial_gate.per_repo), body.jobs.queued];
  };
  expect(await shown(`repo=${web}`)).toEqual([[web], 1]);
  expect(await shown(`repo=${web}&repo=${api}`)).toEqual([[api, web], 2]);
  expect(await shown(`repo=${web}&repo=${web}`)).toEqual([[web], 1]);
  expect(await shown(`repo=${encodeURIComponent(api)}`)).toEqual([[api], 1]);
  expect(await shown("repo=acme/none")).toEqual([[], 0]);
  expect((await shown(""))[0]).toEqual(expect.arrayContaining([web, api]));
});

it("increases the revision with every change, and only then", async () => {
  const { web, add, next, report, pause, revision, move } = isolatedRepos(shared());
  let last = await revision();
  const moved = async (): Promise<boolean> => {
    const [before, now] = [last, await revision()];
    last = now;
    return now > before;
  };
  const { task } = await add("WEB-1");
  expect(await moved()).toBe(true);
  const job = await next();
  expect(await moved()).toBe(true);
  await report(job, "release");
  expect(await moved()).toBe(true);
  await pause("WEB-1");
  expect(await moved()).toBe(true);
  await shared().post(`/freeze?repo=${web}`);
  expect(await moved()).toBe(true);
  await shared().post(`/unfreeze?repo=${web}`);
  expect(await moved()).toBe(true);
  await move(task, "done");
  expect(await moved()).toBe(true);
  await shared().get("/tasks");
  await next({ max: 1 }).catch(() => undefined);
  await isolatedRepos(shared()).add("ELSEWHERE");
  await shared().get(`/queue?repo=${web}`);
  last = await revision();
  expect(await moved()).toBe(false);
});

it.each([
  ["?repo=", "/repo/0"],
  ["?repo=a&repo=", "/repo/1"],
  ["?repos=a", "/repos"],
  ["?repo=a&limit=1", "/limit"],
])("refuses %s and names %s of the query", async (query, pointer) => {
  expectProblem(await shared().get(`/queue${query}`), {
    status: 400,
    code: "invalid_request",
    errors: [invalidField("query", pointer)],
  });
});

it("shows the repositories of SERIAL_GATE_PROJECTS when they have no tasks", async () => {
  const { get, post } = await startService({ SERIAL_GATE_PROJECTS: "acme/web, orchestrator" });
  const { body } = await get<Queue>("/queue");
  expect(body.serial_gate.per_repo).toEqual({ "acme/web": IDLE, orchestrator: IDLE });
  await post("/tasks", { repo: "acme/web", work_item_id: "WEB-1", entry_job: false });
  const now = (await get<Queue>("/queue")).body.serial_gate.per_repo;
  expect(now).toEqual({
    "acme/web": {
      ...IDLE,
      active_task: { task_id: AN_ID, work_item_id: "WEB-1", stage: "analysis", since: null, job: null },
      stuck: [
        {
          task_id: AN_ID,
          work_item_id: "WEB-1",
          because: "it has no job: the orchestrator must add one or finish the task",
        },
      ],
    },
    orchestrator: IDLE,
  });
  const asked = (await get<Queue>("/queue?repo=orchestrator&repo=acme/other")).body;
  expect(asked.serial_gate.per_repo).toEqual({ orchestrator: IDLE });
});

it("shows every job that a worker has, of the active task, of a paused one and of a finished one", async () => {
  const { add, enqueue, next, pause, resume, move, lane, web } = isolatedRepos(shared());
  const first = await add("WEB-1");
  const one = await next({ worker: "w1" });
  await pause("WEB-1");
  const second = await add("WEB-2");
  const two = await next();
  const runs = (task: object, job: object, worker: string | null) => ({
    ...task,
    ...job,
    agent: "analyst",
    worker,
    since: A_TIME,
    lease_expires_at: A_TIME,
  });
  const both = [
    runs({ task_id: first.task.id, work_item_id: "WEB-1" }, { job_id: one.id }, "w1"),
    runs({ task_id: second.task.id, work_item_id: "WEB-2" }, { job_id: two.id }, null),
  ];
  expect(await lane()).toMatchObject({ active_task: { work_item_id: "WEB-2" }, running: both });
  await resume("WEB-1");
  expect(await lane()).toMatchObject({ active_task: { work_item_id: "WEB-1" }, running: both });
  await move(first.task, "done");
  await move(second.task, "done");
  await enqueue("WEB-1", "watcher");
  expect(await lane()).toMatchObject({ active_task: null, running: both });
  expect((await shared().get<Queue>(`/queue?repo=${web}`)).body.jobs).toMatchObject({ running: 2 });
});

it("shows of the active task the job that is furthest on, with an error only while that is the job's state", async () => {
  const { add, enqueue, next, report, lane } = isolatedRepos(shared());
  const job = async () => (await lane()).active_task?.job ?? null;
  await add("WEB-1", { entry_job: { max_attempts: 1 } });
  expect(await job()).toMatchObject({ status: "queued", attempt: 0, worker: null, error: null });
  await enqueue("WEB-1", "tester", { run_after: "2099-01-01T00:00:00Z", max_attempts: 1 });
  expect(await job()).toMatchObject({ agent: "analyst", status: "queued" });
  const entry = await next({ worker: "w1" });
  expect(await job()).toMatchObject({ agent: "analyst", status: "running", worker: "w1", since: A_TIME });
  await report(entry, "complete");
  expect(await job()).toMatchObject({ agent: "tester", status: "delayed", run_after: A_TIME, error: null });
  const late = await enqueue("WEB-1", "reviewer", { max_attempts: 1 });
  await report(await next(), "fail", { error: "tests are red" });
  expect(await job()).toMatchObject({ agent: "tester", status: "delayed" });
  await shared().post(`/jobs/${(await job())?.job_id}/cancel`);
  expect(await job()).toMatchObject({
    job_id: late.id,
    status: "failed",
    attempt: 1,
    error: "tests are red",
  });
  await shared().post(`/jobs/${late.id}/retry`);
  expect(await job()).toMatchObject({
    job_id: late.id,
    status: "queued",
    attempt: 1,
    max_attempts: 2,
    error: null,
  });
  await report(await next(), "complete");
  expect(await job()).toBe(null);
  expect((await lane()).active_task?.since).toEqual(A_TIME);
});

it("shows the error of a job that is delayed because it failed", async () => {
  const { add, next, report, lane } = isolatedRepos(shared());
  await add("WEB-1");
  await report(await next(), "fail", { error: "once" });
  expect((await lane()).active_task?.job).toMatchObject({ status: "delayed", attempt: 1, error: "once" });
});

it("lists each active freeze with its author, and drops a cleared one", async () => {
  const { web, add, lane } = isolatedRepos(shared());
  await add("WEB-1");
  const ids: number[] = [];
  for (const [reason, by] of [
    ["red", "ann"],
    ["slow", "ben"],
  ]) {
    const { body } = await shared().post<{ freeze_id: number }>(`/freeze?repo=${web}`, {
      reason,
      by,
      work_item_id: "WEB-1",
    });
    ids.push(body.freeze_id);
  }
  const freeze = { frozen_at: A_TIME, work_item_id: "WEB-1" };
  expect((await lane()).freezes).toEqual([
    { ...freeze, freeze_id: ids[0], reason: "red", by: "ann" },
    { ...freeze, freeze_id: ids[1], reason: "slow", by: "ben" },
  ]);
  await shared().post(`/unfreeze?repo=${web}&id=${ids[1]}`);
  expect(await lane()).toMatchObject({
    frozen: true,
    frozen_reason: "red",
    freezes: [{ freeze_id: ids[0] }],
  });
});
