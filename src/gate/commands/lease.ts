/** A running job in its holder's hands: kept, failed or released, and given back when it lapses.
 *  The lease's token is the fence: whoever does not hold the current one changes nothing. */

import { all, first, lockLane, now, run, tryLane, type Tx } from "../../store/port.ts";
import { raw, rowsOf, sql, when, type Statement } from "../../store/sql.ts";
import { NO_RUN } from "../../store/triggers/runs.ts";
import { GateError, type InputFault } from "../../contract/errors.ts";
import type { Context } from "./context.ts";
import { GATE_ACTOR, record, WRITTEN, type Subject } from "./record.ts";
import { type EventKind } from "../../contract/vocabulary.ts";
import { laneOf, readJob, unknownJob } from "./job.ts";
import { refuseTerminal } from "./task.ts";
import { pauseOptions, pauseUnlessPaused } from "./pause.ts";
import type { ChangedJob, Failure, Heartbeat, Job, Lease, Release } from "../../contract/jobs.ts";
import { withEffect } from "../rule/effect.ts";
import type { Defaults, Policy } from "../rule/policy.ts";
import { endsWithTask, takesNoJob } from "../rule/task-end.ts";
import { toIso, toStored } from "../../store/timestamps.ts";
import type { TaskRef } from "./work-item.ts";

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
}

const LEASED_JOB_COLUMNS = raw(
  `j.id AS job_id, j.task_id, j.repo, t.work_item_id, t.stage, j.attempts, j.max_attempts, j.task_finished,
      t.answer_told_job_id`,
);

/** Reads the jobs that exist, by id, each with a flag: is the token its current lease's?
 *  @param tokens by the id of the job */
export function* readLeasedJobs(
  tokens: ReadonlyMap<number, string>,
): Tx<Map<number, LeasedJob & { valid: number }>> {
  const at = toStored(yield* now());
  const asked = rowsOf([...tokens].map(([id, token]) => [id, { token }]));
  const jobs = yield* all<LeasedJob & { valid: number }>(sql`SELECT ${LEASED_JOB_COLUMNS},
      CASE WHEN j.status = 'running' AND j.lease_token = asked.value ->> 'token' AND j.lease_expires_at > ${at}
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
function* leasedJob(id: number, token: string): Tx<LeasedJob> {
  const job = (yield* readLeasedJobs(new Map([[id, token]]))).get(id);
  if (!job) throw unknownJob(id);
  if (!job.valid) throw leaseLost(id);
  return job;
}

/** The same once the job's lane is held, for what changes more than the lease. */
function* lockedLeasedJob(id: number, token: string): Tx<LeasedJob> {
  yield* lockLane(laneOf(yield* leasedJob(id, token)));
  return yield* leasedJob(id, token);
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

/** Keeps the lease for another term, and what the worker says of its progress.
 *  @throws GateError unknown_job, lease_lost, task_cancelled, task_terminal */
export function* heartbeat(
  { rules }: Context,
  id: number,
  { lease_token, lease_ms, progress }: Heartbeat,
): Tx<{ lease: Lease }> {
  // The progress is a change in the lane; the lease alone is none.
  const job = yield* progress === undefined ? leasedJob(id, lease_token) : lockedLeasedJob(id, lease_token);
  if (endsWithTask(job)) throw taskEnded(job);
  const expires = toStored((yield* now()) + (lease_ms ?? rules.defaults.leaseMs));
  const kept = yield* first(sql`UPDATE jobs SET lease_expires_at = ${expires}${when(
    progress !== undefined,
    sql`, progress = ${progress ?? null}`,
  )}
    WHERE id = ${id} AND status = 'running' AND lease_token = ${lease_token} RETURNING id`);
  if (!kept) throw unknownJob(id);
  return { lease: { token: lease_token, expires_at: toIso(expires) } };
}

export const NO_LEASE = raw("lease_token = NULL, lease_worker = NULL, lease_expires_at = NULL");

/** Ends the job's lease with what the job becomes. */
const end = (job: LeasedJob, change: Statement): Statement =>
  sql`UPDATE jobs SET ${NO_LEASE}, ${NO_RUN}, ${change}, ${WRITTEN} WHERE id = ${job.job_id}`;

const becomesCancelled = (at: string): Statement => sql`status = 'cancelled', finished_at = ${at}`;

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
export function* fail({ rules, actor }: Context, id: number, failure: Failure): Tx<{ job: Job }> {
  refuseWaitForNoRetry(failure);
  const job = yield* lockedLeasedJob(id, failure.lease_token);
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
 *  @throws GateError unknown_job, lease_lost; with `pause` task_terminal, layer_disabled, invalid_request */
export function* giveBack(context: Context, id: number, input: Release): Tx<{ job: Job }> {
  const { actor } = context;
  const job = yield* lockedLeasedJob(id, input.lease_token);
  const at = yield* now();
  if (endsWithTask(job)) {
    yield* run(end(job, becomesCancelled(toStored(at))));
    yield* record("job.cancelled", job, { actor });
    return { job: yield* readJob(id) };
  }
  const { pause, run_after } = input;
  const pauses = pause && {
    task: taskOfJob(job, "/pause"),
    how: pauseOptions(context, pause, { at, pointer: "/pause/until" }),
  };
  if (pauses) refuseTerminal(pauses.task);
  const due = run_after === undefined ? undefined : Date.parse(run_after);
  const isDelayed = due !== undefined && due > at;
  yield* run(
    end(
      job,
      sql`status = ${isDelayed ? "delayed" : "queued"}, attempts = attempts - 1, started_at = NULL${when(
        due !== undefined,
        sql`, run_after = ${toStored(due ?? at)}`,
      )}`,
    ),
  );
  yield* record(isDelayed ? "job.delayed" : "job.released", job, {
    actor,
    ...(due === undefined ? {} : { detail: { released: true, run_after: toIso(toStored(due)) } }),
  });
  if (pauses) yield* pauseUnlessPaused(pauses.task, pauses.how);
  return { job: yield* readJob(id) };
}

/** The same with the effect on others.
 *  @throws GateError unknown_job, lease_lost; with `pause` task_terminal, layer_disabled, invalid_request */
export function* release(context: Context, id: number, input: Release): Tx<ChangedJob> {
  const { rules, lookup } = context;
  const { repo } = yield* lockedLeasedJob(id, input.lease_token);
  return yield* withEffect(rules.policy, lookup, [repo ?? ""], giveBack(context, id, input));
}

interface ExpiredJob extends LeasedJob {
  readonly lease_worker: string | null;
  readonly lease_expires_at: string;
}

/** The next state of a job whose lease expired: queued while it has attempts left. */
const afterExpiry = (job: ExpiredJob, at: string): { kind: EventKind; change: Statement; why: string } => {
  const why = `the lease of ${job.lease_worker ?? "a worker"} lapsed in attempt ${job.attempts} of ${job.max_attempts}`;
  if (endsWithTask(job)) return { kind: "job.cancelled", change: becomesCancelled(at), why };
  if (job.attempts < job.max_attempts)
    return { kind: "job.lapsed", change: sql`status = 'queued', error = ${why}`, why };
  return {
    kind: "job.failed",
    change: sql`status = 'failed', error = ${why}, finished_at = ${at}`,
    why,
  };
};

/** Gives back the jobs whose lease expired, at most `limit`, but for lanes that others hold; returns how many.
 *  A job that was heard of in the meantime keeps its lease: the update carries what was seen. */
export function* reapExpired(limit: number): Tx<number> {
  const at = toStored(yield* now());
  const lapsed = yield* all<ExpiredJob>(sql`SELECT ${LEASED_JOB_COLUMNS}, j.lease_worker, j.lease_expires_at
    FROM jobs j LEFT JOIN tasks t ON t.id = j.task_id
    WHERE j.status = 'running' AND j.lease_expires_at <= ${at} ORDER BY j.id LIMIT ${limit}`);
  let given = 0;
  for (const job of lapsed) {
    if (!(yield* tryLane(laneOf(job)))) continue;
    const { kind, change, why } = afterExpiry(job, at);
    const reaped = yield* first(sql`UPDATE jobs SET ${NO_LEASE}, ${NO_RUN}, ${change}, ${WRITTEN}
      WHERE id = ${job.job_id} AND status = 'running' AND attempts = ${job.attempts}
        AND task_finished = ${job.task_finished}
        AND lease_expires_at = ${job.lease_expires_at} RETURNING id`);
    if (!reaped) continue;
    yield* record(kind, job, { actor: GATE_ACTOR, reason: why });
    given += 1;
  }
  return given;
}

interface DueJob extends Subject {
  readonly job_id: number;
  readonly agent: string;
  readonly stage: string | null;
}

/** Queues the delayed jobs that are due, at most `limit`, but for lanes that others hold; returns how many. A job that its
 *  task takes no more is cancelled instead. */
export function* queueDue(limit: number, policy: Policy): Tx<number> {
  const at = toStored(yield* now());
  const due =
    yield* all<DueJob>(sql`SELECT j.id AS job_id, j.repo, j.task_id, t.work_item_id, j.agent, t.stage
    FROM jobs j LEFT JOIN tasks t ON t.id = j.task_id
    WHERE j.status = 'delayed' AND (j.run_after IS NULL OR j.run_after <= ${at})
    ORDER BY j.id LIMIT ${limit}`);
  let queued = 0;
  for (const job of due) {
    if (!(yield* tryLane(laneOf(job)))) continue;
    const isOver = job.stage !== null && takesNoJob(policy, job.stage, job.agent);
    const change = isOver ? becomesCancelled(at) : raw("status = 'queued'");
    const changed = yield* first(sql`UPDATE jobs SET ${change}, ${WRITTEN}
      WHERE id = ${job.job_id} AND status = 'delayed' RETURNING id`);
    if (!changed) continue;
    yield* record(isOver ? "job.cancelled" : "job.due", job, { actor: GATE_ACTOR });
    queued += 1;
  }
  return queued;
}
