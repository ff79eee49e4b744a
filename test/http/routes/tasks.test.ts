import { beforeAll, describe, expect, it } from "vitest";
import type { Job } from "../../../src/contract/jobs.ts";
import type { Queue } from "../../../src/contract/queue.ts";
import type { Task, TaskPage } from "../../../src/contract/tasks.ts";
import { A_TIME, AN_ID, invalidField, isolatedRepos, expectProblem } from "../../support/calls.ts";
import { shareService, startService } from "../../support/service.ts";

const shared = shareService();

interface Created {
  readonly task: Task;
  readonly job: Job | null;
}

const aTask = (repo: string) => ({
  id: AN_ID,
  repo,
  work_item_id: "WEB-1",
  title: null,
  stage: "analysis",
  depends_on: [],
  paused_at: null,
  paused_by: null,
  pause_reason: null,
  pause_until: null,
  cancelled_at: null,
  created_at: A_TIME,
  updated_at: A_TIME,
});

const itsEntryJob = (repo: string) => ({
  id: AN_ID,
  task_id: AN_ID,
  repo,
  work_item_id: "WEB-1",
  agent: "analyst",
  status: "queued",
  attempt: 0,
  max_attempts: 2,
  payload: null,
  result: null,
  error: null,
  progress: null,
  run_after: null,
  lease: null,
  created_at: A_TIME,
  started_at: null,
  finished_at: null,
});

it("creates a task and its entry job", async () => {
  const { web, task } = isolatedRepos(shared());
  const title = 'Срочно: "fix" 🚑';
  const created = { repo: web, work_item_id: "WEB-1", title };
  const { status, body } = await shared().post<Created>("/tasks", created);
  expect(status).toBe(201);
  expect(body).toEqual({ task: { ...aTask(web), title }, job: itsEntryJob(web) });
  expect(body.job?.task_id).toBe(body.task.id);
  expect(await task(body.task.id)).toEqual({ task: body.task, jobs: [body.job] });
});

it("answers a repeated creation with the existing task and changes nothing", async () => {
  const { web, add, revision } = isolatedRepos(shared());
  const first = await add("WEB-1", { title: "first" });
  await add("WEB-2");
  const before = await revision();
  const again = await shared().post("/tasks", {
    repo: web,
    work_item_id: "WEB-1",
    title: "second",
    stage: "development",
    depends_on: ["WEB-2", "no such item"],
    entry_job: { payload: "another" },
  });
  expect(again.status).toBe(200);
  expect(again.body).toEqual(first);
  expect(await revision()).toBe(before);
});

it("answers a repeated creation with the current task and entry job, also when they are finished", async () => {
  const { web, add } = isolatedRepos(shared());
  const { task, job } = await add("WEB-1");
  await shared().post(`/tasks/${task.id}/cancel`);
  const again = await shared().post("/tasks", { repo: web, work_item_id: "WEB-1" });
  expect(again.status).toBe(200);
  expect(again.body).toMatchObject({
    task: { id: task.id, stage: "cancelled" },
    job: { id: job.id, status: "cancelled" },
  });
});

it("creates one task under concurrent identical requests", async () => {
  const { post, get } = shared();
  const { web } = isolatedRepos(shared());
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => post<Created>("/tasks", { repo: web, work_item_id: "WEB-1" })),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([...Array<number>(19).fill(200), 201]);
  expect(new Set(answers.map(({ body }) => body.task.id)).size).toBe(1);
  expect((await get<Queue>(`/queue?repo=${web}`)).body.jobs.queued).toBe(1);
});

const BY_DEFAULT = { payload: null, max_attempts: 2, status: "queued" };
const TOLD = { payload: { deep: ["ok", 1, null, { "": "ключ" }] }, max_attempts: 7 };

it.each([
  ["left out", undefined, "analysis", BY_DEFAULT],
  ["true", true, "analysis", BY_DEFAULT],
  ["an empty object", {}, "analysis", BY_DEFAULT],
  ["a payload and attempts", TOLD, "analysis", { ...TOLD, status: "queued" }],
  ["true for a task that is under way", true, "development", BY_DEFAULT],
  ["false", false, "analysis", null],
  ["left out for a task that is done", undefined, "done", null],
  ["false for a task that is cancelled", false, "cancelled", null],
])("enqueues the expected entry job when entry_job is %s", async (_, entry_job, stage, expected) => {
  const { add, task } = isolatedRepos(shared());
  const created = await add("WEB-1", { stage, entry_job });
  if (expected === null) expect(created.job).toBeNull();
  else expect(created.job).toMatchObject(expected);
  expect((await task(created.task.id)).jobs).toHaveLength(expected === null ? 0 : 1);
});

it.each(["done", "cancelled"])("refuses an entry job for a new task that is %s", async (stage) => {
  const { post, get } = shared();
  const { web } = isolatedRepos(shared());
  expectProblem(await post("/tasks", { repo: web, work_item_id: "WEB-1", stage, entry_job: true }), {
    status: 409,
    code: "task_terminal",
    errors: [invalidField("body", "/entry_job")],
  });
  expect((await get<TaskPage>(`/tasks?repo=${web}`)).body.tasks).toEqual([]);
});

it("sets cancelled_at for a task that is created as cancelled", async () => {
  const { web, add } = isolatedRepos(shared());
  const { task } = await add("WEB-1", { stage: "cancelled" });
  expect(task).toEqual({ ...aTask(web), stage: "cancelled", cancelled_at: A_TIME });
});

it.each([
  ["owner/name", "pino#4"],
  ["name", "ORCH-124"],
  ["group/sub.group/na-me_1", "a work item with spaces"],
  ["a", "срочно/1?x=1&y=%20"],
])("stores and finds the repository %s and the work item %s", async (repo, work_item_id) => {
  const { post, get } = shared();
  expect((await post("/tasks", { repo, work_item_id })).status).toBe(201);
  const query = new URLSearchParams({ repo, work_item: work_item_id });
  expect((await get<TaskPage>(`/tasks?${query.toString()}`)).body.tasks).toMatchObject([
    { repo, work_item_id },
  ]);
});

it.each([
  ["repo", ""],
  ["repo", "acme web"],
  ["repo", " acme/web"],
  ["repo", "acme//web"],
  ["repo", "/web"],
  ["repo", "acme/"],
  ["repo", "acme/веб"],
  ["repo", "r".repeat(201)],
  ["work_item_id", ""],
  ["work_item_id", " WEB-1"],
  ["work_item_id", "WEB-1\n"],
  ["work_item_id", "WEB\u00001"],
  ["work_item_id", "w".repeat(201)],
  ["stage", ""],
  ["stage", "Done"],
  ["stage", "in progress"],
])("refuses a task with %s %j", async (field, value) => {
  const answer = await shared().post("/tasks", { repo: "acme/web", work_item_id: "WEB-1", [field]: value });
  expectProblem(answer, {
    status: 400,
    code: "invalid_request",
    errors: [invalidField("body", `/${field}`)],
  });
});

describe("task dependencies", () => {
  const withTwins = shareService();
  const API_1 = { task_id: AN_ID, repo: "acme/api", work_item_id: "API-1", stage: "analysis" };
  const TWIN = { ...API_1, work_item_id: "TWIN" };
  let tasks = 0;
  const create = (depends_on: unknown) =>
    withTwins().post<Created>("/tasks", { repo: "acme/web", work_item_id: `WEB-${++tasks}`, depends_on });

  beforeAll(async () => {
    for (const [repo, work_item_id] of [
      ["acme/web", "OWN"],
      ["acme/web", "TWIN"],
      ["acme/api", "API-1"],
      ["acme/api", "TWIN"],
      ["acme/api", "ELSEWHERE"],
      ["acme/app", "ELSEWHERE"],
    ])
      await withTwins().post("/tasks", { repo, work_item_id, entry_job: false });
  });

  it.each([
    ["a work item of its own repository", ["OWN"], [{ ...API_1, repo: "acme/web", work_item_id: "OWN" }]],
    ["a work item of the one other repository that has it", ["API-1"], [API_1]],
    ["a work item named with its repository", [{ repo: "acme/api", work_item_id: "API-1" }], [API_1]],
    ["its own repository's work item when others have it too", ["TWIN"], [{ ...TWIN, repo: "acme/web" }]],
    ["another repository's work item, named with it", [{ repo: "acme/api", work_item_id: "TWIN" }], [TWIN]],
    ["one work item named twice", ["API-1", { repo: "acme/api", work_item_id: "API-1" }], [API_1]],
    ["an empty list", [], []],
  ])("accepts as a dependency: %s", async (_, depends_on, expected) => {
    const { status, body } = await create(depends_on);
    expect(status).toBe(201);
    expect(body.task.depends_on).toEqual(expected);
    expect((await withTwins().get(`/tasks/${body.task.id}`)).body).toMatchObject({ task: body.task });
  });

  it.each([
    ["a work item that no task has", ["NOWHERE"], 0],
    ["an unknown one after a known one", ["API-1", "NOWHERE"], 1],
    ["a work item that the named repository lacks", [{ repo: "acme/web", work_item_id: "API-1" }], 0],
    ["a work item of an unknown repository", [{ repo: "acme/none", work_item_id: "API-1" }], 0],
  ])("refuses as a dependency: %s", async (_, depends_on, index) => {
    expectProblem(await create(depends_on), {
      status: 404,
      code: "unknown_work_item",
      errors: [invalidField("body", `/depends_on/${index}`)],
    });
    expect((await withTwins().get<TaskPage>(`/tasks?work_item=WEB-${tasks}`)).body.tasks).toEqual([]);
  });

  it("refuses a task that depends on itself", async () => {
    const answer = await withTwins().post("/tasks", {
      repo: "acme/web",
      work_item_id: "SELF",
      depends_on: ["SELF"],
    });
    expectProblem(answer, {
      status: 409,
      code: "dependency_cycle",
      path: ["SELF", "SELF"],
      errors: [invalidField("body", "/depends_on/0")],
    });
  });

  it("asks for the repository of an ambiguous dependency and lists the candidates", async () => {
    expectProblem(await create(["ELSEWHERE"]), {
      status: 409,
      code: "ambiguous_work_item",
      repos: ["acme/api", "acme/app"],
      errors: [invalidField("body", "/depends_on/0")],
      hint: expect.stringContaining("repo"),
    });
  });

  it("holds a task until its dependencies are finished, also while they are paused", async () => {
    const { web, api, add, move, pause, claim, next } = isolatedRepos(shared());
    const { task } = await add("WEB-1", { entry_job: false });
    await add("API-1", { repo: api, depends_on: [{ repo: web, work_item_id: "WEB-1" }] });
    await pause("WEB-1");
    expect(await claim()).toEqual([]);
    await move(task, "done");
    expect((await next()).work_item_id).toBe("API-1");
  });
});

describe("task list", () => {
  const listing = shareService();

  beforeAll(async () => {
    for (const [repo, work_item_id, stage] of [
      ["acme/web", "WEB-1", "development"],
      ["acme/web", "WEB-2", "analysis"],
      ["acme/api", "API-1", "analysis"],
      ["acme/api", "WEB-1", "analysis"],
      ["acme/api", "API-2", "done"],
    ])
      await listing().post("/tasks", { repo, work_item_id, stage });
    await listing().post("/serial-gate/pause?work_item=WEB-2");
  });

  const workItems = (tasks: readonly Task[]): (string | null)[] =>
    tasks.map(({ work_item_id }) => work_item_id);

  it.each([
    ["all tasks", "", ["WEB-1", "WEB-2", "API-1", "WEB-1", "API-2"]],
    ["a repository's tasks", "?repo=acme/web", ["WEB-1", "WEB-2"]],
    ["a repository's tasks in a stage", "?repo=acme%2Fweb&stage=analysis", ["WEB-2"]],
    ["the tasks in a stage", "?stage=analysis", ["WEB-2", "API-1", "WEB-1"]],
    ["the finished tasks", "?stage=done", ["API-2"]],
    ["the paused tasks", "?paused=true", ["WEB-2"]],
    ["a repository's tasks that are not paused", "?paused=false&repo=acme/web", ["WEB-1"]],
    ["a work item's tasks in all repositories", "?work_item=WEB-1", ["WEB-1", "WEB-1"]],
    ["a work item's task in one repository", "?work_item=WEB-1&repo=acme/api", ["WEB-1"]],
    ["no task by the beginning of its work item", "?work_item=WEB", []],
    ["no task of an unknown repository", "?repo=acme/none", []],
  ])("lists %s by id (%s)", async (_, query, expected) => {
    const { status, body } = await listing().get<TaskPage>(`/tasks${query}`);
    expect(status).toBe(200);
    expect(body).toEqual({ tasks: expect.any(Array) as unknown, next_cursor: null });
    expect(workItems(body.tasks)).toEqual(expected);
  });

  it("lists each task exactly as GET /tasks/{id} returns it", async () => {
    const { get } = listing();
    for (const task of (await get<TaskPage>("/tasks")).body.tasks)
      expect((await get(`/tasks/${task.id}`)).body).toMatchObject({ task });
  });

  it.each([1, 2, 3, 5, 500])("pages through the tasks %i at a time, each task once", async (limit) => {
    const seen: unknown[] = [];
    let query = `limit=${limit}`;
    for (let pages = 0; query !== "" && pages < 10; pages += 1) {
      const { body } = await listing().get<TaskPage>(`/tasks?${query}`);
      expect(body.tasks.length).toBeLessThanOrEqual(limit);
      seen.push(...workItems(body.tasks));
      query = body.next_cursor === null ? "" : `limit=${limit}&cursor=${body.next_cursor}`;
    }
    expect(query).toBe("");
    expect(seen).toEqual(["WEB-1", "WEB-2", "API-1", "WEB-1", "API-2"]);
  });

  it("continues after the cursor with tasks created in between", async () => {
    const { add, web } = isolatedRepos(shared());
    await add("WEB-1");
    await add("WEB-2");
    const { body } = await shared().get<TaskPage>(`/tasks?repo=${web}&limit=1`);
    await add("WEB-3");
    const rest = await shared().get<TaskPage>(`/tasks?repo=${web}&cursor=${body.next_cursor ?? ""}`);
    expect(workItems(rest.body.tasks)).toEqual(["WEB-2", "WEB-3"]);
  });
});

it("returns a task with all of its jobs by id", async () => {
  const { add, enqueue } = isolatedRepos(shared());
  const { task, job } = await add("WEB-1");
  await add("WEB-2");
  const later = await enqueue("WEB-1", "developer");
  expect((await shared().get(`/tasks/${task.id}`)).body).toEqual({ task, jobs: [job, later] });
});

it("moves a task to a stage", async () => {
  const { add, move } = isolatedRepos(shared());
  const { task } = await add("WEB-1");
  const { status, body } = await move(task, "development");
  expect(status).toBe(200);
  expect(body).toEqual({
    task: { ...task, stage: "development", updated_at: A_TIME },
    effect: { now_claimable: [], now_held: [] },
    cancelled_jobs: [],
    left_jobs: [],
  });
});

it("accepts the current stage again, also a terminal one, and changes nothing", async () => {
  const { add, move, revision } = isolatedRepos(shared());
  const { task } = await add("WEB-1");
  for (const stage of ["analysis", "done"]) {
    const { body } = await move(task, stage);
    const before = await revision();
    expect(await move(task, stage)).toMatchObject({ status: 200, body: { ...body, cancelled_jobs: [] } });
    expect(await revision()).toBe(before);
  }
});

it.each([
  ["done", "development"],
  ["done", "cancelled"],
  ["cancelled", "analysis"],
  ["cancelled", "done"],
])("refuses to move a task from %s to %s", async (from, to) => {
  const isolated = isolatedRepos(shared());
  const { task } = await isolated.add("WEB-1", { stage: from });
  expectProblem(await isolated.move(task, to), { status: 409, code: "task_terminal" });
  expect((await isolated.task(task.id)).task).toEqual(task);
});

it("cancels a task that is moved to cancelled", async () => {
  const isolated = isolatedRepos(shared());
  const { task, job } = await isolated.add("WEB-1");
  const { body } = await isolated.move(task, "cancelled");
  expect(body.task).toEqual({ ...task, stage: "cancelled", cancelled_at: A_TIME, updated_at: A_TIME });
  expect((await isolated.job(job.id)).status).toBe("cancelled");
});

it.each(["done", "cancelled"])(
  "releases the next task of the lane when a task moves to %s",
  async (stage) => {
    const { add, move, claim, next } = isolatedRepos(shared());
    const { task } = await add("WEB-1", { entry_job: false });
    await add("WEB-2");
    expect(await claim()).toEqual([]);
    await move(task, stage);
    expect((await next()).work_item_id).toBe("WEB-2");
  },
);

it("cancels the queued and delayed jobs of a task and leaves its other jobs", async () => {
  const { add, enqueue, next, claim, report, task: read } = isolatedRepos(shared());
  const { task } = await add("WEB-1");
  const running = await next();
  const queued = await enqueue("WEB-1", "developer");
  const run_after = new Date(Date.now() + 3_600_000).toISOString();
  const delayed = await enqueue("WEB-1", "developer", { run_after });
  const done = await enqueue("WEB-1", "tester");
  await report(await next({ agents: ["tester"] }), "complete");

  const { status, body } = await shared().post(`/tasks/${task.id}/cancel`);
  expect(status).toBe(200);
  expect(body).toEqual({
    task: { ...task, stage: "cancelled", cancelled_at: A_TIME, updated_at: A_TIME },
    effect: { now_claimable: [], now_held: [] },
    cancelled_jobs: [queued, delayed].map(({ id, agent }) => ({ job_id: id, agent, status: "cancelled" })),
    left_jobs: [],
  });
  const { jobs } = await read(task.id);
  expect(jobs.map((job) => [job.id, job.status, job.finished_at])).toEqual([
    [running.id, "running", null],
    [queued.id, "cancelled", A_TIME],
    [delayed.id, "cancelled", A_TIME],
    [done.id, "done", A_TIME],
  ]);
  expect(await claim()).toEqual([]);
});

it("answers a second cancel with the same task, no job left to cancel, and changes nothing", async () => {
  const { add, revision } = isolatedRepos(shared());
  const { task } = await add("WEB-1");
  const { body } = await shared().post(`/tasks/${task.id}/cancel`);
  const before = await revision();
  const again = await shared().post(`/tasks/${task.id}/cancel`);
  expect(again).toMatchObject({ status: 200, body: { ...(body as object), cancelled_jobs: [] } });
  expect(await revision()).toBe(before);
});

it("refuses to cancel a task that is done", async () => {
  const { task } = await isolatedRepos(shared()).add("WEB-1", { stage: "done" });
  expectProblem(await shared().post(`/tasks/${task.id}/cancel`), { status: 409, code: "task_terminal" });
});

it.each([
  ["GET", "/tasks/123456789", undefined],
  ["PATCH", "/tasks/123456789", { stage: "done" }],
  ["POST", "/tasks/123456789/cancel", undefined],
])("%s %s answers unknown_task for an unknown id", async (method, path, body) => {
  expectProblem(await shared().call(method, path, body), { status: 404, code: "unknown_task" });
});

it("keeps acknowledged changes after a restart on the same file", async () => {
  const first = await startService();
  const isolated = isolatedRepos(first);
  const { task, job } = await isolated.add("WEB-1", { title: "kept", entry_job: { payload: { a: 1 } } });
  await first.service.close();
  const second = await startService({ DATABASE_URL: first.databaseUrl });
  expect((await second.get(`/tasks/${task.id}`)).body).toEqual({ task, jobs: [job] });
});
