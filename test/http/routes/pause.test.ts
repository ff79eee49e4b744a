import { describe, expect, it } from "vitest";
import type { PauseState } from "../../../src/contract/operations.ts";
import type { Task } from "../../../src/contract/tasks.ts";
import { A_TIME, AN_ID, invalidField, isolatedRepos, expectProblem, sleep } from "../../support/calls.ts";
import { shareService, startService } from "../../support/service.ts";

const shared = shareService();

it("pauses a task and releases the next one of its lane", async () => {
  const { web, add, pause, claim, lane, task: read } = isolatedRepos(shared());
  const { task } = await add("WEB-1", { stage: "development", entry_job: false });
  await add("WEB-2");
  expect(await claim()).toEqual([]);

  const { status, body } = await pause<PauseState>("WEB-1", { reason: "ждёт ответа" });
  expect(status).toBe(200);
  expect(body).toEqual({
    work_item_id: "WEB-1",
    repo: web,
    stage: "development",
    paused: true,
    paused_at: A_TIME,
    changed: true,
    task_id: AN_ID,
    still_claimable: false,
    in_force: true,
    not_in_force_because: null,
    effect: {
      now_claimable: [expect.objectContaining({ work_item_id: "WEB-2", reason: null })],
      now_held: [],
    },
  });
  const { paused_at } = body;
  expect((await read(task.id)).task).toEqual({
    ...task,
    paused_at,
    paused_by: null,
    pause_reason: "ждёт ответа",
    pause_until: null,
    updated_at: A_TIME,
  });
  expect((await lane()).paused).toEqual([
    {
      task_id: task.id,
      work_item_id: "WEB-1",
      stage: "development",
      paused_at,
      paused_by: null,
      pause_reason: "ждёт ответа",
    },
  ]);
  expect((await claim()).map((job) => job.work_item_id)).toEqual(["WEB-2"]);
});

it("keeps the first pause when a task is paused again", async () => {
  const { add, pause, task: read, revision } = isolatedRepos(shared());
  const { task } = await add("WEB-1");
  const first = await pause<PauseState>("WEB-1", { reason: "first" });
  const before = { rows: await read(task.id), revision: await revision() };
  const again = await pause<PauseState>("WEB-1", {
    reason: "second",
    until: "2099-01-01T00:00:00Z",
  });
  expect(again.status).toBe(200);
  expect(again.body).toEqual({ ...first.body, changed: false });
  expect({ rows: await read(task.id), revision: await revision() }).toEqual(before);
});

it("hands out the jobs of a paused task, its entry job included", async () => {
  const { add, pause, enqueue, claim } = isolatedRepos(shared());
  await add("WEB-1");
  await enqueue("WEB-1", "developer");
  await pause("WEB-1");
  expect((await claim({ max: 9 })).map((job) => job.agent)).toEqual(["analyst", "developer"]);
});

it("a pause bypasses neither a freeze nor a dependency", async () => {
  const { web, api, add, pause, reasons, claim } = isolatedRepos(shared());
  await add("API-1", { repo: api, entry_job: false });
  await add("WEB-1", { depends_on: [{ repo: api, work_item_id: "API-1" }] });
  await pause("WEB-1");
  expect(await reasons()).toEqual({ "WEB-1": "dependency" });
  await shared().post(`/freeze?repo=${web}`);
  expect(await reasons()).toEqual({ "WEB-1": "freeze" });
  expect(await claim()).toEqual([]);
});

it.each(["done", "cancelled"])("refuses to pause a task that is %s", async (stage) => {
  const { add, pause } = isolatedRepos(shared());
  await add("WEB-1", { stage });
  expectProblem(await pause("WEB-1"), { status: 409, code: "task_terminal" });
});

it("resumes a task when its pause ends", async () => {
  const { add, pause, claim, lane, task: read } = isolatedRepos(shared());
  const { task } = await add("WEB-1", { entry_job: false });
  await add("WEB-2");
  const until = new Date(Date.now() + 1_500).toISOString();
  await pause("WEB-1", { until });
  expect((await read(task.id)).task.pause_until).toBe(until);
  expect((await lane()).active_task?.work_item_id).toBe("WEB-2");
  await sleep(Date.parse(until) - Date.now() + 10);
  // The answer does not wait for a timer: what is due is done before it is decided.
  expect(await lane()).toMatchObject({
    active_task: { work_item_id: "WEB-1" },
    waiting: [{ work_item_id: "WEB-2", reason: "active-task" }],
    paused: [],
  });
  expect(await claim()).toEqual([]);
  expect((await read(task.id)).task).toMatchObject({ paused_at: null, pause_until: null });
});

it.each([
  ["the past", "2001-01-01T00:00:00Z"],
  ["no time", "soon"],
  ["a time without a zone", "2099-01-01T00:00:00"],
])("refuses a pause that ends in %s", async (_, until) => {
  const { add, pause, lane } = isolatedRepos(shared());
  await add("WEB-1");
  expectProblem(await pause("WEB-1", { until }), {
    status: 400,
    code: "invalid_request",
    errors: [invalidField("body", "/until")],
  });
  expect((await lane()).paused).toEqual([]);
});

it("resumes a task into its lane", async () => {
  const { web, add, pause, resume, claim, lane, task: read } = isolatedRepos(shared());
  const { task } = await add("WEB-1", { entry_job: false });
  await add("WEB-2");
  await pause("WEB-1", { reason: "for a while", until: "2099-01-01T00:00:00Z" });
  const { status, body } = await resume("WEB-1");
  expect(status).toBe(200);
  expect(body).toEqual({
    work_item_id: "WEB-1",
    repo: web,
    stage: "analysis",
    paused: false,
    paused_at: null,
    changed: true,
    task_id: AN_ID,
    still_claimable: false,
    in_force: true,
    not_in_force_because: null,
    effect: {
      now_claimable: [],
      now_held: [expect.objectContaining({ work_item_id: "WEB-2", reason: "active-task" })],
    },
  });
  expect((await read(task.id)).task).toEqual({ ...task, updated_at: A_TIME });
  expect(await lane()).toMatchObject({ active_task: { work_item_id: "WEB-1" }, paused: [] });
  expect(await claim()).toEqual([]);
});

it("a resume changes nothing when the task is not paused", async () => {
  const { add, resume, move, revision } = isolatedRepos(shared());
  const { task } = await add("WEB-1");
  for (const stage of ["analysis", "done"]) {
    await move(task, stage);
    const before = await revision();
    expect(await resume("WEB-1")).toMatchObject({
      status: 200,
      body: { stage, paused: false, paused_at: null, changed: false },
    });
    expect(await revision()).toBe(before);
  }
});

describe.each(["pause", "resume"] as const)("%s", (verb) => {
  it("finds a work item with a percent-encoded #", async () => {
    const { web, post } = { ...shared(), ...isolatedRepos(shared()) };
    await post("/tasks", { repo: web, work_item_id: `pino#${verb}` });
    expect(await post(`/serial-gate/${verb}?work_item=pino%23${verb}`)).toMatchObject({
      status: 200,
      body: { work_item_id: `pino#${verb}`, repo: web },
    });
  });

  it("answers unknown_work_item when no task of the repository has it", async () => {
    const { web, api, add } = isolatedRepos(shared());
    await add(`LONELY-${verb}`);
    for (const query of [`work_item=NO-SUCH-${verb}`, `work_item=LONELY-${verb}&repo=${api}`])
      expectProblem(await shared().post(`/serial-gate/${verb}?${query}`), {
        status: 404,
        code: "unknown_work_item",
      });
    expect((await shared().post(`/serial-gate/${verb}?work_item=LONELY-${verb}`)).body).toMatchObject({
      repo: web,
    });
  });

  it("answers ambiguous_work_item with the repositories that have it", async () => {
    const { web, api, add } = isolatedRepos(shared());
    await add(`TWIN-${verb}`);
    await add(`TWIN-${verb}`, { repo: api });
    expectProblem(await shared().post(`/serial-gate/${verb}?work_item=TWIN-${verb}`), {
      status: 409,
      code: "ambiguous_work_item",
      repos: [api, web],
      hint: expect.stringContaining("repo") as unknown,
    });
    expect(await shared().post(`/serial-gate/${verb}?work_item=TWIN-${verb}&repo=${api}`)).toMatchObject({
      status: 200,
      body: { repo: api },
    });
  });

  it.each([
    ["is missing", "", "/work_item"],
    ["is empty", "?work_item=", "/work_item"],
    ["comes twice", "?work_item=A&work_item=B", "/work_item"],
    ["comes with a key that is not known", "?work_item=A&work-item=B", "/work-item"],
    ["comes with a repository twice", "?work_item=A&repo=a&repo=b", "/repo"],
    ["comes with an empty repository", "?work_item=A&repo=", "/repo"],
  ])("refuses the query when it %s", async (_, query, pointer) => {
    expectProblem(await shared().post(`/serial-gate/${verb}${query}`), {
      status: 400,
      code: "invalid_request",
      errors: [invalidField("query", pointer)],
    });
  });
});

it("a pause survives a restart of the service", async () => {
  const first = await startService();
  const { add, pause } = isolatedRepos(first);
  const { task } = await add("WEB-1");
  await pause("WEB-1", { reason: "kept" });
  const parked = await first.get<{ task: Task }>(`/tasks/${task.id}`);
  await first.service.close();
  const second = await startService({ DATABASE_URL: first.databaseUrl });
  expect((await second.get(`/tasks/${task.id}`)).body).toEqual(parked.body);
  expect(parked.body.task.pause_reason).toBe("kept");
});
