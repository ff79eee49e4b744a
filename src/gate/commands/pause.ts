/** The pause: a parked task does not hold its lane. It bypasses neither a freeze nor a dependency. */

import { all, first, lockLane, now, tryLane, type Tx } from "../../store/port.ts";
import { raw, sql, type Statement } from "../../store/sql.ts";
import { withEffect } from "../rule/effect.ts";
import { GateError } from "../../contract/errors.ts";
import type { BatchContext, Context } from "./context.ts";
import { laneChanged, recordAll, WRITTEN, WRITTEN_TOGETHER, type Why } from "./record.ts";
import { type EventKind, isTerminal } from "../../contract/vocabulary.ts";
import type { LanePauseState, PauseNote, PauseState } from "../../contract/operations.ts";
import type { Note, TaskSelector } from "../../contract/scalars.ts";
import { GATE_ACTOR, whoActs, type Actor } from "../rule/policy.ts";
import { unfinished } from "../rule/lane.ts";
import { heldReason } from "../rule/predicate.ts";
import { forceOf, isEntryJob } from "../rule/scope.ts";
import { toIsoOrNull, toStored } from "../../store/timestamps.ts";
import { losesLane, takesPlaceBack } from "../../store/triggers/lane-state.ts";
import { familiarity } from "./lookup/repo.ts";
import { instantIn } from "../instant.ts";
import { resolveInLane, type TaskRef } from "./lookup/work-item.ts";

function* pausedAt(task: TaskRef): Tx<string | null> {
  const row = yield* first<{ paused_at: string | null }>(
    sql`SELECT paused_at FROM tasks WHERE id = ${task.task_id}`,
  );
  return row?.paused_at ?? null;
}

type Pause = Pick<
  PauseState,
  "work_item_id" | "task_id" | "repo" | "stage" | "paused" | "paused_at" | "changed"
>;
type LanePause = Pick<LanePauseState, "repo" | "paused" | "changed" | "tasks">;

const state = (task: TaskRef, paused_at: string | null, changed: boolean): Pause => ({
  work_item_id: task.work_item_id,
  task_id: task.task_id,
  repo: task.repo,
  stage: task.stage,
  paused: paused_at !== null,
  paused_at: toIsoOrNull(paused_at),
  changed,
});

/** Milliseconds since 1970 UTC. */
const until = (note: PauseNote, at: number): number | null => {
  if (note.until === undefined) return null;
  const ms = instantIn(note.until, "/until");
  if (ms > at) return ms;
  throw new GateError("invalid_request", `A pause cannot end in the past (${note.until}).`, {
    faults: [{ in: "body", pointer: "/until", detail: "must be in the future" }],
  });
};

/** How a task is parked. */
interface PauseOptions {
  readonly actor: Actor;
  /** Milliseconds since 1970 UTC. */
  readonly at: number;
  /** Milliseconds since 1970 UTC. */
  readonly ends: number | null;
  readonly reason: string | undefined;
  readonly together: boolean;
}

/** @throws GateError layer_disabled, invalid_request for an end in the past */
function* pauseOptions({ rules, actor }: Context, note: PauseNote, together: boolean): Tx<PauseOptions> {
  if (!rules.policy.pause)
    throw new GateError("layer_disabled", "The pause is switched off.", {
      hint: "Start the service with SERIAL_GATE_PAUSE_ENABLED=true.",
    });
  const at = yield* now();
  return { actor: whoActs(actor, note.by), at, ends: until(note, at), reason: note.reason, together };
}

/** Pauses the tasks that the condition names; returns them by id.
 *  @param written how the statement counts: many tasks together, or one */
function* pauseTasks(
  which: Statement,
  { actor, at, ends, reason, together }: PauseOptions,
  written = WRITTEN,
): Tx<TaskRef[]> {
  const endsAt = ends === null ? null : toStored(ends);
  const parked = yield* all<TaskRef>(sql`UPDATE tasks SET paused_at = ${toStored(at)}, paused_by = ${actor},
      pause_reason = ${reason ?? null}, pause_until = ${endsAt}, resume_ms = ${ends},
      paused_together = ${together ? 1 : 0}, updated_at = ${toStored(at)}, ${losesLane}, ${written}
    WHERE ${which} RETURNING ${TASK_REF}`);
  const detail = { until: toIsoOrNull(endsAt), ...(together ? { together } : {}) };
  return yield* recorded("task.paused", parked, { actor, reason, detail });
}

/** Takes the tasks back that the condition names; returns them by id. */
function* resumeTasks(which: Statement, actor: Actor, reason?: string, written = WRITTEN): Tx<TaskRef[]> {
  const back =
    yield* all<TaskRef>(sql`UPDATE tasks SET paused_at = NULL, paused_by = NULL, pause_reason = NULL,
      pause_until = NULL, resume_ms = NULL, paused_together = 0, updated_at = ${toStored(yield* now())},
      ${takesPlaceBack}, ${written}
    WHERE ${which} RETURNING ${TASK_REF}`);
  return yield* recorded("task.resumed", back, { actor, reason });
}

const TASK_REF = raw("id AS task_id, repo, work_item_id, stage");

function* recorded(kind: EventKind, tasks: TaskRef[], why: Why): Tx<TaskRef[]> {
  tasks.sort((a, b) => a.task_id - b.task_id);
  yield* recordAll(tasks.map((task) => [kind, task, why]));
  return tasks;
}

const itself = ({ task_id }: TaskRef): Statement => sql`id = ${task_id}`;

/** Parks a task. One that is parked stays as it is.
 *  @throws GateError layer_disabled, invalid_request, unknown_task, unknown_work_item, ambiguous_work_item, task_terminal */
export function* pause(context: Context, selector: TaskSelector, note: PauseNote): Tx<PauseState> {
  const { policy } = context.rules;
  const how = yield* pauseOptions(context, note, false);
  const task = yield* resolveInLane(selector, context.reach);
  if (isTerminal(task.stage))
    throw new GateError(
      "task_terminal",
      `The task ${task.work_item_id ?? task.task_id} is ${task.stage}: it holds nothing.`,
    );
  const paused = yield* withEffect(policy, context.lookup, [task.repo], pauseUnlessPaused(task, how));
  const still_claimable = yield* hasClaimableEntryJob(context, task);
  return { ...paused, ...forceOf(policy, task.repo), still_claimable };
}

/** True when a claim could still hand out the entry job of a task. */
function* hasClaimableEntryJob({ rules: { policy }, lookup }: Context, task: TaskRef): Tx<boolean> {
  const row =
    yield* first(sql`SELECT j.id FROM jobs j WHERE j.task_id = ${task.task_id} AND j.status = 'queued'
    AND ${isEntryJob(policy, "j")} AND (${heldReason(policy, lookup.visible)}) IS NULL LIMIT 1`);
  return row !== undefined;
}

function* pauseUnlessPaused(task: TaskRef, how: PauseOptions): Tx<Pause> {
  const parked = yield* pauseTasks(sql`${itself(task)} AND paused_at IS NULL`, how);
  return parked.length > 0 ? state(task, toStored(how.at), true) : state(task, yield* pausedAt(task), false);
}

/** Takes a task back into its lane, also while the pause is switched off. One that is not parked stays as it is.
 *  @throws GateError invalid_request, unknown_task, unknown_work_item, ambiguous_work_item */
export function* resume(
  { rules: { policy }, lookup, actor, reach }: Context,
  selector: TaskSelector,
  note: Note,
): Tx<PauseState> {
  const who = whoActs(actor, note.by);
  const task = yield* resolveInLane(selector, reach);
  const resumed = yield* withEffect(policy, lookup, [task.repo], resumeIfPaused(task, who, note.reason));
  return { ...resumed, ...forceOf(policy, task.repo), still_claimable: false };
}

function* resumeIfPaused(task: TaskRef, actor: Actor, reason: string | undefined): Tx<Pause> {
  if ((yield* pausedAt(task)) === null) return state(task, null, false);
  yield* resumeTasks(itself(task), actor, reason);
  return state(task, null, true);
}

// --- All tasks of a repository together

const unfinishedOf = (repo: string, pause: Statement): Statement =>
  sql`repo = ${repo} AND ${unfinished("tasks")} AND ${pause}`;

/** Parks every unfinished task of a repository that is not parked yet.
 *  @throws GateError layer_disabled, invalid_request */
export function* pauseLane(context: Context, repo: string, note: PauseNote): Tx<LanePauseState> {
  const how = yield* pauseOptions(context, note, true);
  return yield* changeLane(context, repo, pauseAll(context, repo, how));
}

/** Changes many tasks of a lane in one statement. While this gate keeps the ready index, triggers leave the lane alone and
 *  it is evaluated once: a trigger for each task would make the change quadratic. */
function* together(
  { rules: { policy }, lookup: { useReadyIndex } }: BatchContext,
  repo: string,
  change: (written: Statement) => Tx<TaskRef[]>,
): Tx<TaskRef[]> {
  if (!useReadyIndex) return yield* change(WRITTEN);
  const tasks = yield* change(WRITTEN_TOGETHER);
  if (tasks.length > 0) yield* laneChanged(policy, repo);
  return tasks;
}

function* pauseAll(context: Context, repo: string, how: PauseOptions): Tx<LanePause> {
  const which = unfinishedOf(repo, raw("paused_at IS NULL"));
  const tasks = yield* together(context, repo, (written) => pauseTasks(which, how, written));
  return laneState(repo, tasks, toStored(how.at));
}

/** Takes back the tasks that were parked together; one that was parked by itself stays so.
 *  @throws GateError invalid_request */
export function* resumeLane(context: Context, repo: string, note: Note): Tx<LanePauseState> {
  const actor = whoActs(context.actor, note.by);
  return yield* changeLane(context, repo, resumeAll({ ...context, actor }, repo, note.reason));
}

/** Makes a change to a lane under its lock, and says what its repository is to the gate. */
function* changeLane(
  { rules: { policy, projects }, lookup, reach }: Context,
  repo: string,
  change: Tx<LanePause>,
): Tx<LanePauseState> {
  yield* lockLane(repo);
  const familiar = yield* familiarity(repo, reach, { projects, visible: lookup.visible });
  const changed = yield* withEffect(policy, lookup, [repo], change);
  return { ...changed, ...forceOf(policy, repo), ...familiar };
}

function* resumeAll(context: Context, repo: string, reason: string | undefined): Tx<LanePause> {
  const which = unfinishedOf(repo, raw("paused_at IS NOT NULL AND paused_together = 1"));
  const tasks = yield* together(context, repo, (written) =>
    resumeTasks(which, context.actor, reason, written),
  );
  return laneState(repo, tasks, null);
}

const laneState = (repo: string, tasks: readonly TaskRef[], paused_at: string | null): LanePause => ({
  repo,
  paused: paused_at !== null,
  changed: tasks.length,
  tasks: tasks.map(({ task_id, work_item_id, stage }) => ({
    task_id,
    work_item_id,
    stage,
    paused_at: toIsoOrNull(paused_at),
  })),
});

/** Resumes the tasks whose pause has run out, at most `limit`, but for lanes that others hold; returns how many. */
export function* resumeExpired(limit: number): Tx<number> {
  const at = yield* now();
  const isOver = sql`paused_at IS NOT NULL AND resume_ms <= ${at}`;
  const due = yield* all<TaskRef>(sql`SELECT ${TASK_REF} FROM tasks
    WHERE ${isOver} ORDER BY resume_ms, id LIMIT ${limit}`); // By id alone, SQLite would walk all tasks.
  let resumed = 0;
  for (const task of due) {
    if (!(yield* tryLane(task.repo))) continue;
    const back = yield* resumeTasks(sql`${itself(task)} AND ${isOver}`, GATE_ACTOR, "the pause ran out");
    resumed += back.length;
  }
  return resumed;
}
