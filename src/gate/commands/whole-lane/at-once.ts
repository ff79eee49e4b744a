/** Pause and resume of all tasks of a short lane, in one transaction. A long lane is changed in steps: steps.ts. */

import { all, first, lockLane, now, type Tx } from "../../../store/port.ts";
import { inlineInteger, list, sql, type Statement } from "../../../store/sql.ts";
import type { LanePauseState, PauseNote, ResumeNote } from "../../../contract/operations.ts";
import { WAITING_STATUSES } from "../../../contract/vocabulary.ts";
import { toIsoOrNull, toStored } from "../../../store/timestamps.ts";
import { withEffect } from "../../rule/effect.ts";
import { unfinished, unfinishedInPart } from "../../rule/lane.ts";
import { forceOf } from "../../rule/scope.ts";
import type { Context } from "../context.ts";
import { familiarity } from "../lookup/repo.ts";
import type { TaskRef } from "../lookup/work-item.ts";
import { RolledBack } from "../outcome.ts";
import { pauseOptions, pauseTasks, resumeOptions, resumeTasks } from "../pause.ts";
import { laneChanged, WRITTEN, WRITTEN_TOGETHER } from "../record.ts";
import { refuseBusyLane } from "./busy.ts";

/** A change of all tasks of a lane. */
export type LaneChange = { readonly repo: string } & (
  | { readonly verb: "pause"; readonly note: PauseNote }
  | { readonly verb: "resume"; readonly note: ResumeNote }
);

/** The value of a change that is too long for one transaction. */
export class LongLane {
  readonly isLong = true;
}

export interface Limits {
  /** Tasks that one transaction changes. */
  readonly tasks: number;
  /** Queued jobs of a lane that one transaction evaluates. */
  readonly jobs: number;
}

/** The tasks that a pause of the whole lane changes. */
export const toPause = unfinishedInPart("tasks", "not paused");

/** Of paused tasks, those that a resume of the whole lane changes: those that were paused together. One that was paused by itself
 *  stays so. One that finished meanwhile is taken back for the jobs that it left: they are held as long as it is paused. */
export const pausedTogether = sql`paused_together = 1 AND (${unfinished("tasks")}
    OR EXISTS (SELECT 1 FROM jobs j WHERE j.task_id = tasks.id AND j.status IN ${list(WAITING_STATUSES)}))`;

/** The tasks that a resume of the whole lane changes. */
export const toResume = sql`paused_at IS NOT NULL AND ${pausedTogether}`;

/** Reads whether a change takes more than a transaction may. */
function* isLong(repo: string, which: Statement, { tasks, jobs }: Limits): Tx<boolean> {
  const lane = yield* first<{ queued: number }>(sql`SELECT queued FROM gate_lanes WHERE repo = ${repo}`);
  if ((lane?.queued ?? 0) > jobs) return true;
  const some = yield* all(
    sql`SELECT id FROM tasks WHERE repo = ${repo} AND ${which} LIMIT ${inlineInteger(tasks + 1)}`,
  );
  return some.length > tasks;
}

/** Changes all tasks of a lane at once.
 *  @throws RolledBack with a BusyLane while another change of it goes on, or with a LongLane
 *  @throws GateError layer_disabled, invalid_request */
export function* changeAtOnce(context: Context, change: LaneChange, limits: Limits): Tx<LanePauseState> {
  const { rules, lookup, reach } = context;
  const { repo } = change;
  const at = yield* now();
  const make =
    change.verb === "pause"
      ? pauseAll(repo, pauseOptions(context, change.note, { at, together: true }))
      : resumeAll(repo, resumeOptions(context.actor, change.note));
  yield* lockLane(repo);
  yield* refuseBusyLane(repo);
  if (yield* isLong(repo, change.verb === "pause" ? toPause : toResume, limits))
    throw new RolledBack(new LongLane());
  const familiar = yield* familiarity(repo, reach, { projects: rules.projects, visible: lookup.visible });
  const changed = yield* withEffect(rules.policy, lookup, [repo], together(context, repo, make));
  const paused_at = change.verb === "pause" ? toStored(at) : null;
  const { effect, tasks } = changed;
  return {
    ...laneState(repo, tasks, paused_at),
    changed: tasks.length,
    ...forceOf(rules.policy, repo),
    ...familiar,
    effect,
  };
}

type Make = (written: Statement) => Tx<TaskRef[]>;

const pauseAll =
  (repo: string, how: Parameters<typeof pauseTasks>[1]): Make =>
  (written) =>
    pauseTasks(sql`repo = ${repo} AND ${toPause}`, how, written);

const resumeAll =
  (repo: string, how: Parameters<typeof resumeTasks>[1]): Make =>
  (written) =>
    resumeTasks(sql`repo = ${repo} AND ${toResume}`, how, written);

/** Changes many tasks of a lane in one statement. While this gate keeps the ready index, triggers leave the lane alone and
 *  it is evaluated once: a trigger for each task would make the change quadratic. */
function* together(
  { rules: { policy }, lookup: { useReadyIndex } }: Context,
  repo: string,
  make: Make,
): Tx<{ tasks: TaskRef[] }> {
  if (!useReadyIndex) return { tasks: yield* make(WRITTEN) };
  const tasks = yield* make(WRITTEN_TOGETHER);
  if (tasks.length > 0) yield* laneChanged(policy, repo);
  return { tasks };
}

/** The lane and its tasks as an answer has them.
 *  @param paused_at as it is stored; null after a resume */
export const laneState = (
  repo: string,
  tasks: readonly TaskRef[],
  paused_at: string | null,
): Pick<LanePauseState, "repo" | "paused" | "tasks"> => ({
  repo,
  paused: paused_at !== null,
  tasks: tasks.map(({ task_id, work_item_id, stage }) => ({
    task_id,
    work_item_id,
    stage,
    paused_at: toIsoOrNull(paused_at),
  })),
});
