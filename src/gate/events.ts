/** The record of every change: one row, in the change's own transaction. */

import { now, run, type Tx } from "../store/port.ts";
import { sql } from "../store/sql.ts";
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
  | "job.cancelled";

/** What an event is about. A row of `tasks` or `jobs` carries it under these names. */
export interface Subject {
  readonly repo: string | null;
  readonly task_id?: number | null;
  readonly work_item_id?: string | null;
  readonly job_id?: number;
}

interface Why {
  readonly actor: Actor;
  readonly reason?: string | null | undefined;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** Records one change. `actor` is who asked for it; the gate itself when it acts on its own. */
export function* record(kind: EventKind, subject: Subject, why: Why): Tx<void> {
  const at = toStored(yield* now());
  yield* run(sql`INSERT INTO gate_events(at, kind, repo, task_id, work_item_id, job_id, actor, reason, detail)
    VALUES (${at}, ${kind}, ${subject.repo}, ${subject.task_id ?? null}, ${subject.work_item_id ?? null},
      ${subject.job_id ?? null}, ${why.actor}, ${why.reason ?? null},
      ${why.detail ? JSON.stringify(why.detail) : null})`);
}

/** The name under which the gate's own changes are recorded: leases given back, pauses that ran out. */
export const GATE: Actor = "serial-gate";
