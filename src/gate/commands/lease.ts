/** Leases of running jobs: renewed, ended by a failure or a release, and taken back by an operator. The lease's token is the
 *  fence: without the current one nothing changes. How a lease expires: due.ts. */

import { all, first, lockLane, now, run, type Tx } from "../../store/port.ts";
import { raw, rowsOf, sql, when, type Statement } from "../../store/sql.ts";
import { NO_RUN } from "../../store/triggers/runs.ts";
import { GateError, type InputFault } from "../../contract/errors.ts";
import type { Context } from "./context.ts";
import { record, WRITTEN, type Why } from "./record.ts";
import type { EventKind } from "../../contract/vocabulary.ts";
import { changeJob, laneOf, readJob } from "./job.ts";
import { instantIn } from "../instant.ts";
import type { Jump } from "../lease-clock.ts";
import { pauseOptions, pauseUnlessPaused } from "./pause.ts";
import { refuseTerminal } from "./task/stage.ts";
import { unknownJob } from "./lookup/subject.ts";
import type {
  ChangedJob,
  Failure,
  ForcedRelease,
  Heartbeat,
  Job,
  Lease,
  Release,
} from "../../contract/jobs.ts";
import { withEffect } from "../rule/effect.ts";
import type { Actor, Defaults, Rules } from "../rule/policy.ts";
import { endsWithTask } from "../rule/reasons/finished.ts";
import { toIso, toStored } from "../../store/timestamps.ts";
import { NO_LEASE } from "../../store/triggers/times.ts";
import type { TaskRef } from "./lookup/work-item.ts";

export interface LeasedJob {
  readonly job_id: number;
  readonly task_id: number | null;
  readonly repo: string | null;
  readonly work_item_id: string | null;
  readonly stage: string | null;
  readonly attempts: number;
  readonly max_attempts: number;
  /** 1 when the task finished after the job was claimed. */
  readonly task_finished: number;
  /** The job that was last claimed with the task's answer. */
  readonly answer_told_job_id: number | null;
  /** The length of the lease; null for one from before lengths were stored. */
  readonly lease_ms: number | null;
  /** When the lease expires, in milliseconds since 1970; null for a text that is no time. */
  readonly due_ms: number | null;
}

export const LEASED_JOB_COLUMNS = raw(
  `j.id AS job_id, j.task_id, j.repo, t.work_item_id, t.stage, j.attempts, j.max_attempts, j.task_finished,
      t.answer_told_job_id, j.lease_ms, j.due_ms`,
);

/** A lease token, and the name of the caller that shows it. */
export interface LeaseClaim {
  readonly token: string;
  readonly actor: Actor;
}

/** True for a lease that is over. After a jump of the clock forward, one from before it is judged by the old clock until it
 *  must have been renewed by the new one. */
export const isOver = (at: number, { byMs, agoMs }: Jump): Statement =>
  sql`j.due_ms <= ${at}${when(
    byMs > 0,
    sql` AND (j.due_ms <= ${at - byMs} OR COALESCE(j.lease_ms, ${agoMs + 1}) <= ${agoMs})`,
  )}`;

/** Reads the jobs that exist, by id, each with a flag: is the token its current lease's, and the caller the one that claimed
 *  it? A lease that was claimed without a name is for every caller that has the token. A lease whose end is no time goes on.
 *  @param claims by the id of the job
 *  @param more further columns of the job `j` and its task `t`, with a comma before */
export function* readLeasedJobs<More = unknown>(
  { leaseClock }: Rules,
  claims: ReadonlyMap<number, LeaseClaim>,
  more: Statement = raw(""),
): Tx<Map<number, LeasedJob & More & { valid: number }>> {
  const at = yield* now();
  const asked = rowsOf(claims);
  const jobs = yield* all<LeasedJob & More & { valid: number }>(sql`SELECT ${LEASED_JOB_COLUMNS}${more},
      CASE WHEN j.status = 'running' AND j.lease_token = asked.value ->> 'token'
          AND j.lease_expires_at IS NOT NULL AND (j.due_ms IS NULL OR NOT (${isOver(at, leaseClock.observe(at))}))
          AND (j.lease_actor IS NULL OR j.lease_actor = asked.value ->> 'actor')
        THEN 1 ELSE 0 END AS valid
    FROM ${asked} AS asked JOIN jobs j ON j.id = CAST(asked.key AS BIGINT)
    LEFT JOIN tasks t ON t.id = j.task_id`);
  return new Map(jobs.map((job) => [job.job_id, job]));
}

export const leaseLost = (id: number): GateError =>
  new GateError(
    "lease_lost",
    `The lease of job ${id} is not yours any more: it expired, ended or was never yours.`,
    {
      hint: "Stop working on the job and claim again.",
    },
  );

/** The job, if the token is its current lease's.
 *  @throws GateError unknown_job, lease_lost */
function* leasedJob({ rules, actor }: Context, id: number, token: string): Tx<LeasedJob> {
  const job = (yield* readLeasedJobs(rules, new Map([[id, { token, actor }]]))).get(id);
  if (!job) throw unknownJob(id);
  if (!job.valid) throw leaseLost(id);
  return job;
}

/** The same once the job's lane is held, for what changes more than the lease. */
function* lockedLeasedJob(context: Context, id: number, token: string): Tx<LeasedJob> {
  yield* lockLane(laneOf(yield* leasedJob(context, id, token)));
  return yield* leasedJob(context, id, token);
}

/** The task of a job.
 *  @param pointer the member of the body that asks something of it
 *  @throws GateError invalid_request where there is none */
export const taskOfJob = (
  { job_id, task_id, repo, work_item_id, stage }: LeasedJob,
  pointer: string,
): TaskRef => {
  if (task_id !== null && repo !== null && stage !== null) return { task_id, repo, work_item_id, stage };
  const faults: InputFault[] = [{ in: "body", pointer, detail: "must be left out for a job without a task" }];
  throw new GateError("invalid_request", `The job ${job_id} has no task.`, { faults });
};

/** Tells the worker of a job that its run ends with its task. */
export const taskEnded = ({ work_item_id, task_id, stage }: LeasedJob): GateError => {
  const task = work_item_id ?? task_id ?? "";
  return stage === "cancelled"
    ? new GateError("task_cancelled", `The task ${task} was cancelled.`, {
        hint: "Stop working and release the job.",
      })
    : new GateError(
        "task_terminal",
        `The task ${task} is ${stage ?? "finished"} since the job was claimed.`,
        {
          hint: "Stop working; complete the job with its result alone, or release it.",
        },
      );
};

/** Renews the lease: by `lease_ms`, or by the same length as before; and keeps what the worker says of its progress.
 *  @throws GateError unknown_job, lease_lost, task_cancelled, task_terminal */
export function* heartbeat(
  context: Context,
  id: number,
  { lease_token, lease_ms, progress }: Heartbeat,
): Tx<{ lease: Lease }> {
  // The progress is a change in the lane; the lease alone is none.
  const read = progress === undefined ? leasedJob : lockedLeasedJob;
  const job = yield* read(context, id, lease_token);
  if (endsWithTask(job)) throw taskEnded(job);
  const at = yield* now();
  const length = lease_ms ?? job.lease_ms;
  const due = length === null ? Math.max(at + context.rules.defaults.leaseMs, job.due_ms ?? at) : at + length;
  const expires = toStored(due);
  const kept =
    yield* first(sql`UPDATE jobs SET lease_expires_at = ${expires}, due_ms = ${due}, lease_ms = ${length}${when(
      progress !== undefined,
      sql`, progress = ${progress === "" ? null : (progress ?? null)}`,
    )}
    WHERE id = ${id} AND status = 'running' AND lease_token = ${lease_token} RETURNING id`);
  if (!kept) throw unknownJob(id);
  return { lease: { token: lease_token, expires_at: toIso(expires) } };
}

/** Ends the job's lease with what the job becomes. */
const end = (job: LeasedJob, change: Statement): Statement =>
  sql`UPDATE jobs SET ${NO_LEASE}, ${NO_RUN}, ${change}, ${WRITTEN} WHERE id = ${job.job_id}`;

export const becomesCancelled = (at: string): Statement => sql`status = 'cancelled', finished_at = ${at}`;

/** Milliseconds until the next attempt: doubling from the first retry's, a fifth of jitter either way, capped. */
export const backoff = ({ retryMs, retryMaxMs }: Defaults, attempt: number, random: number): number =>
  Math.round(Math.min(retryMaxMs, retryMs * 2 ** Math.min(attempt - 1, 30) * (0.8 + 0.4 * random)));

/** @throws GateError invalid_request for a wait before a retry that is not wanted */
const refuseWaitForNoRetry = ({ retry, retry_after_ms }: Failure): void => {
  if (!retry && retry_after_ms !== undefined)
    throw new GateError("invalid_request", "A job that is not retried has no next attempt to wait for.", {
      faults: [{ in: "body", pointer: "/retry_after_ms", detail: "must be left out when retry is false" }],
    });
};

/** The job went wrong: it is delayed while it has attempts left, else failed; cancelled when its task ended.
 *  @throws GateError unknown_job, lease_lost, invalid_request */
export function* fail(context: Context, id: number, failure: Failure): Tx<{ job: Job }> {
  const { rules, actor } = context;
  refuseWaitForNoRetry(failure);
  const job = yield* lockedLeasedJob(context, id, failure.lease_token);
  const at = yield* now();
  const { error, retry_after_ms } = failure;
  let kind: EventKind = "job.failed";
  let change = sql`status = 'failed', error = ${error}, finished_at = ${toStored(at)}`;
  if (endsWithTask(job)) {
    kind = "job.cancelled";
    change = sql`${becomesCancelled(toStored(at))}, error = ${error}`;
  } else if (failure.retry && job.attempts < job.max_attempts) {
    kind = "job.delayed";
    const due = toStored(at + (retry_after_ms ?? backoff(rules.defaults, job.attempts, rules.random())));
    change = sql`status = 'delayed', error = ${error}, run_after = ${due}`;
  }
  yield* run(end(job, change));
  yield* record(kind, job, { actor, reason: error, detail: { attempt: job.attempts } });
  return { job: yield* readJob(id) };
}

/** Gives the job back as if it had not been claimed, until a time or with a pause of its task; cancelled when its task
 *  ended.
 *  @throws GateError unknown_job, lease_lost, invalid_request; with `pause` task_terminal, layer_disabled */
export function* giveBack(context: Context, id: number, input: Release): Tx<{ job: Job }> {
  const { actor } = context;
  const job = yield* lockedLeasedJob(context, id, input.lease_token);
  const at = yield* now();
  const { pause } = input;
  const pauses =
    pause && !endsWithTask(job)
      ? {
          task: taskOfJob(job, "/pause"),
          how: pauseOptions(context, pause, { at, pointer: "/pause/until" }),
        }
      : undefined;
  if (pauses) refuseTerminal(pauses.task);
  const due = input.run_after === undefined ? undefined : instantIn(input.run_after, "/run_after");
  const detail = due === undefined ? {} : { detail: { released: true, run_after: toIso(toStored(due)) } };
  yield* undoRun(job, { actor, ...detail }, due);
  if (pauses) yield* pauseUnlessPaused(pauses.task, pauses.how);
  return { job: yield* readJob(id) };
}

/** Ends the run as if it had not begun: another program may have begun it without counting an attempt.
 *  @param due milliseconds since 1970 UTC; the job is delayed until then */
function* undoRun(job: LeasedJob, why: Why, due?: number): Tx<void> {
  const at = yield* now();
  if (endsWithTask(job)) {
    yield* run(end(job, becomesCancelled(toStored(at))));
    yield* record("job.cancelled", job, why);
    return;
  }
  const isDelayed = due !== undefined && due > at;
  const after = when(due !== undefined, sql`, run_after = ${toStored(due ?? at)}`);
  yield* run(
    end(
      job,
      sql`status = ${isDelayed ? "delayed" : "queued"},
        attempts = CASE WHEN attempts > 0 THEN attempts - 1 ELSE 0 END, started_at = NULL${after}`,
    ),
  );
  yield* record(isDelayed ? "job.delayed" : "job.released", job, why);
}

/** Takes a running job from its worker, or from another program that left it running, and gives it back.
 *  @throws GateError unknown_job, job_not_running, invalid_request */
export function* releaseByForce(context: Context, id: number, note: ForcedRelease): Tx<ChangedJob> {
  return yield* changeJob(context, id, note, takeFromWorker);
}

function* takeFromWorker({ actor }: Context, id: number, reason: string | undefined): Tx<{ job: Job }> {
  const job = yield* first<LeasedJob & { status: string; lease_worker: string | null }>(
    sql`SELECT ${LEASED_JOB_COLUMNS}, j.status, j.lease_worker
    FROM jobs j LEFT JOIN tasks t ON t.id = j.task_id WHERE j.id = ${id}`,
  );
  if (!job) throw unknownJob(id);
  if (job.status !== "running")
    throw new GateError(
      "job_not_running",
      `The job ${id} is ${job.status}; only a running job is released by force.`,
    );
  yield* undoRun(job, { actor, reason, detail: { force: true, worker: job.lease_worker } });
  return { job: yield* readJob(id) };
}

/** The same with the effect on others.
 *  @throws GateError unknown_job, lease_lost; with `pause` task_terminal, layer_disabled, invalid_request */
export function* release(context: Context, id: number, input: Release): Tx<ChangedJob> {
  const { rules, lookup } = context;
  const { repo } = yield* lockedLeasedJob(context, id, input.lease_token);
  return yield* withEffect(rules.policy, lookup, [repo ?? ""], giveBack(context, id, input));
}
