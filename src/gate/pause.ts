/** The pause: a parked task does not hold its lane. It bypasses neither a freeze nor a dependency. */

import { all, first, now, run, tryLane, type Tx } from "../store/port.ts";
import { sql } from "../store/sql.ts";
import { GateError } from "./errors.ts";
import { GATE, record } from "./events.ts";
import type { PauseNote, PauseState, WorkItemQuery } from "./model.ts";
import type { Actor, Rules } from "./policy.ts";
import { TERMINAL } from "./predicate.ts";
import { toIsoOrNull, toStored } from "./time.ts";
import { resolveInLane, type TaskRef } from "./work-item.ts";

function* pausedAt(task: TaskRef): Tx<string | null> {
  const row = yield* first<{ paused_at: string | null }>(
    sql`SELECT paused_at FROM tasks WHERE id = ${task.task_id}`,
  );
  return row?.paused_at ?? null;
}

const state = (task: TaskRef, paused_at: string | null, changed: boolean): PauseState => ({
  work_item_id: task.work_item_id,
  repo: task.repo,
  stage: task.stage,
  paused: paused_at !== null,
  paused_at: toIsoOrNull(paused_at),
  changed,
});

const until = (note: PauseNote, at: number): string | null => {
  if (note.until === undefined) return null;
  const ms = Date.parse(note.until);
  if (ms > at) return toStored(ms);
  throw new GateError("invalid_request", `A pause cannot end in the past (${note.until}).`, {
    faults: [{ in: "body", pointer: "/until", detail: "must be in the future" }],
  });
};

/** Parks a task. One that is parked stays as it is.
 *  @throws GateError layer_disabled, unknown_work_item, ambiguous_work_item, task_terminal */
export function* pause(
  { policy }: Rules,
  actor: Actor,
  query: WorkItemQuery,
  note: PauseNote,
): Tx<PauseState> {
  if (!policy.pause)
    throw new GateError("layer_disabled", "The pause is switched off.", {
      hint: "Start the service with SERIAL_GATE_PAUSE_ENABLED=true.",
    });
  const at = yield* now();
  const ends = until(note, at);
  const task = yield* resolveInLane(query);
  if (TERMINAL.includes(task.stage))
    throw new GateError("task_terminal", `The task ${query.work_item} is ${task.stage}: it holds nothing.`);
  const since = yield* pausedAt(task);
  if (since !== null) return state(task, since, false);
  yield* run(sql`UPDATE tasks SET paused_at = ${toStored(at)}, paused_by = ${actor},
      pause_reason = ${note.reason ?? null}, pause_until = ${ends}, updated_at = ${toStored(at)}
    WHERE id = ${task.task_id}`);
  yield* record("task.paused", task, {
    actor,
    reason: note.reason,
    detail: { until: toIsoOrNull(ends) },
  });
  return state(task, toStored(at), true);
}

function* unpark(task: TaskRef, actor: Actor, reason?: string): Tx<void> {
  yield* run(sql`UPDATE tasks SET paused_at = NULL, paused_by = NULL, pause_reason = NULL, pause_until = NULL,
      updated_at = ${toStored(yield* now())} WHERE id = ${task.task_id}`);
  yield* record("task.resumed", task, { actor, reason });
}

/** Takes a task back into its lane, also while the pause is switched off. One that is not parked stays as it is.
 *  @throws GateError unknown_work_item, ambiguous_work_item */
export function* resume(actor: Actor, query: WorkItemQuery): Tx<PauseState> {
  const task = yield* resolveInLane(query);
  if ((yield* pausedAt(task)) === null) return state(task, null, false);
  yield* unpark(task, actor);
  return state(task, null, true);
}

/** Resumes the tasks whose pause has run out, at most `limit`, but for lanes that others hold; returns how many. */
export function* resumeDue(limit: number): Tx<number> {
  const at = toStored(yield* now());
  const isOver = sql`pause_until <= ${at}`;
  const due = yield* all<TaskRef>(sql`SELECT id AS task_id, repo, work_item_id, stage FROM tasks
    WHERE ${isOver} ORDER BY id LIMIT ${limit}`);
  let resumed = 0;
  for (const task of due) {
    if (!(yield* tryLane(task.repo))) continue;
    if (!(yield* first(sql`SELECT id FROM tasks WHERE id = ${task.task_id} AND ${isOver}`))) continue;
    yield* unpark(task, GATE, "the pause ran out");
    resumed += 1;
  }
  return resumed;
}
