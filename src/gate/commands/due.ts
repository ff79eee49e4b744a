/** Jobs that fall due by themselves: leases that expire, and delayed jobs whose time has come. A round does a limited number, and
 *  passes over lanes that others hold. */

import { all, first, now, run, tryLane, type Tx } from "../../store/port.ts";
import { raw, sql, type Statement } from "../../store/sql.ts";
import { NO_RUN } from "../../store/triggers/runs.ts";
import { record, WRITTEN, type Subject } from "./record.ts";
import type { EventKind } from "../../contract/vocabulary.ts";
import { laneOf } from "./job.ts";
import { TOLERATED_JUMP_MS, type LeaseClock } from "../lease-clock.ts";
import { GATE_ACTOR, type Policy } from "../rule/policy.ts";
import { endsWithTask, takesNoJob } from "../rule/reasons/finished.ts";
import { toStored } from "../../store/timestamps.ts";
import { NO_LEASE } from "../../store/triggers/times.ts";
import { becomesCancelled, isOver, LEASED_JOB_COLUMNS, type LeasedJob } from "./lease.ts";

interface ExpiredJob extends LeasedJob {
  readonly lease_worker: string | null;
}

/** The next state of a job whose lease expired: queued while it has attempts left. */
const afterExpiry = (job: ExpiredJob, at: string): { kind: EventKind; change: Statement; why: string } => {
  const why = `the lease of ${job.lease_worker ?? "a worker"} expired in attempt ${job.attempts} of ${job.max_attempts}`;
  if (endsWithTask(job)) return { kind: "job.cancelled", change: becomesCancelled(at), why };
  if (job.attempts < job.max_attempts)
    return { kind: "job.lapsed", change: sql`status = 'queued', error = ${why}`, why };
  return {
    kind: "job.failed",
    change: sql`status = 'failed', error = ${why}, finished_at = ${at}`,
    why,
  };
};

/** Gives back the jobs whose lease expired, at most `limit`, but for lanes that others hold; returns how many. A running job
 *  without a lease is another program's, and stays.
 *  A job that was heard of in the meantime keeps its lease: the update carries what was seen. */
export function* reapExpired(limit: number, _policy: Policy, leaseClock: LeaseClock): Tx<number> {
  const at = yield* now();
  const isExpired = isOver(at, leaseClock.observe(at));
  const expired = yield* all<ExpiredJob>(sql`SELECT ${LEASED_JOB_COLUMNS}, j.lease_worker
    FROM jobs j LEFT JOIN tasks t ON t.id = j.task_id
    WHERE j.status = 'running' AND ${isExpired} AND j.lease_token IS NOT NULL ORDER BY j.id LIMIT ${limit}`);
  let given = 0;
  for (const job of expired) {
    if (!(yield* tryLane(laneOf(job)))) continue;
    const { kind, change, why } = afterExpiry(job, toStored(at));
    const reaped = yield* first(sql`UPDATE jobs SET ${NO_LEASE}, ${NO_RUN}, ${change}, ${WRITTEN}
      WHERE id = ${job.job_id} AND status = 'running' AND attempts = ${job.attempts}
        AND task_finished = ${job.task_finished} AND due_ms = ${job.due_ms} RETURNING id`);
    if (!reaped) continue;
    yield* record(kind, job, { actor: GATE_ACTOR, reason: why });
    given += 1;
  }
  return given;
}

/** True for a lease that ends later than its own length from now. */
const isTooLong = (at: number): Statement =>
  sql`status = 'running' AND lease_token IS NOT NULL AND due_ms > ${at} + lease_ms + ${TOLERATED_JUMP_MS}`;

/** True while there are leases to shorten. */
export function* hasLongLeases(): Tx<boolean> {
  const row = yield* first(sql`SELECT id FROM jobs WHERE ${isTooLong(yield* now())} LIMIT 1`);
  return row !== undefined;
}

/** Shortens leases, at most `limit`, that end later than their own length from now: they were given before the clock jumped
 *  back, and a worker that is gone would keep its lane for as long. Returns how many. None ends earlier than was promised. */
export function* shortenLeases(limit: number): Tx<number> {
  const at = yield* now();
  const long = yield* all<{ id: number; lease_ms: number }>(
    sql`SELECT id, lease_ms FROM jobs WHERE ${isTooLong(at)} ORDER BY id LIMIT ${limit}`,
  );
  for (const { id, lease_ms } of long) {
    const due = at + lease_ms;
    yield* run(sql`UPDATE jobs SET lease_expires_at = ${toStored(due)}, due_ms = ${due}
      WHERE id = ${id} AND lease_ms = ${lease_ms} AND ${isTooLong(at)}`);
  }
  return long.length;
}

interface DueJob extends Subject {
  readonly job_id: number;
  readonly agent: string;
  readonly stage: string | null;
}

/** Queues the delayed jobs that are due, at most `limit`, but for lanes that others hold; returns how many. A job that its
 *  task takes no more is cancelled instead. */
export function* queueDue(limit: number, policy: Policy): Tx<number> {
  const at = yield* now();
  const due =
    yield* all<DueJob>(sql`SELECT j.id AS job_id, j.repo, j.task_id, t.work_item_id, j.agent, t.stage
    FROM jobs j LEFT JOIN tasks t ON t.id = j.task_id
    WHERE j.status = 'delayed' AND j.due_ms <= ${at}
    ORDER BY j.id LIMIT ${limit}`);
  let queued = 0;
  for (const job of due) {
    if (!(yield* tryLane(laneOf(job)))) continue;
    const isFinished = job.stage !== null && takesNoJob(policy, job.stage, job.agent);
    const change = isFinished ? becomesCancelled(toStored(at)) : raw("status = 'queued'");
    const changed = yield* first(sql`UPDATE jobs SET ${change}, due_ms = NULL, ${WRITTEN}
      WHERE id = ${job.job_id} AND status = 'delayed' AND due_ms <= ${at} RETURNING id`);
    if (!changed) continue;
    yield* record(isFinished ? "job.cancelled" : "job.due", job, { actor: GATE_ACTOR });
    queued += 1;
  }
  return queued;
}
