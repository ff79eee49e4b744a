/** Finds the tasks that are stuck: nothing in what they wait for can move by itself. A task is stuck on a job that failed
 *  for good, on a dependency that is paused without an end, or in a cycle. A cycle may run through lanes: a task that
 *  depends on one behind it in its own lane waits for itself. The rows decide; this only tells people. */

import { labelOf } from "../../contract/label.ts";
import { OPEN_STATUSES, WAITING_STATUSES } from "../../contract/vocabulary.ts";
import { all, type Tx } from "../../store/port.ts";
import { list, raw, sql, type Statement } from "../../store/sql.ts";
import { holdsLane, unfinished } from "../rule/lane.ts";
import type { Policy } from "../rule/policy.ts";
import { unfinishedDependencies } from "../rule/reasons/dependency.ts";
import type { Remedy } from "../rule/remedy.ts";
import { hasLane, isEntryJob } from "../rule/scope.ts";

/** An unfinished task, and the tasks that it waits for. */
export interface BlockedTask {
  readonly task_id: number;
  readonly repo: string;
  readonly work_item_id: string | null;
  /** True while it is paused without an end. */
  readonly paused: boolean;
  /** Its last job, where that failed and no other is open. */
  readonly failed: { readonly job_id: number; readonly agent: string; readonly error: string | null } | null;
  /** The unfinished dependencies of its waiting entry job. */
  readonly needs: readonly number[];
  /** The nearest task ahead of it in its lane that may stay there for long. */
  readonly behind: number | null;
}

export type BlockedTasks = ReadonlyMap<number, BlockedTask>;

export type Cause =
  | { readonly kind: "failed"; readonly task: BlockedTask }
  | { readonly kind: "paused"; readonly task: BlockedTask; readonly needed: BlockedTask }
  | { readonly kind: "cycle"; readonly task: BlockedTask; readonly path: readonly BlockedTask[] };

/** Reads the tasks that hold a lane and may do so for long, by id: they have a dependency or a job that failed. */
type ReadSlowTasks = (repo: string) => Tx<readonly number[]>;

interface BlockedRow {
  readonly task_id: number;
  readonly repo: string;
  readonly work_item_id: string | null;
  readonly paused: number;
  readonly waits: number;
  readonly job_id: number | null;
  readonly agent: string | null;
  readonly error: string | null;
}

/** Tasks that one statement reads. */
const BATCH = 500;

const OPEN = list(OPEN_STATUSES);

/** True for a task whose entry job has not started. */
const waitsToEnter = (policy: Policy, task: string): Statement =>
  sql`EXISTS (SELECT 1 FROM jobs e WHERE e.task_id = ${raw(task)}.id AND ${isEntryJob(policy, "e")}
    AND e.status IN ${list(WAITING_STATUSES)})`;

const blockedAmong = (policy: Policy, ids: readonly number[]): Statement =>
  sql`SELECT t.id AS task_id, t.repo, t.work_item_id,
    CASE WHEN t.paused_at IS NOT NULL AND t.resume_ms IS NULL THEN 1 ELSE 0 END AS paused,
    CASE WHEN ${waitsToEnter(policy, "t")} THEN 1 ELSE 0 END AS waits, last.id AS job_id, last.agent, last.error
  FROM tasks t LEFT JOIN jobs last ON last.id = (SELECT MAX(j.id) FROM jobs j WHERE j.task_id = t.id)
    AND last.status = 'failed'
    AND NOT EXISTS (SELECT 1 FROM jobs o WHERE o.task_id = t.id AND o.status IN ${OPEN})
  WHERE t.id IN ${list(ids)} AND ${unfinished("t")}`;

const needsAmong = (ids: readonly number[]): Statement =>
  sql`SELECT d.task_id, needed.id AS needed_id FROM ${unfinishedDependencies(raw("d.task_id"))} AND d.task_id IN ${list(ids)}
  ORDER BY needed.id`;

/** Reads which of the tasks have an unfinished dependency. */
export function* dependentAmong(tasks: readonly number[]): Tx<Set<number>> {
  const dependent = new Set<number>();
  for (let at = 0; at < tasks.length; at += BATCH)
    for (const { task_id } of yield* all<{ task_id: number }>(needsAmong(tasks.slice(at, at + BATCH))))
      dependent.add(task_id);
  return dependent;
}

/** Reads the tasks that hold a lane and may do so for long. */
export function* slowIn(policy: Policy, repo: string): Tx<number[]> {
  const holding = sql`t.repo = ${repo} AND ${holdsLane(policy, "t")}`;
  const rows = yield* all<{
    id: number;
  }>(sql`SELECT t.id FROM tasks t CROSS JOIN ${unfinishedDependencies(raw("t.id"))}
      AND ${holding} AND ${waitsToEnter(policy, "t")}
    UNION SELECT t.id FROM jobs f JOIN tasks t ON t.id = f.task_id
      WHERE f.repo = ${repo} AND f.status = 'failed' AND ${holding}
        AND NOT EXISTS (SELECT 1 FROM jobs o WHERE o.task_id = t.id AND o.status IN ${OPEN})
    ORDER BY 1`);
  return rows.map(({ id }) => id);
}

/** The highest of some ascending numbers that is lower than `id`. */
const nextBelow = (id: number, ascending: readonly number[]): number | null => {
  let below = 0;
  for (let end = ascending.length; below < end;) {
    const middle = (below + end) >> 1;
    if ((ascending[middle] ?? id) < id) below = middle + 1;
    else end = middle;
  }
  return ascending[below - 1] ?? null;
};

/** Reads the tasks, with all tasks that they wait for, directly or not. */
export function* blockedTasksFrom(
  policy: Policy,
  tasks: readonly number[],
  readSlow: ReadSlowTasks,
): Tx<Map<number, BlockedTask>> {
  const blocked = new Map<number, BlockedTask>();
  const lanes = new Map<string, readonly number[]>();
  let open = [...new Set(tasks)];
  while (open.length > 0) {
    const batch = open.splice(0, BATCH);
    const rows = yield* all<BlockedRow>(blockedAmong(policy, batch));
    const entering = rows.filter(({ waits }) => waits === 1);
    const needs = new Map<number, number[]>();
    if (policy.dependencies && entering.length > 0)
      for (const { task_id, needed_id } of yield* all<{ task_id: number; needed_id: number }>(
        needsAmong(entering.map(({ task_id }) => task_id)),
      ))
        needs.set(task_id, [...(needs.get(task_id) ?? []), needed_id]);
    for (const { task_id, repo, work_item_id, paused, waits, job_id, agent, error } of rows) {
      const inLane = waits === 1 && hasLane(policy, repo);
      if (inLane && !lanes.has(repo)) lanes.set(repo, yield* readSlow(repo));
      blocked.set(task_id, {
        task_id,
        repo,
        work_item_id,
        paused: paused === 1,
        failed: job_id === null || agent === null ? null : { job_id, agent, error },
        needs: needs.get(task_id) ?? [],
        behind: inLane ? nextBelow(task_id, lanes.get(repo) ?? []) : null,
      });
    }
    const next = rows.flatMap(({ task_id }) => blockersOf(blocked.get(task_id)));
    open = [...new Set([...open, ...next])].filter((id) => !blocked.has(id) && !batch.includes(id));
  }
  return blocked;
}

const blockersOf = (task: BlockedTask | undefined): number[] =>
  task ? [...task.needs, ...(task.behind === null ? [] : [task.behind])] : [];

/** The tasks in a cycle, or behind one: the rest once the tasks without a blocker are taken away, then those that waited
 *  for them only, and so on. */
const unreachable = (tasks: BlockedTasks): Map<number, readonly BlockedTask[]> => {
  const left = new Map<number, number>();
  const waitedForBy = new Map<number, number[]>();
  for (const task of tasks.values()) {
    const others = blockersOf(task).filter((id) => tasks.has(id));
    left.set(task.task_id, others.length);
    for (const id of others) waitedForBy.set(id, [...(waitedForBy.get(id) ?? []), task.task_id]);
  }
  const free = [...left].filter(([, count]) => count === 0).map(([id]) => id);
  for (let id = free.pop(); id !== undefined; id = free.pop()) {
    left.delete(id);
    for (const waiting of waitedForBy.get(id) ?? []) {
      const count = (left.get(waiting) ?? 0) - 1;
      left.set(waiting, count);
      if (count === 0) free.push(waiting);
    }
  }
  return new Map(
    [...left.keys()].map((id) => [
      id,
      blockersOf(tasks.get(id))
        .flatMap((other) => (left.has(other) ? [tasks.get(other)] : []))
        .filter((other) => other !== undefined),
    ]),
  );
};

/** The cycles: from every unreachable task along its blockers, until one comes again. */
const cyclesIn = (tasks: BlockedTasks): Map<number, readonly BlockedTask[]> => {
  const next = unreachable(tasks);
  const cycles = new Map<number, readonly BlockedTask[]>();
  const seen = new Set<number>();
  for (const start of next.keys()) {
    const walk: BlockedTask[] = [];
    let at = tasks.get(start);
    while (at && !seen.has(at.task_id)) {
      seen.add(at.task_id);
      walk.push(at);
      at = next.get(at.task_id)?.[0];
    }
    const closes = walk.findIndex((each) => each === at);
    if (closes < 0) continue;
    const cycle = walk.slice(closes);
    cycle.forEach((each, place) => {
      cycles.set(each.task_id, [...cycle.slice(place), ...cycle.slice(0, place + 1)]);
    });
  }
  return cycles;
};

/** The cause of each task that is stuck itself; tasks that only wait behind one are left out. */
export const causesIn = (tasks: BlockedTasks): Map<number, Cause> => {
  const causes = new Map<number, Cause>();
  for (const [id, path] of cyclesIn(tasks)) {
    const task = tasks.get(id);
    if (task) causes.set(id, { kind: "cycle", task, path });
  }
  for (const task of tasks.values()) {
    if (causes.has(task.task_id)) continue;
    const needed = task.needs.map((id) => tasks.get(id)).find((each) => each?.paused);
    if (task.failed) causes.set(task.task_id, { kind: "failed", task });
    else if (needed) causes.set(task.task_id, { kind: "paused", task, needed });
  }
  return causes;
};

/** The cause that a task waits for: its own, else the nearest; undefined for a task that is not stuck. */
export const causeFor = (tasks: BlockedTasks, task: number): Cause | undefined => {
  const causes = causesIn(tasks);
  const seen = new Set([task]);
  for (const id of seen) {
    const cause = causes.get(id);
    if (cause) return cause;
    for (const other of blockersOf(tasks.get(id))) seen.add(other);
  }
  return undefined;
};

/** Characters of a job's error in a sentence. */
const ERROR_SHOWN = 200;

const label = ({ task_id: id, work_item_id, repo }: BlockedTask, among: string): string =>
  labelOf({ id, work_item_id, repo }, among);

/** Describes a cause in a clause about the task itself, for people. */
export const describeCause = (cause: Cause): string => {
  const { repo } = cause.task;
  switch (cause.kind) {
    case "failed": {
      const { job_id = 0, agent = "", error = null } = cause.task.failed ?? {};
      return `its job ${job_id} (${agent}) failed${error === null ? "" : `: ${error.slice(0, ERROR_SHOWN)}`}`;
    }
    case "paused":
      return `it depends on ${label(cause.needed, repo)}, which is paused without an end`;
    case "cycle":
      return `it waits for itself: ${cause.path.map((task) => label(task, repo)).join(" -> ")}`;
  }
};

/** The calls that end a cause. */
export const remediesFor = (cause: Cause): Remedy[] => {
  switch (cause.kind) {
    case "failed":
      return cause.task.failed ? [{ action: "retry", job_id: cause.task.failed.job_id }] : [];
    case "paused": {
      const { repo, work_item_id: work_item } = cause.needed;
      return work_item === null ? [] : [{ action: "resume", repo, work_item }];
    }
    case "cycle": {
      const [task, ...rest] = cause.path;
      let before = task;
      for (const next of rest) {
        // A task that is ahead in a lane lets the others pass while it is paused.
        if (before?.behind === next.task_id && next.work_item_id !== null)
          return [{ action: "pause", repo: next.repo, work_item: next.work_item_id }];
        before = next;
      }
      const needed = rest[0];
      return needed
        ? [
            {
              action: "cancel",
              task_id: needed.task_id,
              repo: needed.repo,
              work_item: needed.work_item_id,
            },
          ]
        : [];
    }
  }
};
