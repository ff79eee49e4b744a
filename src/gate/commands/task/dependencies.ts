/** Dependencies by their names, and the change of those of a living task. The new set replaces the old one; a cycle is refused. Every lane that the decision
 *  reads is locked first, in the order of the names, so that two changes cannot close a cycle together. */

import { all, lockLane, now, one, run, type Tx } from "../../../store/port.ts";
import { idsIn, sql } from "../../../store/sql.ts";
import { toStored } from "../../../store/timestamps.ts";
import { GateError, type InputFault } from "../../../contract/errors.ts";
import { sees, type Reach } from "../../../contract/names/repo-pattern.ts";
import type { ChangedTask, DependencyName, Task, TaskChange } from "../../../contract/tasks.ts";
import { LANE_STATE } from "../../../contract/vocabulary.ts";
import { withEffect } from "../../rule/effect.ts";
import { whoActs, type Actor } from "../../rule/policy.ts";
import { ANOTHERS_TASK } from "../../rule/words.ts";
import type { Context } from "../context.ts";
import { recordAll, WRITTEN, type Change } from "../record.ts";
import { readTask } from "./read.ts";
import { NONE_ENDED, refuseCancelOfGoing, refuseTerminal, reposAround, setStage } from "./stage.ts";
import { ambiguousWorkItem, tasksOf, unknownWorkItem, type TaskRef } from "../lookup/work-item.ts";

/** A dependency is a work item of the task's own repository, else of the one repository that has it. One of a repository
 *  that the caller may not know is unknown.
 *  @param index its place in the list */
export function* resolveDependency(
  { reach }: Context,
  needed: DependencyName,
  { repo, index }: { readonly repo: string; readonly index: number },
): Tx<number> {
  const named = typeof needed === "object";
  const work_item = named ? needed.work_item_id : needed;
  const fault = (detail: string): InputFault[] => [{ in: "body", pointer: `/depends_on/${index}`, detail }];
  const found = yield* tasksOf(work_item, named ? needed.repo : undefined, reach);
  const task = found.find((each) => each.repo === repo) ?? found[0];
  if (!task)
    throw unknownWorkItem(
      named ? { work_item, repo: needed.repo } : { work_item },
      fault("must be the work item of a task that exists"),
    );
  if (found.length > 1 && task.repo !== repo)
    throw ambiguousWorkItem(
      work_item,
      found.map((each) => each.repo),
      fault("must name its repo"),
    );
  return task.task_id;
}

/** A task that others lead to, with one of its own dependencies. */
interface Reached {
  readonly id: number;
  readonly repo: string;
  readonly work_item_id: string | null;
  readonly needs: number | null;
}

/** Reads tasks and all that they depend on, down to the last. */
const readReached = (ids: readonly number[]): Tx<Reached[]> =>
  all<Reached>(sql`WITH RECURSIVE reached(id) AS (
      SELECT t.id FROM tasks t WHERE t.id IN ${idsIn(ids)}
      UNION SELECT d.depends_on_task_id FROM reached r JOIN job_deps d ON d.task_id = r.id)
    SELECT t.id, t.repo, t.work_item_id, d.depends_on_task_id AS needs
    FROM reached r JOIN tasks t ON t.id = r.id LEFT JOIN job_deps d ON d.task_id = t.id
    ORDER BY t.id, d.depends_on_task_id`);

/** The tasks from one to another, both included; undefined where none leads there. */
const pathBetween = (from: number, to: number, reached: readonly Reached[]): number[] | undefined => {
  const cameFrom = new Map<number, number | null>([[from, null]]);
  for (const id of cameFrom.keys()) {
    if (id === to) {
      const path: number[] = [];
      for (let at: number | null = to; at !== null; at = cameFrom.get(at) ?? null) path.unshift(at);
      return path;
    }
    for (const row of reached)
      if (row.id === id && row.needs !== null && !cameFrom.has(row.needs)) cameFrom.set(row.needs, id);
  }
  return undefined;
};

/** @throws GateError dependency_cycle */
const refuseCycle = ({ task, needed }: Wanted, reached: readonly Reached[], reach: Reach): void => {
  const nameOf = new Map(
    reached.map(({ id, repo, work_item_id }) => [
      id,
      sees(reach, repo) ? (work_item_id ?? `task ${id}`) : ANOTHERS_TASK,
    ]),
  );
  needed.forEach((id, index) => {
    const path = pathBetween(id, task.id, reached);
    if (!path) return;
    const names = [task.id, ...path].map((each) => nameOf.get(each) ?? `task ${each}`);
    throw new GateError("dependency_cycle", `The task would wait for itself: ${names.join(" -> ")}.`, {
      faults: [
        { in: "body", pointer: `/depends_on/${index}`, detail: "must not depend on the task, however far" },
      ],
      more: { path: names },
    });
  });
};

interface Wanted {
  readonly task: Task;
  /** The ids of the tasks that it shall depend on. */
  readonly needed: readonly number[];
}

/** Finds the task and its new dependencies, with the lanes of all that the decision reads locked.
 *  @throws GateError unknown_task, unknown_work_item, ambiguous_work_item, dependency_cycle */
function* inLockedLanes(context: Context, id: number, dependencies: readonly DependencyName[]): Tx<Wanted> {
  for (const locked = new Set<string>(); ;) {
    const task = yield* readTask(id);
    const needed: number[] = [];
    for (const [index, dependency] of dependencies.entries())
      needed.push(yield* resolveDependency(context, dependency, { repo: task.repo, index }));
    // A dependency that the caller may not know is not in the set that it sent, and stays.
    needed.push(
      ...task.depends_on.filter(({ repo }) => !sees(context.reach, repo)).map(({ task_id }) => task_id),
    );
    const reached = needed.length > 0 ? yield* readReached(needed) : [];
    const lanes = [...new Set([task.repo, ...reached.map(({ repo }) => repo)])].sort();
    if (lanes.every((lane) => locked.has(lane))) {
      refuseCycle({ task, needed }, reached, context.reach);
      return { task, needed };
    }
    for (const lane of lanes) {
      yield* lockLane(lane);
      locked.add(lane);
    }
  }
}

const refOf = ({ id: task_id, repo, work_item_id, stage }: Task): TaskRef => ({
  task_id,
  repo,
  work_item_id,
  stage,
});

/** Replaces the dependencies of a task whose lane is locked. The same set again changes nothing.
 *  @throws GateError task_terminal */
function* replaceDependencies({ task, needed }: Wanted, actor: Actor, reason?: string): Tx<void> {
  const before = new Set(task.depends_on.map(({ task_id }) => task_id));
  const after = new Set(needed);
  const added = [...after].filter((id) => !before.has(id));
  const dropped = [...before].filter((id) => !after.has(id));
  if (added.length + dropped.length === 0) return;
  refuseTerminal(refOf(task));
  const at = toStored(yield* now());
  if (dropped.length > 0) {
    const rows = sql`task_id = ${task.id} AND depends_on_task_id IN ${idsIn(dropped)}`;
    // A deleted row cannot count its change: the trigger that records other programs' knows ours by the sign.
    yield* run(sql`UPDATE job_deps SET gate_writes = -1 WHERE ${rows}`);
    yield* run(sql`DELETE FROM job_deps WHERE ${rows}`);
  }
  for (const id of added)
    yield* run(sql`INSERT INTO job_deps(task_id, depends_on_task_id, created_at, gate_writes)
      VALUES (${task.id}, ${id}, ${at}, 1)`);
  yield* run(sql`UPDATE tasks SET updated_at = ${at}, ${WRITTEN} WHERE id = ${task.id}`);
  const changeOf =
    (kind: "dependency.added" | "dependency.removed") =>
    (id: number): Change => [kind, refOf(task), { actor, reason, detail: { depends_on: id } }];
  yield* recordAll([
    ...dropped.map(changeOf("dependency.removed")),
    ...added.map(changeOf("dependency.added")),
  ]);
}

/** Changes the dependencies of a task, its stage, or both: then the dependencies first.
 *  @returns `started` with a change of dependencies: true when a job of the task has begun already
 *  @throws GateError unknown_task, task_terminal, invalid_request; for a dependency unknown_work_item, ambiguous_work_item,
 *    dependency_cycle */
export function* changeTask(context: Context, id: number, change: TaskChange): Tx<ChangedTask> {
  const { depends_on, stage, ...note } = change;
  if (depends_on === undefined) {
    if (stage !== undefined) return yield* setStage(context, id, { ...note, stage });
    throw new GateError("invalid_request", "The change names neither a stage nor dependencies.", {
      faults: [{ in: "body", pointer: "", detail: "must have `stage` or `depends_on`" }],
    });
  }
  refuseCancelOfGoing(change);
  const actor = whoActs(context.actor, note.by);
  const wanted = yield* inLockedLanes(context, id, depends_on);
  const repos = yield* reposAround(refOf(wanted.task));
  const changed = function* (): Tx<Omit<ChangedTask, "effect">> {
    yield* replaceDependencies(wanted, actor, note.reason);
    const { lane_state } = yield* one<{ lane_state: number }>(
      sql`SELECT lane_state FROM tasks WHERE id = ${id}`,
    );
    const started = lane_state !== LANE_STATE.none;
    if (stage === undefined) return { task: yield* readTask(id), started, ...NONE_ENDED };
    return { ...(yield* setStage(context, id, { ...note, stage })), started };
  };
  return yield* withEffect(context.rules.policy, context.lookup, repos, changed());
}
