import { join } from "node:path";
import { expect, it } from "vitest";
import type { Claim, ClaimedJob } from "../src/contract/jobs.ts";
import type { Queue } from "../src/contract/queue.ts";
import { A_TIME, expectProblem, sleep, timed } from "./support/calls.ts";
import { temporaryFolder } from "./support/folder.ts";
import { makeLegacy } from "./support/legacy.ts";
import { startScript } from "./support/process.ts";
import { startService, type TestService } from "./support/service.ts";

/** Resolves once another process has committed the SQL to the service's database. */
const write = async ({ databaseUrl }: TestService, sql: string): Promise<void> => {
  const writer = startScript("second-writer.mjs", [databaseUrl.replace("file:", ""), sql]);
  await writer.lines(1);
  if (writer.heard.stdout !== "committed\n") throw new Error((await writer.ended).stderr);
};

const task = (id: number, workItem: string, stage = "analysis", repo = "acme/web"): string =>
  `INSERT INTO tasks(id, work_item_id, repo, stage, created_at, updated_at)
     VALUES (${id}, '${workItem}', '${repo}', '${stage}', datetime('now'), datetime('now'));`;
const entryJob = (taskId: number, repo = "acme/web"): string =>
  `INSERT INTO jobs(agent, repo, task_id, task_content, created_at)
     VALUES ('analyst', '${repo}', ${taskId}, 'just words', datetime('now'));`;
const finish = (id: number, stage = "done"): string =>
  `UPDATE tasks SET stage = '${stage}', updated_at = datetime('now') WHERE id = ${id};`;
const FREEZE =
  "INSERT INTO repo_freeze(repo, reason, work_item_id) VALUES ('acme/web', 'DEGRADED', 'WEB-0');";
const THAW = "UPDATE repo_freeze SET cleared_at = datetime('now') WHERE repo = 'acme/web';";

const claimAll = async ({ post }: TestService): Promise<ClaimedJob[]> =>
  (await post<Claim>("/jobs/claim", { max: 100 })).body.jobs;

const reasonsIn = async ({ get }: TestService): Promise<Record<string, string | null>> =>
  Object.fromEntries(
    Object.values((await get<Queue>("/queue")).body.serial_gate.per_repo).flatMap(({ waiting }) =>
      waiting.map((job) => [job.work_item_id ?? `job ${job.job_id}`, job.reason]),
    ),
  );

it("applies another program's write to the next queue and the next claim", async () => {
  const service = await startService();
  const steps: readonly (readonly [sql: string, reasons: Record<string, string | null>])[] = [
    [task(1, "WEB-1", "development"), {}],
    [task(2, "WEB-2") + entryJob(2), { "WEB-2": "active-task" }],
    [finish(1), { "WEB-2": null }],
    [FREEZE, { "WEB-2": "freeze" }],
    [THAW, { "WEB-2": null }],
    [task(3, "API-3", "analysis", "acme/api"), { "WEB-2": null }],
    ["INSERT OR IGNORE INTO job_deps(task_id, depends_on_task_id) VALUES (2, 3);", { "WEB-2": "dependency" }],
    [task(4, "WEB-4") + entryJob(4), { "WEB-2": "dependency", "WEB-4": "active-task" }],
    ["UPDATE tasks SET paused_at = datetime('now') WHERE id = 2;", { "WEB-2": "dependency", "WEB-4": null }],
    ["UPDATE tasks SET paused_at = NULL WHERE id = 2;", { "WEB-2": "dependency", "WEB-4": "active-task" }],
    ["DELETE FROM job_deps WHERE task_id = 2;", { "WEB-2": null, "WEB-4": "active-task" }],
    ["UPDATE tasks SET repo = 'acme/new' WHERE id = 2;", { "WEB-2": null, "WEB-4": null }],
    [finish(2, "cancelled"), { "WEB-2": null, "WEB-4": null }],
    ["UPDATE jobs SET status = 'cancelled' WHERE task_id = 2;", { "WEB-4": null }],
    ["DELETE FROM tasks; DELETE FROM jobs;", {}],
  ];
  for (const [sql, reasons] of steps) {
    await write(service, sql);
    expect(await reasonsIn(service), sql).toEqual(reasons);
    const claimed = await claimAll(service);
    const free = Object.keys(reasons).filter((workItem) => reasons[workItem] === null);
    expect(
      claimed.map((job) => job.work_item_id),
      sql,
    ).toEqual(free);
    for (const { id, lease } of claimed)
      expect((await service.post(`/jobs/${id}/release`, { lease_token: lease.token })).status).toBe(200);
  }
});

it("shows another program's rows like its own", async () => {
  const service = await startService();
  await write(
    service,
    task(1, "WEB-1") + entryJob(1) + FREEZE + "UPDATE tasks SET paused_at = datetime('now');",
  );
  expect((await service.get("/tasks/1")).body).toEqual({
    task: {
      id: 1,
      repo: "acme/web",
      work_item_id: "WEB-1",
      title: null,
      stage: "analysis",
      depends_on: [],
      paused_at: A_TIME,
      paused_by: null,
      pause_reason: null,
      pause_until: null,
      cancelled_at: null,
      created_at: A_TIME,
      updated_at: A_TIME,
    },
    jobs: [
      {
        id: 1,
        task_id: 1,
        repo: "acme/web",
        work_item_id: "WEB-1",
        agent: "analyst",
        status: "queued",
        attempt: 0,
        max_attempts: 2,
        payload: "just words",
        result: null,
        error: null,
        progress: null,
        run_after: null,
        lease: null,
        created_at: A_TIME,
        started_at: null,
        finished_at: null,
      },
    ],
  });
  const { per_repo } = (await service.get<Queue>("/queue")).body.serial_gate;
  expect(per_repo["acme/web"]).toMatchObject({
    paused: [{ work_item_id: "WEB-1", paused_at: A_TIME }],
    frozen: true,
    frozen_reason: "DEGRADED",
    frozen_at: A_TIME,
  });
});

it("increases the revision of a repository after another program's write", async () => {
  const service = await startService();
  const revision = async (repo: string) => (await service.get<Queue>(`/queue?repo=${repo}`)).body.revision;
  await write(service, task(1, "WEB-1") + task(2, "API-2", "analysis", "acme/api"));
  const [web, api] = [await revision("acme/web"), await revision("acme/api")];
  await write(service, finish(1));
  expect(await revision("acme/web")).toBeGreaterThan(web);
  expect(await revision("acme/api")).toBe(api);
});

it("marks the base of a paused task as stale when another program finishes a task", async () => {
  const service = await startService();
  await write(service, task(1, "WEB-1") + entryJob(1) + task(2, "WEB-2", "review"));
  await service.post("/serial-gate/pause?work_item=WEB-1");
  await write(service, finish(2));
  await service.post("/serial-gate/resume?work_item=WEB-1");
  expect((await claimAll(service))[0]?.base).toEqual({ stale: true, overtaken_by: ["WEB-2"] });
});

it("ends the lease of a job that another program takes away", async () => {
  const service = await startService();
  await write(service, task(1, "WEB-1") + entryJob(1));
  const [job] = await claimAll(service);
  await write(service, "UPDATE jobs SET status = 'done', finished_at = datetime('now');");
  const lease = { lease_token: job?.lease.token };
  for (const verb of ["heartbeat", "complete", "release"])
    expectProblem(await service.post(`/jobs/1/${verb}`, lease), { status: 409, code: "lease_lost" });
  expect((await service.get("/jobs/1")).body).toMatchObject({ job: { status: "done", lease: null } });
});

it("neither hands out nor requeues a job that another program runs itself", async () => {
  const service = await startService();
  await write(service, task(1, "WEB-1") + entryJob(1));
  await write(service, "UPDATE jobs SET status = 'running', attempts = 1, started_at = datetime('now');");
  expect((await service.post("/jobs/claim", { wait_ms: 1_500 })).body).toMatchObject({ jobs: [] });
  expect((await service.get("/jobs/1")).body).toMatchObject({ job: { status: "running", lease: null } });
});

it.each<[string, string, string, string]>([
  ["adds a job", "SELECT 1", task(1, "WEB-1") + entryJob(1), "WEB-1"],
  ["finishes the task ahead", task(1, "WEB-1") + task(2, "WEB-2") + entryJob(2), finish(1), "WEB-2"],
  [
    "pauses the task ahead",
    task(1, "WEB-1") + task(2, "WEB-2") + entryJob(2),
    "UPDATE tasks SET paused_at = datetime('now') WHERE id = 1;",
    "WEB-2",
  ],
  ["clears the freeze", FREEZE + task(1, "WEB-1") + entryJob(1), THAW, "WEB-1"],
  [
    "finishes the dependency",
    `${task(1, "API-1", "review", "acme/api")}${task(2, "WEB-2")}${entryJob(2)}
       INSERT INTO job_deps(task_id, depends_on_task_id) VALUES (2, 1);`,
    finish(1, "cancelled"),
    "WEB-2",
  ],
])("wakes a waiting claim within a second when another program %s", async (_, before, change, workItem) => {
  const service = await startService();
  await write(service, before);
  expect(await claimAll(service)).toEqual([]);
  const waiting = service.post<Claim>("/jobs/claim", { wait_ms: 30_000 });
  await sleep(300);
  await write(service, change);
  const { value, ms } = await timed(waiting);
  expect(value.body.jobs.map((job) => job.work_item_id)).toEqual([workItem]);
  expect(ms).toBeLessThan(1_000);
});

const adopted = async (): Promise<TestService> =>
  startService({ DATABASE_URL: `file:${makeLegacy(join(temporaryFolder(), "orchestrator.db"))}` });

it("answers from the orchestrator's old database as it is", async () => {
  const { get } = await adopted();
  const on = (day: string): string => `2026-06-${day}.000Z`;
  const waits = { agent: "analyst", stage: "analysis", position: 1 };
  const calm = {
    running: [],
    freezes: [],
    paused: [],
    frozen: false,
    frozen_reason: null,
    frozen_at: null,
    stuck: [],
  };
  const degraded = "post-deploy DEGRADED: error rate 4.1%";
  const queued = {
    agent: "analyst",
    status: "queued",
    worker: null,
    progress: null,
    error: null,
    run_after: null,
    attempt: 0,
    max_attempts: 2,
  };
  const { body } = await get<Queue>("/queue");
  expect(body.jobs).toEqual({ queued: 6, delayed: 0, running: 0, done: 1, failed: 1, cancelled: 0 });
  expect(body.serial_gate.per_repo).toEqual({
    orchestrator: {
      ...calm,
      stuck: [
        { task_id: 3, work_item_id: "ORCH-116", because: "its job 2 (developer) failed: agent exited 1" },
      ],
      active_task: {
        task_id: 3,
        work_item_id: "ORCH-116",
        stage: "development",
        since: on("11T09:00:05"),
        job: {
          ...queued,
          job_id: 2,
          agent: "developer",
          status: "failed",
          error: "agent exited 1",
          attempt: 2,
          since: on("11T11:00:00"),
        },
      },
      waiting: [
        {
          ...waits,
          job_id: 3,
          task_id: 4,
          work_item_id: "ORCH-123",
          reason: "active-task",
          since: on("15T07:30:01"),
        },
      ],
    },
    "web-shop": {
      ...calm,
      active_task: {
        task_id: 5,
        work_item_id: "WEB-7",
        stage: "analysis",
        since: null,
        job: { ...queued, job_id: 4, since: on("15T08:00:01") },
      },
      waiting: [
        { ...waits, job_id: 4, task_id: 5, work_item_id: "WEB-7", reason: null, since: on("15T08:00:01") },
        {
          ...waits,
          job_id: 5,
          task_id: 6,
          work_item_id: "WEB-8",
          reason: "dependency",
          position: 2,
          since: on("15T08:05:01"),
        },
      ],
    },
    api: {
      ...calm,
      active_task: {
        task_id: 8,
        work_item_id: "API-2",
        stage: "analysis",
        since: null,
        job: { ...queued, job_id: 6, since: on("15T08:06:01") },
      },
      waiting: [
        {
          ...waits,
          job_id: 6,
          task_id: 8,
          work_item_id: "API-2",
          reason: "freeze",
          since: on("15T08:06:01"),
        },
        {
          ...waits,
          job_id: 8,
          task_id: null,
          work_item_id: null,
          stage: null,
          reason: "freeze",
          position: 2,
          since: on("15T18:11:00"),
        },
      ],
      freezes: [
        {
          freeze_id: 2,
          frozen_at: on("15T18:06:00"),
          reason: degraded,
          by: null,
          work_item_id: "API-1",
        },
      ],
      frozen: true,
      frozen_reason: degraded,
      frozen_at: on("15T18:06:00"),
    },
  });
});

it("hands out the ready jobs of the old database, oldest first", async () => {
  const service = await adopted();
  const claimed = await claimAll(service);
  expect(claimed).toMatchObject([
    { id: 4, task_id: 5, repo: "web-shop", work_item_id: "WEB-7", agent: "analyst", payload: null },
    { id: 7, task_id: null, repo: "api", work_item_id: null, agent: "deployer", stage: null },
  ]);
  expect(claimed.map(({ attempt, base }) => [attempt, base])).toEqual(
    Array(2).fill([1, { stale: false, overtaken_by: [] }]),
  );
  expect(await claimAll(service)).toEqual([]);
  const deployer = claimed[1];
  const done = await service.post("/jobs/7/complete", { lease_token: deployer?.lease.token, result: "ok" });
  expect(done.body).toMatchObject({ job: { status: "done", result: "ok" }, task: null, next: [] });
});

it("refuses a stage for a job without a task, and leaves the job unchanged", async () => {
  const service = await adopted();
  const [, deployer] = await claimAll(service);
  const lease_token = deployer?.lease.token;
  expectProblem(await service.post("/jobs/7/complete", { lease_token, stage: "done" }), {
    status: 400,
    code: "invalid_request",
    errors: [{ in: "body", pointer: "/stage", detail: expect.any(String) as unknown }],
  });
  expect((await service.get("/jobs/7")).body).toMatchObject({ job: { status: "running" } });
});

it("starts the urgent fix when the task that waits for input is paused", async () => {
  const service = await adopted();
  await claimAll(service);
  const { body } = await service.post("/serial-gate/pause?work_item=ORCH-116");
  expect(body).toMatchObject({ repo: "orchestrator", stage: "development", changed: true });
  expect(await claimAll(service)).toMatchObject([{ id: 3, work_item_id: "ORCH-123", payload: {} }]);
});

it("starts the frozen repository's jobs after an unfreeze, also the one without a task", async () => {
  const service = await adopted();
  await claimAll(service);
  expect((await service.post("/unfreeze?repo=api")).body).toMatchObject({ cleared: 1 });
  expect((await claimAll(service)).map(({ id }) => id)).toEqual([6, 8]);
});

it("lets the orchestrator keep writing to its own database", async () => {
  const service = await adopted();
  await claimAll(service);
  await write(
    service,
    `INSERT INTO tasks(plane_id, work_item_id, repo, branch, title, track)
         VALUES ('p-10', 'ORCH-124', 'orchestrator', 'feature/ORCH-124', 'park', 'bug');
       INSERT INTO jobs(agent, repo, task_id, task_content) VALUES ('analyst', 'orchestrator', 10, '{"a": 1}');
       UPDATE tasks SET stage = 'done' WHERE id IN (3, 4);`,
  );
  expect(await reasonsIn(service)).toMatchObject({ "ORCH-123": null, "ORCH-124": null });
  expect((await claimAll(service)).map(({ work_item_id, payload }) => [work_item_id, payload])).toEqual([
    ["ORCH-123", {}],
    ["ORCH-124", { a: 1 }],
  ]);
});

it("accepts the orchestrator's own names of the switches", async () => {
  const path = makeLegacy(join(temporaryFolder(), "orchestrator.db"));
  const service = await startService({
    DATABASE_URL: `file:${path}`,
    ORCH_SERIAL_GATE_REPOS: "api",
    ORCH_TASK_DEPS_ENABLED: "false",
  });
  expect(await reasonsIn(service)).toEqual({
    "ORCH-123": null,
    "WEB-7": null,
    "WEB-8": null,
    "API-2": "freeze",
    "job 8": "freeze",
  });
});
