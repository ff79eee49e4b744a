/** The record of every change: one row, in the change's own transaction. What other programs write is recorded by
 *  triggers (migration 009), which know our own changes by the count that each of them moves. */

import { now, run, type Tx } from "../store/port.ts";
import { raw, sql } from "../store/sql.ts";
import type { Actor } from "./policy.ts";
import { toStored } from "./time.ts";

export type EventKind =
  | "task.created"
  | "task.stage"
  | "task.cancelled"
  | "task.paused"
  | "task.resumed"
  | "repo.frozen"
  | "repo.unfrozen"
  | "job.created"
  | "job.claimed"
  | "job.completed"
  | "job.delayed"
  | "job.failed"
  | "job.released"
  | "job.lapsed"
  | "job.due"
  | "job.retried"
  | "job.cancelled"
  // Only other programs do these.
  | "task.moved"
  | "task.deleted"
  | "job.changed"
  | "job.moved"
  | "job.deleted"
  | "dependency.added"
  | "dependency.removed";

/** Part of every UPDATE of a task, a job or a freeze that is recorded here; an INSERT begins at 1. */
export const WRITTEN = raw("gate_writes = gate_writes + 1");

/** What an event is about. A row of `tasks` or `jobs` carries it under these names. */
export interface Subject {
  readonly repo: string | null;
  readonly task_id?: number | null;
  readonly work_item_id?: string | null;
  readonly job_id?: number;
}

export interface Why {
  readonly actor: Actor;
  readonly reason?: string | null | undefined;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** Records changes, in their order. `actor` is who asked for it; the gate itself when it acts on its own. */
export function* recordAll(kind: EventKind, changes: readonly (readonly [Subject, Why])[]): Tx<void> {
  const at = toStored(yield* now());
  const rows = changes.map(([{ repo, task_id, work_item_id, job_id }, { actor, reason, detail }]) => ({
    repo,
    task_id,
    work_item_id,
    job_id,
    actor,
    reason,
    detail: detail && JSON.stringify(detail),
  }));
  yield* run(sql`INSERT INTO gate_events(at, kind, repo, task_id, work_item_id, job_id, actor, reason, detail)
    SELECT ${at}, ${kind}, value ->> 'repo', CAST(value ->> 'task_id' AS BIGINT), value ->> 'work_item_id',
      CAST(value ->> 'job_id' AS BIGINT), value ->> 'actor', value ->> 'reason', value ->> 'detail'
    FROM json_each(${JSON.stringify(Object.fromEntries(rows.entries()))}) ORDER BY CAST(key AS BIGINT)`);
}

/** Records one change: see `recordAll`. */
export function* record(kind: EventKind, subject: Subject, why: Why): Tx<void> {
  yield* recordAll(kind, [[subject, why]]);
}

/** The name under which the gate's own changes are recorded: leases given back, pauses that ran out. */
export const GATE: Actor = "serial-gate";
