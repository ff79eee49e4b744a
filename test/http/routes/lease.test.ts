import { expect, it } from "vitest";
import type { ChangedJob, ClaimedJob, Job, Lease } from "../../../src/contract/jobs.ts";
import type { Task } from "../../../src/contract/tasks.ts";
import {
  A_TIME,
  AN_ID,
  invalidField,
  isolatedRepos,
  expectProblem,
  sleep,
  type IsolatedRepos,
} from "../../support/calls.ts";
import { shareService } from "../../support/service.ts";

const shared = shareService();

interface Completed {
  readonly job: Job;
  readonly task: Task;
  readonly next: Job[];
}

it("a heartbeat renews the lease by its own length under the same token", async () => {
  const { add, next, report, job } = isolatedRepos(shared());
  await add("WEB-1");
  const claimed = await next({ lease_ms: 7_200_000 });
  const from = Date.now();
  const { status, body } = await report<{ lease: Lease }>(claimed, "heartbeat");
  expect(status).toBe(200);
  expect(body).toEqual({ lease: { token: claimed.lease.token, expires_at: A_TIME } });
  expect(Date.parse(body.lease.expires_at) - from).toBeGreaterThanOrEqual(7_200_000);
  expect((await job(claimed.id)).lease?.expires_at).toBe(body.lease.expires_at);
});

it("a heartbeat sets a longer or shorter lease", async () => {
  const { add, next, report } = isolatedRepos(shared());
  await add("WEB-1");
  const claimed = await next();
  for (const lease_ms of [3_600_000, 1_000]) {
    const from = Date.now();
    const { body } = await report<{ lease: Lease }>(claimed, "heartbeat", { lease_ms });
    const expires = Date.parse(body.lease.expires_at);
    expect(expires - from).toBeGreaterThanOrEqual(lease_ms);
    expect(expires - Date.now()).toBeLessThanOrEqual(lease_ms);
  }
});

it("heartbeats keep a job for longer than one lease", async () => {
  const { add, next, claim, report } = isolatedRepos(shared());
  await add("WEB-1");
  const claimed = await next({ lease_ms: 3_000 });
  for (let beats = 0; beats < 4; beats += 1) {
    await sleep(1_000);
    expect((await report(claimed, "heartbeat", { lease_ms: 3_000 })).status).toBe(200);
  }
  expect(await claim()).toEqual([]);
});

it("a completion moves the task and enqueues the next jobs", async () => {
  const { web, add, next, claim, report, task: read } = isolatedRepos(shared());
  const { task, job } = await add("WEB-1");
  const { status, body } = await report<Completed>(await next({ worker: "w-1" }), "complete", {
    result: { summary: "готово" },
    stage: "development",
    next: [{ agent: "developer", payload: { n: 1 } }, { agent: "tester" }],
  });
  expect(status).toBe(200);
  const enqueued = { ...job, id: AN_ID, created_at: A_TIME };
  expect(body).toEqual({
    job: {
      ...job,
      status: "done",
      attempt: 1,
      result: { summary: "готово" },
      started_at: A_TIME,
      finished_at: A_TIME,
    },
    task: { ...task, stage: "development", updated_at: A_TIME },
    next: [
      { ...enqueued, agent: "developer", payload: { n: 1 } },
      { ...enqueued, agent: "tester" },
    ],
    cancelled_jobs: [],
    left_jobs: [],
  });
  expect(await read(task.id)).toEqual({ task: body.task, jobs: [body.job, ...body.next] });
  const jobs = await claim({ max: 10, repos: [web] });
  expect(jobs.map(({ agent, stage }) => [agent, stage])).toEqual([
    ["developer", "development"],
    ["tester", "development"],
  ]);
});

it("completes a job without a result, a stage or a next job", async () => {
  const { add, next, report } = isolatedRepos(shared());
  const { task } = await add("WEB-1");
  const { status, body } = await report<Completed>(await next(), "complete");
  expect(status).toBe(200);
  expect(body).toMatchObject({ job: { status: "done", result: null }, next: [] });
  expect(body.task).toEqual(task);
});

it("a completion with the current stage leaves the task unchanged", async () => {
  const { add, next, report } = isolatedRepos(shared());
  const { task } = await add("WEB-1");
  const { body } = await report<Completed>(await next(), "complete", { stage: "analysis" });
  expect(body.task).toEqual(task);
});

it("a completion with a terminal stage releases the next task of the lane", async () => {
  const { add, next, claim, report } = isolatedRepos(shared());
  await add("WEB-1");
  await add("WEB-2");
  const first = await next();
  expect(await claim()).toEqual([]);
  await report(first, "complete", { stage: "done" });
  expect((await next()).work_item_id).toBe("WEB-2");
});

it.each([
  ["done", "review", "task_terminal"],
  ["done", "cancelled", "task_terminal"],
  ["cancelled", "review", "task_cancelled"],
])("refuses a completion whose task is %s by now and should move to %s", async (stage, wanted, code) => {
  const { add, next, move, report, task: read, revision } = isolatedRepos(shared());
  const { task } = await add("WEB-1");
  const claimed = await next();
  await move(task, stage);
  const before = { rows: await read(task.id), revision: await revision() };
  expectProblem(
    await report(claimed, "complete", { result: "lost", stage: wanted, next: [{ agent: "developer" }] }),
    { status: 409, code },
  );
  expect({ rows: await read(task.id), revision: await revision() }).toEqual(before);
  expect(before.rows.jobs).toMatchObject([{ status: "running", result: null }]);
  // The lease is still there: the worker may end the job in another way.
  expect((await report(claimed, "complete")).status).toBe(200);
});

it("a completion that cancels its task enqueues no next job", async () => {
  const { add, next, report, task: read } = isolatedRepos(shared());
  const { task } = await add("WEB-1");
  const claimed = await next();
  const refused = await report(claimed, "complete", { stage: "cancelled", next: [{ agent: "developer" }] });
  expectProblem(refused, { status: 409, code: "task_cancelled" });
  const { body } = await report<Completed>(claimed, "complete", { stage: "cancelled" });
  expect(body.task).toMatchObject({ stage: "cancelled", cancelled_at: A_TIME });
  expect((await read(task.id)).jobs).toMatchObject([{ status: "done" }]);
});

it("enqueues no job when one of the next jobs is invalid", async () => {
  const { add, next, report, task: read } = isolatedRepos(shared());
  const { task } = await add("WEB-1");
  const claimed = await next();
  expectProblem(await report(claimed, "complete", { next: [{ agent: "developer" }, { agent: "" }] }), {
    status: 400,
    code: "invalid_request",
    errors: [invalidField("body", "/next/1/agent")],
  });
  expect((await read(task.id)).jobs).toMatchObject([{ status: "running" }]);
});

it("delays a failed job by about five seconds and fails it after its last attempt", async () => {
  const { add, next, claim, report, lane } = isolatedRepos(shared());
  const { job } = await add("WEB-1");
  await add("WEB-2");
  const claimed = await next();
  const from = Date.now();
  const { status, body } = await report<{ job: Job }>(claimed, "fail", { error: "exited with 1" });
  const to = Date.now();
  expect(status).toBe(200);
  expect(body.job).toEqual({
    ...job,
    status: "delayed",
    attempt: 1,
    error: "exited with 1",
    run_after: A_TIME,
    started_at: A_TIME,
  });
  // A fifth of jitter either way.
  const due = Date.parse(body.job.run_after ?? "");
  expect(due).toBeGreaterThanOrEqual(from + 4_000);
  expect(due).toBeLessThanOrEqual(to + 6_000);
  // The task keeps its lane, and the job its place.
  expect(await claim()).toEqual([]);
  expect((await lane()).active_task?.work_item_id).toBe("WEB-1");

  const again = await next({ wait_ms: 20_000 });
  expect(again).toMatchObject({ id: job.id, attempt: 2 });
  expect(Date.now()).toBeGreaterThanOrEqual(due);
  const last = await report<{ job: Job }>(again, "fail", { error: "exited with 2" });
  expect(last.body.job).toMatchObject({
    status: "failed",
    attempt: 2,
    error: "exited with 2",
    finished_at: A_TIME,
    lease: null,
  });
  expect(await claim()).toEqual([]);
});

it("fails a job at once when retry is false", async () => {
  const { add, next, report } = isolatedRepos(shared());
  await add("WEB-1", { entry_job: { max_attempts: 9 } });
  const { body } = await report(await next(), "fail", { error: "no such branch", retry: false });
  expect(body).toMatchObject({ job: { status: "failed", attempt: 1, max_attempts: 9 } });
});

it("refuses a failure without an error", async () => {
  const { add, next, report } = isolatedRepos(shared());
  await add("WEB-1");
  expectProblem(await report(await next(), "fail"), {
    status: 400,
    code: "invalid_request",
    errors: [invalidField("body", "/error")],
  });
});

it("keeps the last error of a job until it is done", async () => {
  const { add, next, report, job } = isolatedRepos(shared());
  await add("WEB-1", { entry_job: { max_attempts: 1 } });
  const first = await next();
  await report(first, "fail", { error: "at first" });
  await shared().post(`/jobs/${first.id}/retry`);
  expect((await job(first.id)).error).toBe("at first");
  expect((await report(await next(), "complete")).body).toMatchObject({ job: { error: null } });
});

it("a release makes the job as if it had not been claimed", async () => {
  const { add, next, report } = isolatedRepos(shared());
  const { job } = await add("WEB-1", { entry_job: { max_attempts: 1 } });
  for (let rounds = 0; rounds < 3; rounds += 1) {
    const claimed = await next();
    expect(claimed.attempt).toBe(1);
    const { status, body } = await report(claimed, "release");
    expect(status).toBe(200);
    expect(body).toMatchObject({ job, effect: { now_held: [] } });
  }
});

it("a released job keeps its place before younger jobs", async () => {
  const { add, enqueue, next, report } = isolatedRepos(shared());
  const { job } = await add("WEB-1");
  await enqueue("WEB-1", "developer");
  await report(await next(), "release");
  expect((await next()).id).toBe(job.id);
});

const VERBS = [
  ["heartbeat", {}],
  ["complete", { result: "late", stage: "done", next: [{ agent: "developer" }] }],
  ["fail", { error: "late" }],
  ["release", {}],
] as const;

const LOST: Readonly<Record<string, (isolated: IsolatedRepos, job: ClaimedJob) => Promise<unknown>>> = {
  "after its end": async () => sleep(1_050),
  "after its release": ({ report }, job) => report(job, "release"),
  "after its completion": ({ report }, job) => report(job, "complete"),
  "after its failure": ({ report }, job) => report(job, "fail", { error: "e" }),
  "once the job is another's": async ({ report, next }, job) => {
    await report(job, "release");
    return next();
  },
};

it.each(Object.entries(LOST))("a lost lease changes nothing %s", async (_, lose) => {
  const isolated = isolatedRepos(shared());
  const { task } = await isolated.add("WEB-1");
  const claimed = await isolated.next({ lease_ms: 1_000 });
  await lose(isolated, claimed);
  // Whatever falls due by itself has happened once the lane was asked for.
  await isolated.lane();
  const before = await isolated.task(task.id);
  for (const [verb, more] of VERBS)
    expectProblem(await isolated.report(claimed, verb, more), { status: 409, code: "lease_lost" });
  expect(await isolated.task(task.id)).toEqual(before);
});

it.each(VERBS)("refuses a made-up lease token (%s)", async (verb, more) => {
  const { add, next, report } = isolatedRepos(shared());
  await add("WEB-1");
  const claimed = await next();
  const forged = { ...claimed, lease: { ...claimed.lease, token: "0".repeat(32) } };
  expectProblem(await report(forged, verb, more), {
    status: 409,
    code: "lease_lost",
    hint: expect.any(String) as unknown,
  });
  expect((await report(claimed, verb, more)).status).toBe(200);
});

it("hands out the job of an expired lease as its second attempt", async () => {
  const { add, next, report, job } = isolatedRepos(shared());
  await add("WEB-1");
  const first = await next({ lease_ms: 1_000, worker: "w-silent" });
  const second = await next({ wait_ms: 20_000 });
  expect(second).toMatchObject({ id: first.id, attempt: 2 });
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(first.lease.expires_at));
  expect(second.lease.token).not.toBe(first.lease.token);
  expect((await job(first.id)).error).toContain("w-silent");
  expectProblem(await report(first, "complete"), { status: 409, code: "lease_lost" });
  expect((await report(second, "complete")).status).toBe(200);
});

it("fails the job whose lease expires in its last attempt", async () => {
  const { add, next, claim, job } = isolatedRepos(shared());
  await add("WEB-1", { entry_job: { max_attempts: 1 } });
  const { id } = await next({ lease_ms: 1_000 });
  expect(await claim({ wait_ms: 1_500 })).toEqual([]);
  expect(await job(id)).toMatchObject({ status: "failed", attempt: 1, lease: null, finished_at: A_TIME });
});

const running = async () => {
  const isolated = isolatedRepos(shared());
  const { task } = await isolated.add("WEB-1");
  const claimed = await isolated.next();
  await shared().post(`/tasks/${task.id}/cancel`);
  return { ...isolated, claimed };
};

it("tells the worker of a cancelled task with the next heartbeat", async () => {
  const { report, claimed, job } = await running();
  expectProblem(await report(claimed, "heartbeat"), {
    status: 409,
    code: "task_cancelled",
    hint: expect.stringContaining("release") as unknown,
  });
  expect((await job(claimed.id)).lease?.expires_at).toBe(claimed.lease.expires_at);
});

it.each([
  ["release", {}, "cancelled"],
  ["fail", { error: "stopped" }, "cancelled"],
  ["complete", { result: "done all the same" }, "done"],
])("accepts a %s of a job whose task was cancelled", async (verb, more, status) => {
  const { report, claimed, claim } = await running();
  const answer = await report(claimed, verb, more);
  expect(answer.status).toBe(200);
  expect(answer.body).toMatchObject({ job: { status, lease: null, finished_at: A_TIME } });
  expect(await claim()).toEqual([]);
});

it("cancels a silent worker's job when its task was cancelled", async () => {
  const { add, next, claim, job, move } = isolatedRepos(shared());
  const { task } = await add("WEB-1");
  const { id } = await next({ lease_ms: 1_000 });
  await move(task, "cancelled");
  expect(await claim({ wait_ms: 1_500 })).toEqual([]);
  expect(await job(id)).toMatchObject({ status: "cancelled", lease: null });
});

const FRESH = { stale: false, overtaken_by: [] };

/** WEB-1 is parked in the middle of its work while others finish; then it is taken up again. */
const overtaken = async () => {
  const isolated = isolatedRepos(shared());
  const { add, next, report, pause, resume, move } = isolated;
  await add("WEB-1");
  await report(await next(), "complete", { stage: "development", next: [{ agent: "developer" }] });
  await pause("WEB-1");
  await add("WEB-2");
  const third = await add("WEB-3");
  // WEB-1's own developer job flows on while it is parked; it is not what this is about.
  await report(await next({ agents: ["developer"] }), "complete", { next: [{ agent: "tester" }] });
  await report(await next({ agents: ["analyst"] }), "complete", { stage: "done" });
  await move(third.task, "cancelled");
  await resume("WEB-1");
  return isolated;
};

it("marks the base as stale when other tasks finished while its own was paused", async () => {
  const { next } = await overtaken();
  expect(await next()).toMatchObject({
    work_item_id: "WEB-1",
    base: { stale: true, overtaken_by: ["WEB-2", "WEB-3"] },
  });
});

it("keeps the base stale until a job that saw it completes", async () => {
  const { next, report } = await overtaken();
  const told = await next();
  await report(told, "release");
  const again = await next();
  expect(again.base.stale).toBe(true);
  await report(again, "complete", { next: [{ agent: "deployer" }] });
  expect((await next()).base).toEqual(FRESH);
});

it("keeps the base fresh when no task of the repository overtook", async () => {
  const { api, add, pause, resume, move, next } = isolatedRepos(shared());
  await add("WEB-1");
  const other = await add("API-1", { repo: api, entry_job: false });
  await pause("WEB-1");
  await move(other.task, "done");
  await resume("WEB-1");
  expect(await next()).toMatchObject({ work_item_id: "WEB-1", base: FRESH });
});

it("keeps the base fresh for a task that was not paused when another finished", async () => {
  const { add, pause, resume, move, next } = isolatedRepos(shared());
  const { task } = await add("WEB-1", { entry_job: false });
  await add("WEB-2");
  await move(task, "done");
  await pause("WEB-2");
  await resume("WEB-2");
  expect(await next()).toMatchObject({ work_item_id: "WEB-2", base: FRESH });
});

it("finishes a task and lists its waiting jobs that were cancelled and those that were left", async () => {
  const { add, enqueue, next, report, move } = isolatedRepos(shared());
  const { task } = await add("WEB-1");
  const claimed = await next();
  const [entry, deploy] = [await enqueue("WEB-1", "analyst"), await enqueue("WEB-1", "deployer")];
  const { status, body } = await move(task, "done");
  expect(status).toBe(200);
  expect(body).toEqual({
    task: { ...task, stage: "done", updated_at: A_TIME },
    effect: { now_claimable: [], now_held: [] },
    cancelled_jobs: [{ job_id: entry.id, agent: "analyst", status: "cancelled" }],
    left_jobs: [{ job_id: deploy.id, agent: "deployer", status: "queued" }],
  });
  expectProblem(await report(claimed, "heartbeat"), {
    status: 409,
    code: "task_terminal",
    hint: expect.stringContaining("result alone") as unknown,
  });
  expect((await report(claimed, "complete", { result: "kept" })).status).toBe(200);
});

it.each([
  ["complete", { stage: "done", pause: { reason: "r" } }, "/pause"],
  ["complete", { pause: { reason: "r", until: "2020-01-01T00:00:00Z" } }, "/pause/until"],
  ["complete", { pause: {} }, "/pause/reason"],
  ["release", { pause: { reason: "r", until: "2020-01-01T00:00:00Z" } }, "/pause/until"],
  ["release", { run_after: "tomorrow" }, "/run_after"],
  ["fail", { error: "e", retry: false, retry_after_ms: 1 }, "/retry_after_ms"],
  ["fail", { error: "e", retry_after_ms: 2_592_000_001 }, "/retry_after_ms"],
])("refuses a %s with %j and points at the member", async (verb, more, pointer) => {
  const { add, next, report, job } = isolatedRepos(shared());
  await add("WEB-1");
  const claimed = await next();
  expectProblem(await report(claimed, verb, more), {
    status: 400,
    code: "invalid_request",
    errors: [invalidField("body", pointer)],
  });
  expect(await job(claimed.id)).toMatchObject({ status: "running", lease: { worker: null } });
});

it("takes a job from its worker by force, and tells the effect", async () => {
  const { web, add, next, report } = isolatedRepos(shared());
  await add("WEB-1");
  const claimed = await next();
  const path = `/jobs/${claimed.id}/release?force=true`;
  const dry = await shared().post<ChangedJob>(`${path}&dry_run=true`, { reason: "it hangs" });
  expect(dry.status).toBe(200);
  expect((await report(claimed, "heartbeat")).status).toBe(200);
  const { status, body } = await shared().post<ChangedJob>(path, { reason: "it hangs", by: "ann" });
  expect(status).toBe(200);
  expect(body).toMatchObject({
    job: { id: claimed.id, status: "queued", attempt: 0, lease: null },
    effect: { now_claimable: [{ work_item_id: "WEB-1", repo: web, reason: null }], now_held: [] },
  });
  expectProblem(await report(claimed, "heartbeat"), { status: 409, code: "lease_lost" });
  expectProblem(await shared().post(path, { reason: "again" }), { status: 409, code: "job_not_running" });
});

it.each([
  ["?force=true", {}, "/reason"],
  ["?force=true", { lease_token: "t" }, "/lease_token"],
  ["?force=true", { reason: 5 }, "/reason"],
  ["?force=false", { reason: "it hangs" }, "/reason"],
  ["?force=false", {}, "/lease_token"],
  ["", { lease_token: "t", reason: "it hangs" }, "/reason"],
  ["", { reason: "it hangs" }, "/lease_token"],
])("refuses a release%s with %j", async (query, body, pointer) => {
  const { add, next, job } = isolatedRepos(shared());
  await add("WEB-1");
  const { id } = await next();
  const answer = await shared().post(`/jobs/${id}/release${query}`, body);
  expectProblem(answer, { status: 400, code: "invalid_request" });
  expect(answer.body).toHaveProperty("errors");
  expect((answer.body as { errors: unknown[] }).errors).toContainEqual(invalidField("body", pointer));
  expect((await job(id)).status).toBe("running");
});

it("changes nothing in a dry run of a release", async () => {
  const { add, next, report } = isolatedRepos(shared());
  await add("WEB-1");
  const claimed = await next();
  const { status, body } = await shared().post<{ job: Job }>(`/jobs/${claimed.id}/release?dry_run=true`, {
    lease_token: claimed.lease.token,
  });
  expect([status, body.job.status]).toEqual([200, "queued"]);
  expect((await report(claimed, "heartbeat")).status).toBe(200);
});
