import { expect, it } from "vitest";
import type { Job } from "../../../src/contract/jobs.ts";
import type { Queue } from "../../../src/contract/queue.ts";
import type { Task } from "../../../src/contract/tasks.ts";
import {
  A_TIME,
  AN_ID,
  invalidField,
  isolatedRepos,
  expectProblem,
  SOME_TEXT,
  type IsolatedRepos,
} from "../../support/calls.ts";
import { shareService } from "../../support/service.ts";

const shared = shareService();
const later = (ms: number): string => new Date(Date.now() + ms).toISOString();

it("enqueues a job for a task", async () => {
  const { web, add } = isolatedRepos(shared());
  const { task } = await add("WEB-1", { entry_job: false });
  const { status, body } = await shared().post<{ job: Job }>("/jobs", {
    repo: web,
    work_item_id: "WEB-1",
    agent: "developer",
    payload: { прompt: "fix", depth: [1, [2, null]] },
    max_attempts: 3,
  });
  expect(status).toBe(201);
  expect(body).toEqual({
    job: {
      id: AN_ID,
      task_id: task.id,
      repo: web,
      work_item_id: "WEB-1",
      agent: "developer",
      status: "queued",
      attempt: 0,
      max_attempts: 3,
      payload: { прompt: "fix", depth: [1, [2, null]] },
      result: null,
      error: null,
      progress: null,
      run_after: null,
      lease: null,
      created_at: A_TIME,
      started_at: null,
      finished_at: null,
    },
  });
  expect((await shared().get(`/jobs/${body.job.id}`)).body).toEqual(body);
});

it.each([
  ["null", null],
  ["false", false],
  ["zero", 0],
  ["an empty text", ""],
  ["a text", "just words"],
  ["a text that looks like JSON", '{"a": 1}'],
  ["a fraction", 1.5],
  ["a large number", 2 ** 53 - 1],
  ["an empty list", []],
  ["nested lists and objects", [{ a: { b: [null, true, "ж"] } }]],
])("hands a payload that is %s unchanged to the worker", async (_, payload) => {
  const { add, enqueue, next } = isolatedRepos(shared());
  await add("WEB-1", { entry_job: false });
  expect((await enqueue("WEB-1", "developer", { payload })).payload).toEqual(payload);
  expect(await next()).toMatchObject({ payload });
});

it("delays a job until its run_after and then hands it out", async () => {
  const { add, enqueue, claim, next } = isolatedRepos(shared());
  await add("WEB-1", { entry_job: false });
  const run_after = later(1_500);
  const delayed = await enqueue("WEB-1", "developer", { run_after });
  expect(delayed).toMatchObject({ status: "delayed", run_after });
  expect(await claim()).toEqual([]);
  const job = await next({ wait_ms: 20_000 });
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(run_after));
  expect(job).toMatchObject({ id: delayed.id, attempt: 1 });
});

it("keeps the task of a delayed entry job at the head of its lane", async () => {
  const { add, enqueue, claim, lane } = isolatedRepos(shared());
  await add("WEB-1", { entry_job: false });
  await add("WEB-2");
  const entry = await enqueue("WEB-1", "analyst", { run_after: later(3_600_000) });
  expect(entry.status).toBe("delayed");
  expect(await claim()).toEqual([]);
  expect((await lane()).active_task?.work_item_id).toBe("WEB-1");
});

it.each([
  ["another zone", "2099-01-01T02:00:00+02:00", { status: "delayed", run_after: "2099-01-01T00:00:00.000Z" }],
  ["the past", "2001-01-01T00:00:00Z", { status: "queued", run_after: "2001-01-01T00:00:00.000Z" }],
])("accepts a run_after in %s", async (_, run_after, expected) => {
  const { add, enqueue } = isolatedRepos(shared());
  await add("WEB-1", { entry_job: false });
  expect(await enqueue("WEB-1", "developer", { run_after })).toMatchObject(expected);
});

it.each(["2099-01-01", "2099-01-01T00:00:00", "2099-02-30T00:00:00Z", "tomorrow", ""])(
  "refuses %j as a run_after",
  async (run_after) => {
    const job = { repo: "acme/web", work_item_id: "WEB-1", agent: "developer", run_after };
    expectProblem(await shared().post("/jobs", job), {
      status: 400,
      code: "invalid_request",
      errors: [invalidField("body", "/run_after")],
    });
  },
);

it("answers unknown_work_item when no task of the repository has the work item", async () => {
  const { web, api, add } = isolatedRepos(shared());
  await add("WEB-1");
  const answer = await shared().post("/jobs", { repo: api, work_item_id: "WEB-1", agent: "developer" });
  expectProblem(answer, { status: 404, code: "unknown_work_item", detail: expect.stringContaining(api) });
  expect((await shared().get<Queue>(`/queue?repo=${web}`)).body.jobs.queued).toBe(1);
});

it.each([
  ["an entry job", "analyst", "done", 409],
  ["an entry job", "analyst", "cancelled", 409],
  ["a job", "developer", "cancelled", 409],
  ["a job after the end", "deployer", "done", 201],
])("answers %s (%s) for a %s task with %i", async (_, agent, stage, status) => {
  const { web, add } = isolatedRepos(shared());
  await add("WEB-1", { stage });
  const answer = await shared().post("/jobs", { repo: web, work_item_id: "WEB-1", agent });
  expect(answer.status).toBe(status);
  if (status === 409) expectProblem(answer, { status, code: "task_terminal" });
});

const retry = (id: number) => shared().post<{ job: Job }>(`/jobs/${id}/retry`);

it("requeues a failed job with one more attempt", async () => {
  const { add, next, claim, report } = isolatedRepos(shared());
  const { job } = await add("WEB-1", { entry_job: { max_attempts: 1 } });
  await report(await next(), "fail", { error: "broken" });
  expect(await claim()).toEqual([]);

  const { status, body } = await retry(job.id);
  expect(status).toBe(200);
  expect(body).toEqual({
    job: { ...job, attempt: 1, max_attempts: 2, error: "broken", started_at: A_TIME },
    effect: {
      now_claimable: [expect.objectContaining({ job_id: job.id, reason: null })],
      now_held: [],
    },
  });

  const again = await next();
  expect(again).toMatchObject({ id: job.id, attempt: 2, max_attempts: 2 });
  const failed = await report(again, "fail", { error: "still broken" });
  expect(failed.body).toMatchObject({ job: { status: "failed", attempt: 2, error: "still broken" } });
  expect((await retry(job.id)).body.job.max_attempts).toBe(3);
});

it("keeps max_attempts when the failed job had attempts left", async () => {
  const { add, next, report } = isolatedRepos(shared());
  const { job } = await add("WEB-1", { entry_job: { max_attempts: 5 } });
  await report(await next(), "fail", { error: "hopeless", retry: false });
  expect((await retry(job.id)).body.job).toMatchObject({ attempt: 1, max_attempts: 5 });
});

const bring: Readonly<Record<string, (isolated: IsolatedRepos, task: Task) => Promise<unknown>>> = {
  queued: () => Promise.resolve(),
  running: ({ next }) => next(),
  delayed: async ({ next, report }) => report(await next(), "fail", { error: "broken" }),
  done: async ({ next, report }) => report(await next(), "complete"),
  cancelled: ({ move }, task) => move(task, "cancelled"),
};

it.each(Object.entries(bring))("refuses to retry a job that is %s", async (status, bringThere) => {
  const isolated = isolatedRepos(shared());
  const { job, task } = await isolated.add("WEB-1");
  await bringThere(isolated, task);
  expect((await isolated.job(job.id)).status).toBe(status);
  const detail: unknown = expect.stringContaining(status);
  expectProblem(await retry(job.id), { status: 409, code: "job_not_failed", detail });
});

it("refuses to retry a failed job of a cancelled task", async () => {
  const { add, next, report, move } = isolatedRepos(shared());
  const { task, job } = await add("WEB-1");
  await report(await next(), "fail", { error: "broken", retry: false });
  await move(task, "cancelled");
  expectProblem(await retry(job.id), { status: 409, code: "task_terminal" });
});

it.each([
  ["GET", "", undefined],
  ["POST", "/heartbeat", { lease_token: "t" }],
  ["POST", "/complete", { lease_token: "t" }],
  ["POST", "/fail", { lease_token: "t", error: "e" }],
  ["POST", "/release", { lease_token: "t" }],
  ["POST", "/retry", undefined],
])("%s /jobs/{id}%s answers unknown_job for an unknown id", async (method, verb, body) => {
  const answer = await shared().call(method, `/jobs/123456789${verb}`, body);
  expectProblem(answer, { status: 404, code: "unknown_job", detail: SOME_TEXT });
});
