/** The pause: a paused task does not hold its lane. It bypasses neither a freeze nor a dependency. */

import { all, first, now, run, tryLane, type Tx } from "../../store/port.ts";
import { idsIn, raw, sql, when, type Statement } from "../../store/sql.ts";
import { withEffect } from "../rule/effect.ts";
import { GateError } from "../../contract/errors.ts";
import type { Context } from "./context.ts";
import { recordAll, WRITTEN, type Why } from "./record.ts";
import { type EventKind, isTerminal } from "../../contract/vocabulary.ts";
import type { ClaimedJob } from "../../contract/jobs.ts";
import type { PauseNote, PauseState, ResumeNote } from "../../contract/operations.ts";
import type { TaskSelector } from "../../contract/scalars.ts";
import { GATE_ACTOR, nameOf, whoActs, type Actor } from "../rule/policy.ts";
import { heldReason } from "../rule/predicate.ts";
import { forceOf, isEntryJob } from "../rule/scope.ts";
import { toIso, toIsoOrNull, toStored } from "../../store/timestamps.ts";
import { losesLane, takesPlaceBack } from "../../store/triggers/lane-state.ts";
import { instantIn } from "../instant.ts";
import { resolveInLane, type TaskRef } from "./lookup/work-item.ts";
import { refuseBusyLane } from "./whole-lane/busy.ts";

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

const state = (task: TaskRef, paused_at: string | null, changed: boolean): Pause => ({
  work_item_id: task.work_item_id,
  task_id: task.task_id,
  repo: task.repo,
  stage: task.stage,
  paused: paused_at !== null,
  paused_at: toIsoOrNull(paused_at),
  changed,
});

/** Milliseconds since 1970 UTC.
 *  @param pointer where the end is in the body */
const until = (note: PauseNote, at: number, pointer: string): number | null => {
  if (note.until === undefined) return null;
  const ms = instantIn(note.until, pointer);
  if (ms > at) return ms;
  throw new GateError("invalid_request", `A pause cannot end in the past (${note.until}).`, {
    faults: [{ in: "body", pointer, detail: "must be in the future" }],
  });
};

/** How a task is paused. */
export interface PauseOptions {
  readonly actor: Actor;
  /** Milliseconds since 1970 UTC. */
  readonly at: number;
  /** Milliseconds since 1970 UTC. */
  readonly ends: number | null;
  readonly reason: string | undefined;
  readonly together: boolean;
}

/** @param at the time now, in milliseconds since 1970 UTC
 *  @throws GateError layer_disabled, invalid_request for an end in the past */
export const pauseOptions = (
  { rules, actor }: Context,
  note: PauseNote,
  { at, together = false, pointer = "/until" }: { at: number; together?: boolean; pointer?: string },
): PauseOptions => {
  if (!rules.policy.pause)
    throw new GateError("layer_disabled", "The pause is switched off.", {
      hint: "Start the service with SERIAL_GATE_PAUSE_ENABLED=true.",
    });
  const ends = until(note, at, pointer);
  return { actor: whoActs(actor, note.by), at, ends, reason: note.reason, together };
};

/** Pauses the tasks that the condition names; returns them by id.
 *  @param written how the statement counts: many tasks together, or one */
export function* pauseTasks(
  which: Statement,
  { actor, at, ends, reason, together }: PauseOptions,
  written = WRITTEN,
): Tx<TaskRef[]> {
  const endsAt = ends === null ? null : toStored(ends);
  const paused =
    yield* all<TaskRef>(sql`UPDATE tasks SET paused_at = ${toStored(at)}, paused_by = ${nameOf(actor)},
      pause_reason = ${reason ?? null}, pause_until = ${endsAt}, resume_ms = ${ends},
      paused_together = ${together ? 1 : 0}, updated_at = ${toStored(at)}, ${losesLane}, ${written}
    WHERE ${which} RETURNING ${TASK_REF}`);
  const detail = { until: toIsoOrNull(endsAt), ...(together ? { together } : {}) };
  return yield* recorded("task.paused", paused, { actor, reason, detail });
}

/** How a task is taken back. */
export interface ResumeOptions {
  readonly actor: Actor;
  readonly reason: string | undefined;
  readonly answer?: string | undefined;
}

/** Keeps an answer for the task's next claims, in the place of an earlier one. */
const answered = ({ actor, answer }: ResumeOptions, at: string): Statement =>
  sql`answer = ${answer ?? null}, answered_by = ${nameOf(actor)}, answered_at = ${at}, answer_told_job_id = NULL`;

const whyOf = ({ actor, reason, answer }: ResumeOptions): Why => ({
  actor,
  reason,
  ...(answer === undefined ? {} : { detail: { answer } }),
});

/** Takes the tasks back that the condition names; returns them by id. */
export function* resumeTasks(which: Statement, how: ResumeOptions, written = WRITTEN): Tx<TaskRef[]> {
  const at = toStored(yield* now());
  const answer = when(how.answer !== undefined, sql`, ${answered(how, at)}`);
  const back =
    yield* all<TaskRef>(sql`UPDATE tasks SET paused_at = NULL, paused_by = NULL, pause_reason = NULL,
      pause_until = NULL, resume_ms = NULL, paused_together = 0, updated_at = ${at},
      ${takesPlaceBack}, ${written}${answer}
    WHERE ${which} RETURNING ${TASK_REF}`);
  return yield* recorded("task.resumed", back, whyOf(how));
}

/** Answers a task that is not paused any more: its pause may have ended by itself while a person was writing. */
function* answerTask(task: TaskRef, how: ResumeOptions): Tx<void> {
  const at = toStored(yield* now());
  yield* run(
    sql`UPDATE tasks SET ${answered(how, at)}, updated_at = ${at}, ${WRITTEN} WHERE ${itself(task)}`,
  );
  yield* recordAll([["task.answered", task, whyOf(how)]]);
}

export const TASK_REF = raw("id AS task_id, repo, work_item_id, stage");

function* recorded(kind: EventKind, tasks: TaskRef[], why: Why): Tx<TaskRef[]> {
  tasks.sort((a, b) => a.task_id - b.task_id);
  yield* recordAll(tasks.map((task) => [kind, task, why]));
  return tasks;
}

const itself = ({ task_id }: TaskRef): Statement => sql`id = ${task_id}`;

/** A change that is taken back in any case need not wait for a verb for the whole lane. */
interface Trial {
  readonly isTrial?: boolean;
}

/** Pauses a task. One that is paused stays as it is.
 *  @throws RolledBack with a BusyLane while a verb for the whole lane goes on
 *  @throws GateError layer_disabled, invalid_request, unknown_task, unknown_work_item, ambiguous_work_item, task_terminal */
export function* pause(
  context: Context,
  selector: TaskSelector,
  note: PauseNote,
  { isTrial = false }: Trial = {},
): Tx<PauseState> {
  const { policy } = context.rules;
  const how = pauseOptions(context, note, { at: yield* now() });
  const task = yield* resolveInLane(selector, context.reach);
  if (!isTrial) yield* refuseBusyLane(task.repo);
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

/** Pauses a task whose lane is locked; one that is paused stays as it is. */
export function* pauseUnlessPaused(task: TaskRef, how: PauseOptions): Tx<Pause> {
  const turned = yield* pauseTasks(sql`${itself(task)} AND paused_at IS NULL`, how);
  return turned.length > 0 ? state(task, toStored(how.at), true) : state(task, yield* pausedAt(task), false);
}

/** Takes a task back into its lane, also while the pause is switched off. One that is not paused stays as it is, but that
 *  it takes the answer.
 *  @throws GateError invalid_request, unknown_task, unknown_work_item, ambiguous_work_item, task_terminal for an answer that
 *    no job of the task would get */
export function* resume(
  { rules: { policy }, lookup, actor, reach }: Context,
  selector: TaskSelector,
  note: ResumeNote,
  { isTrial = false }: Trial = {},
): Tx<PauseState> {
  const how = resumeOptions(actor, note);
  const task = yield* resolveInLane(selector, reach);
  if (!isTrial) yield* refuseBusyLane(task.repo);
  if (how.answer !== undefined && isTerminal(task.stage))
    throw new GateError(
      "task_terminal",
      `The task ${task.work_item_id ?? task.task_id} is ${task.stage}: it waits for no answer.`,
    );
  const resumed = yield* withEffect(policy, lookup, [task.repo], resumeIfPaused(task, how));
  return { ...resumed, ...forceOf(policy, task.repo), still_claimable: false };
}

export const resumeOptions = (actor: Actor, { by, reason, answer }: ResumeNote): ResumeOptions => ({
  actor: whoActs(actor, by),
  reason,
  answer,
});

function* resumeIfPaused(task: TaskRef, how: ResumeOptions): Tx<Pause> {
  if ((yield* pausedAt(task)) !== null) {
    yield* resumeTasks(itself(task), how);
    return state(task, null, true);
  }
  if (how.answer !== undefined) yield* answerTask(task, how);
  return state(task, null, false);
}

type Answer = NonNullable<ClaimedJob["resumed"]>;

/** The answer that the task's next job goes on with, told to a job that is claimed. */
export function* tellAnswer(taskId: number, jobId: number): Tx<Answer | null> {
  const task = yield* first<{
    answer: string | null;
    answered_by: string | null;
    answered_at: string | null;
  }>(
    sql`UPDATE tasks SET answer_told_job_id = ${jobId} WHERE id = ${taskId}
      RETURNING answer, answered_by, answered_at`,
  );
  if (!task?.answered_at) return null;
  return { answer: task.answer ?? "", by: task.answered_by, at: toIso(task.answered_at) };
}

/** A job that was told of the answer to its task has done its work with it. */
export function* forgetAnswers(
  jobs: readonly {
    readonly job_id: number;
    readonly task_id: number | null;
    readonly answer_told_job_id: number | null;
  }[],
): Tx<void> {
  const tasks = jobs.flatMap(({ job_id, task_id, answer_told_job_id }) =>
    task_id !== null && answer_told_job_id === job_id ? [task_id] : [],
  );
  if (tasks.length > 0)
    yield* run(sql`UPDATE tasks SET answer = NULL, answered_by = NULL, answered_at = NULL, answer_told_job_id = NULL
      WHERE id IN ${idsIn(tasks)}`);
}

/** Resumes the tasks whose pause has run out, at most `limit`, but for lanes that others hold; returns how many. */
export function* resumeExpired(limit: number): Tx<number> {
  const at = yield* now();
  const isOver = sql`paused_at IS NOT NULL AND resume_ms <= ${at}`;
  const due = yield* all<TaskRef>(sql`SELECT ${TASK_REF} FROM tasks
    WHERE ${isOver} ORDER BY resume_ms, id LIMIT ${limit}`); // By id alone, SQLite would walk all tasks.
  let resumed = 0;
  for (const task of due) {
    if (!(yield* tryLane(task.repo))) continue;
    const back = yield* resumeTasks(sql`${itself(task)} AND ${isOver}`, {
      actor: GATE_ACTOR,
      reason: "the pause ended",
    });
    resumed += back.length;
  }
  return resumed;
}
