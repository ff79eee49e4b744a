/** The record of every change: one row, in the change's own transaction. What other programs write is recorded by
 *  triggers (migration 009), which know our own changes by the count that each of them moves. */

import { now, run, type Tx } from "../../store/port.ts";
import { raw, rowsOf, sql } from "../../store/sql.ts";
import { OWN_WRITE, type EventKind } from "../../contract/vocabulary.ts";
import { nameOf, sourceOf, type Actor, type Policy } from "../rule/policy.ts";
import { reevaluateLane } from "../rule/ready-index.ts";
import { toStored } from "../../store/timestamps.ts";

/** Part of every UPDATE of a task, a job or a freeze that is recorded here; an INSERT begins at 1. */
export const WRITTEN = raw(`gate_writes = gate_writes + ${OWN_WRITE.alone}`);

/** The same in an UPDATE of many rows, for which the command does once what triggers would do for each: of tasks of one lane, to
 *  move the lane's revision and to evaluate its jobs (`laneChanged`); of jobs that are claimed, to give their lanes to
 *  their tasks (`acquireLanes`). */
export const WRITTEN_TOGETHER = raw(`gate_writes = gate_writes + ${OWN_WRITE.together}`);

/** Does once for a lane what triggers do for each task. Its row is locked. */
export function* laneChanged(policy: Policy, repo: string): Tx<void> {
  yield* run(sql`UPDATE gate_lanes SET revision = revision + 1 WHERE repo = ${repo}`);
  yield* reevaluateLane(policy, repo);
}

/** The subject of an event. A row of `tasks` or `jobs` carries it under these names. */
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

/** One change, as it is recorded. `actor` is who asked for it; the gate itself when it acts on its own. */
export type Change = readonly [kind: EventKind, subject: Subject, why: Why];

const INTO_EVENTS = raw(
  "INSERT INTO gate_events(at, kind, repo, task_id, work_item_id, job_id, actor, by_source, reason, detail)",
);

const written = (detail: Why["detail"]): string | null =>
  detail === undefined ? null : JSON.stringify(detail);

/** Records changes, in their order, in one statement. */
export function* recordAll(changes: readonly Change[]): Tx<void> {
  const [change, ...others] = changes;
  if (!change) return;
  if (others.length === 0) {
    yield* record(...change);
    return;
  }
  const at = toStored(yield* now());
  const rows = changes.map(([kind, { repo, task_id, work_item_id, job_id }, { actor, reason, detail }]) => ({
    kind,
    repo,
    task_id,
    work_item_id,
    job_id,
    actor: nameOf(actor),
    by_source: sourceOf(actor),
    reason,
    detail: written(detail),
  }));
  yield* run(sql`${INTO_EVENTS}
    SELECT ${at}, value ->> 'kind', value ->> 'repo', CAST(value ->> 'task_id' AS BIGINT), value ->> 'work_item_id',
      CAST(value ->> 'job_id' AS BIGINT), value ->> 'actor', value ->> 'by_source', value ->> 'reason', value ->> 'detail'
    FROM ${rowsOf(rows.entries())} AS told ORDER BY CAST(key AS BIGINT)`);
}

/** Records one change. */
export function* record(kind: EventKind, subject: Subject, { actor, reason, detail }: Why): Tx<void> {
  const { repo, task_id = null, work_item_id = null, job_id = null } = subject;
  const at = toStored(yield* now());
  yield* run(sql`${INTO_EVENTS}
    VALUES (${at}, ${kind}, ${repo}, ${task_id}, ${work_item_id}, ${job_id}, ${nameOf(actor)}, ${sourceOf(actor)}, ${reason ?? null}, ${written(detail)})`);
}
