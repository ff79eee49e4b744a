/** Jobs: enqueued for a task, read, tried once more and cancelled. */

import { all, lockLane, now, one, run, type Tx } from "../../store/port.ts";
import { decode, encode } from "../../store/json.ts";
import { idsIn, inlineInteger, raw, sql, type Statement } from "../../store/sql.ts";
import { fitting, type Found } from "../page-bytes.ts";
import { withEffect } from "../rule/effect.ts";
import { GateError } from "../../contract/errors.ts";
import type { Context } from "./context.ts";
import { record, WRITTEN } from "./record.ts";
import { IN_BODY, refuseLookAlike } from "./lookup/repo.ts";
import type { ChangedJob, Job, NewJob } from "../../contract/jobs.ts";
import type { Note } from "../../contract/scalars.ts";
import { whoActs, type Policy } from "../rule/policy.ts";
import { takesNoJob } from "../rule/reasons/finished.ts";
import { toIso, toIsoOrNull, toStored } from "../../store/timestamps.ts";
import { unknownJob } from "./lookup/subject.ts";
import { resolveInLane, type TaskRef } from "./lookup/work-item.ts";
import { instantIn } from "../instant.ts";

export interface JobRow {
  id: number;
  task_id: number | null;
  repo: string | null;
  work_item_id: string | null;
  agent: string;
  status: Job["status"];
  attempts: number;
  max_attempts: number;
  task_content: string | null;
  result: string | null;
  error: string | null;
  progress: string | null;
  run_after: string | null;
  lease_worker: string | null;
  lease_expires_at: string | null;
  created_at: string | null;
  started_at: string | null;
  finished_at: string | null;
}

/** The lane that a job is in: that of its repository, or the one of all jobs that have none. */
export const laneOf = ({ repo }: { readonly repo: string | null }): string => repo ?? "";

/** The bytes of a job's payload, result and error. */
export const JOB_BYTES = raw(`COALESCE(OCTET_LENGTH(j.task_content), 0) + COALESCE(OCTET_LENGTH(j.result), 0)
      + COALESCE(OCTET_LENGTH(j.error), 0)`);

/** Jobs of one task that are read at once. */
const MOST_OF_TASK = 500;

/** The newest jobs of a task that fit on a page, by id, and how many there are. */
export function* newestJobsOf(task: number): Tx<{ readonly jobs: Job[]; readonly count: number }> {
  const found = yield* all<Found>(
    sql`SELECT j.id, ${JOB_BYTES} AS bytes FROM jobs j WHERE j.task_id = ${task} ORDER BY j.id DESC LIMIT ${inlineInteger(MOST_OF_TASK)}`,
  );
  const page = fitting(found);
  const isWhole = page.length === found.length && found.length < MOST_OF_TASK;
  const { count } = isWhole
    ? { count: page.length }
    : yield* one<{ count: number }>(sql`SELECT COUNT(*) AS count FROM jobs j WHERE j.task_id = ${task}`);
  return { jobs: page.length > 0 ? yield* readJobs(idsIn(page.map(({ id }) => id))) : [], count };
}

/** The jobs that a `SELECT id FROM jobs …` names, by id. */
export function* readJobs(ids: Statement): Tx<Job[]> {
  const rows = yield* all<JobRow>(sql`SELECT j.id, j.task_id, j.repo, t.work_item_id, j.agent, j.status,
      j.attempts, j.max_attempts, j.task_content, j.result, j.error, j.progress, j.run_after, j.lease_worker,
      j.lease_expires_at, j.created_at, j.started_at, j.finished_at
    FROM jobs j LEFT JOIN tasks t ON t.id = j.task_id
    WHERE j.id IN (${ids}) ORDER BY j.id`);
  return rows.map(asJob);
}

/** A row as callers see it. */
export const asJob = (row: JobRow): Job => ({
  id: row.id,
  task_id: row.task_id,
  repo: row.repo,
  work_item_id: row.work_item_id,
  agent: row.agent,
  status: row.status,
  attempt: row.attempts,
  max_attempts: row.max_attempts,
  payload: decode(row.task_content),
  result: decode(row.result),
  error: row.error,
  progress: row.progress,
  run_after: toIsoOrNull(row.run_after),
  lease:
    row.status === "running" && row.lease_expires_at !== null
      ? { worker: row.lease_worker, expires_at: toIso(row.lease_expires_at) }
      : null,
  created_at: toIsoOrNull(row.created_at),
  started_at: toIsoOrNull(row.started_at),
  finished_at: toIsoOrNull(row.finished_at),
});

/** @throws GateError unknown_job */
export function* readJob(id: number): Tx<Job> {
  const [job] = yield* readJobs(sql`SELECT id FROM jobs WHERE id = ${id}`);
  if (!job) throw unknownJob(id);
  return job;
}

interface JobOwner {
  readonly repo: string | null;
  readonly task_id: number | null;
  readonly work_item_id: string | null;
}

interface JobSpec {
  readonly agent: string;
  readonly payload?: unknown;
  readonly max_attempts?: number | undefined;
  /** Milliseconds since 1970 UTC. */
  readonly runAfter?: number | undefined;
}

/** Adds a job to the queue; one that is not due yet is delayed. */
export function* enqueue({ rules, actor }: Context, owner: JobOwner, spec: JobSpec): Tx<Job> {
  const at = yield* now();
  const delayed = spec.runAfter !== undefined && spec.runAfter > at;
  const { id } = yield* one<{ id: number }>(sql`INSERT INTO jobs
      (agent, repo, task_id, task_content, status, max_attempts, run_after, created_at, gate_writes)
    VALUES (${spec.agent}, ${owner.repo}, ${owner.task_id}, ${encode(spec.payload)},
      ${delayed ? "delayed" : "queued"}, ${spec.max_attempts ?? rules.defaults.maxAttempts},
      ${spec.runAfter === undefined ? null : toStored(spec.runAfter)}, ${toStored(at)}, 1)
    RETURNING id`);
  yield* record("job.created", { ...owner, job_id: id }, { actor, detail: { agent: spec.agent } });
  return yield* readJob(id);
}

/** @throws GateError task_terminal for a job that the task takes no more */
export const refuseFinished = (
  policy: Policy,
  { work_item_id, stage }: { readonly work_item_id: string | null; readonly stage: string },
  agent: string,
): void => {
  if (takesNoJob(policy, stage, agent))
    throw new GateError(
      "task_terminal",
      `The task ${work_item_id ?? ""} is ${stage}: it takes no more ${agent === policy.entryAgent ? "entry jobs" : "jobs"}.`,
    );
};

/** An unknown work item may be that of a look-alike.
 *  @throws GateError repo_looks_alike, unknown_work_item, ambiguous_work_item */
function* taskOfNewJob(context: Context, { repo, work_item_id: work_item }: NewJob): Tx<TaskRef> {
  try {
    return yield* resolveInLane({ work_item, repo }, context.reach);
  } catch (error) {
    if (error instanceof GateError && error.code === "unknown_work_item")
      yield* refuseLookAlike(context, repo, IN_BODY);
    throw error;
  }
}

/** Enqueues a job for the task of a work item.
 *  @throws GateError repo_looks_alike, unknown_work_item, ambiguous_work_item, task_terminal */
export function* createJob(context: Context, input: NewJob): Tx<{ job: Job }> {
  const task = yield* taskOfNewJob(context, input);
  refuseFinished(context.rules.policy, task, input.agent);
  const job = yield* enqueue(context, task, {
    agent: input.agent,
    payload: input.payload,
    max_attempts: input.max_attempts,
    runAfter: input.run_after === undefined ? undefined : instantIn(input.run_after, "/run_after"),
  });
  return { job };
}

/** Makes a change to a job under the lock of its lane, in the name of who acts, and adds the effect. */
export function* changeJob(
  context: Context,
  id: number,
  note: Note,
  change: (context: Context, id: number, reason: string | undefined) => Tx<{ job: Job }>,
): Tx<ChangedJob> {
  const { rules, lookup } = context;
  const actor = whoActs(context.actor, note.by);
  const repo = laneOf(yield* readJob(id));
  yield* lockLane(repo);
  return yield* withEffect(rules.policy, lookup, [repo], change({ ...context, actor }, id, note.reason));
}

interface FailedRow extends JobOwner {
  readonly status: string;
  readonly agent: string;
  readonly stage: string | null;
}

/** Puts a failed job back into the queue and allows it one more attempt.
 *  @throws GateError unknown_job, job_not_failed, task_terminal, invalid_request */
export function* retryJob(context: Context, id: number, note: Note): Tx<ChangedJob> {
  return yield* changeJob(context, id, note, requeue);
}

function* requeue({ rules, actor }: Context, id: number, reason: string | undefined): Tx<{ job: Job }> {
  const [job] = yield* all<FailedRow>(sql`SELECT j.repo, j.task_id, t.work_item_id, j.status, j.agent, t.stage
    FROM jobs j LEFT JOIN tasks t ON t.id = j.task_id WHERE j.id = ${id}`);
  if (!job) throw unknownJob(id);
  if (job.status !== "failed")
    throw new GateError(
      "job_not_failed",
      `The job ${id} is ${job.status}; only a failed job is tried again.`,
    );
  if (job.stage !== null) refuseFinished(rules.policy, { ...job, stage: job.stage }, job.agent);
  yield* run(sql`UPDATE jobs SET status = 'queued', finished_at = NULL, run_after = NULL, ${WRITTEN},
      max_attempts = CASE WHEN max_attempts > attempts THEN max_attempts ELSE attempts + 1 END
    WHERE id = ${id} AND status = 'failed'`);
  yield* record("job.retried", { ...job, job_id: id }, { actor, reason });
  return { job: yield* readJob(id) };
}

/** Ends a job that has not started, or that failed: it becomes cancelled.
 *  @throws GateError unknown_job, job_not_cancellable, invalid_request */
export function* cancelJob(context: Context, id: number, note: Note): Tx<ChangedJob> {
  return yield* changeJob(context, id, note, endJob);
}

function* endJob({ actor }: Context, id: number, reason: string | undefined): Tx<{ job: Job }> {
  const job = yield* readJob(id);
  if (job.status === "cancelled") return { job };
  if (job.status === "running" || job.status === "done")
    throw new GateError(
      "job_not_cancellable",
      `The job ${id} is ${job.status}; only a queued, delayed or failed job can be cancelled.`,
    );
  yield* run(sql`UPDATE jobs SET status = 'cancelled', finished_at = ${toStored(yield* now())}, ${WRITTEN}
    WHERE id = ${id}`);
  yield* record("job.cancelled", { ...job, job_id: id }, { actor, reason });
  return { job: yield* readJob(id) };
}
