/** Who waits for what cannot happen by itself: for a task that is parked without an end, for one whose job failed, or
 *  in a circle. A circle may run through lanes: a task that needs one behind it in its own lane waits for itself.
 *  The rows decide; this only tells people. */

import { all, type Tx } from "../../store/port.ts";
import { list, raw, sql, type Statement } from "../../store/sql.ts";
import type { Policy } from "../rule/policy.ts";
import { holdsLane, unfinishedDependencies, unfinished } from "../rule/predicate.ts";

/** An unfinished task, and whom it waits for. */
export interface BlockedTask {
  readonly task_id: number;
  readonly repo: string;
  readonly work_item_id: string | null;
  /** Parked, and not for a time only. */
  readonly parked: boolean;
  /** The task's last job failed, and none is left to go on with. */
  readonly failed: { readonly job_id: number; readonly agent: string; readonly error: string | null } | null;
  /** The unfinished tasks that its waiting entry job depends on. */
  readonly needs: readonly number[];
  /** Who is ahead of it in its lane, of those that may be there for long. */
  readonly behind: number | null;
}

export type BlockedTasks = ReadonlyMap<number, BlockedTask>;

export type Cause =
  | { readonly kind: "failed"; readonly task: BlockedTask }
  | { readonly kind: "parked"; readonly task: BlockedTask; readonly needed: BlockedTask }
  | { readonly kind: "circle"; readonly task: BlockedTask; readonly path: readonly BlockedTask[] };

/** The tasks that hold a lane and may do so for long, by id: they have a dependency or a job that failed. */
type SlowIn = (repo: string) => Tx<readonly number[]>;

interface WaiterRow {
  readonly task_id: number;
  readonly repo: string;
  readonly work_item_id: string | null;
  readonly parked: number;
  readonly waits: number;
  readonly job_id: number | null;
  readonly agent: string | null;
  readonly error: string | null;
}

const AT_ONCE = 500;

/** Statuses of a job that is not over. */
const OPEN = raw("('queued', 'delayed', 'running')");

/** The task's entry job has not started. */
const waitsToEnter = (policy: Policy, task: string): Statement =>
  sql`EXISTS (SELECT 1 FROM jobs e WHERE e.task_id = ${raw(task)}.id AND e.agent = ${policy.entryAgent}
    AND e.status IN ('queued', 'delayed'))`;

const waitersAmong = (policy: Policy, ids: readonly number[]): Statement =>
  sql`SELECT t.id AS task_id, t.repo, t.work_item_id,
    CASE WHEN t.paused_at IS NOT NULL AND t.pause_until IS NULL THEN 1 ELSE 0 END AS parked,
    CASE WHEN ${waitsToEnter(policy, "t")} THEN 1 ELSE 0 END AS waits, last.id AS job_id, last.agent, last.error
  FROM tasks t LEFT JOIN jobs last ON last.id = (SELECT MAX(j.id) FROM jobs j WHERE j.task_id = t.id)
    AND last.status = 'failed'
    AND NOT EXISTS (SELECT 1 FROM jobs o WHERE o.task_id = t.id AND o.status IN ${OPEN})
  WHERE t.id IN ${list(ids)} AND ${unfinished("t")}`;

const needsAmong = (ids: readonly number[]): Statement =>
  sql`SELECT d.task_id, needed.id AS needed_id FROM ${unfinishedDependencies(raw("d.task_id"))} AND d.task_id IN ${list(ids)}
  ORDER BY needed.id`;

/** Those of the tasks that have an unfinished dependency. */
export function* dependentAmong(tasks: readonly number[]): Tx<Set<number>> {
  const dependent = new Set<number>();
  for (let at = 0; at < tasks.length; at += AT_ONCE)
    for (const { task_id } of yield* all<{ task_id: number }>(needsAmong(tasks.slice(at, at + AT_ONCE))))
      dependent.add(task_id);
  return dependent;
}

/** The tasks that hold a lane and may do so for long, from the rows. */
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

/** The highest of some ascending numbers that is lower. */
const nextBelow = (id: number, ascending: readonly number[]): number | null => {
  let below = 0;
  for (let end = ascending.length; below < end;) {
    const middle = (below + end) >> 1;
    if ((ascending[middle] ?? id) < id) below = middle + 1;
    else end = middle;
  }
  return ascending[below - 1] ?? null;
};

const hasLanes = ({ enabled, repos }: Policy, repo: string): boolean =>
  enabled && (repos?.includes(repo) ?? true);

/** The tasks, with all whom they wait for, directly or not. */
export function* blockedTasksFrom(
  policy: Policy,
  tasks: readonly number[],
  slow: SlowIn,
): Tx<Map<number, BlockedTask>> {
  const waiters = new Map<number, BlockedTask>();
  const lanes = new Map<string, readonly number[]>();
  let open = [...new Set(tasks)];
  while (open.length > 0) {
    const batch = open.splice(0, AT_ONCE);
    const rows = yield* all<WaiterRow>(waitersAmong(policy, batch));
    const entering = rows.filter(({ waits }) => waits === 1);
    const needs = new Map<number, number[]>();
    if (policy.dependencies && entering.length > 0)
      for (const { task_id, needed_id } of yield* all<{ task_id: number; needed_id: number }>(
        needsAmong(entering.map(({ task_id }) => task_id)),
      ))
        needs.set(task_id, [...(needs.get(task_id) ?? []), needed_id]);
    for (const { task_id, repo, work_item_id, parked, waits, job_id, agent, error } of rows) {
      const inLane = waits === 1 && hasLanes(policy, repo);
      if (inLane && !lanes.has(repo)) lanes.set(repo, yield* slow(repo));
      waiters.set(task_id, {
        task_id,
        repo,
        work_item_id,
        parked: parked === 1,
        failed: job_id === null || agent === null ? null : { job_id, agent, error },
        needs: needs.get(task_id) ?? [],
        behind: inLane ? nextBelow(task_id, lanes.get(repo) ?? []) : null,
      });
    }
    const next = rows.flatMap(({ task_id }) => blockersOf(waiters.get(task_id)));
    open = [...new Set([...open, ...next])].filter((id) => !waiters.has(id) && !batch.includes(id));
  }
  return waiters;
}

const blockersOf = (waiter: BlockedTask | undefined): number[] =>
  waiter ? [...waiter.needs, ...(waiter.behind === null ? [] : [waiter.behind])] : [];

/** The tasks that wait in a circle, or for one: what is left when those that wait for no one are taken away, and
 *  then those that waited for them only. */
const unreachable = (waiters: BlockedTasks): Map<number, readonly BlockedTask[]> => {
  const left = new Map<number, number>();
  const waitedForBy = new Map<number, number[]>();
  for (const waiter of waiters.values()) {
    const others = blockersOf(waiter).filter((id) => waiters.has(id));
    left.set(waiter.task_id, others.length);
    for (const id of others) waitedForBy.set(id, [...(waitedForBy.get(id) ?? []), waiter.task_id]);
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
      blockersOf(waiters.get(id))
        .flatMap((other) => (left.has(other) ? [waiters.get(other)] : []))
        .filter((other) => other !== undefined),
    ]),
  );
};

/** The circles: from every task that waits endlessly along whom it waits for, until one comes again. */
const cyclesIn = (waiters: BlockedTasks): Map<number, readonly BlockedTask[]> => {
  const next = unreachable(waiters);
  const circles = new Map<number, readonly BlockedTask[]>();
  const seen = new Set<number>();
  for (const start of next.keys()) {
    const walk: BlockedTask[] = [];
    let at = waiters.get(start);
    while (at && !seen.has(at.task_id)) {
      seen.add(at.task_id);
      walk.push(at);
      at = next.get(at.task_id)?.[0];
    }
    const closes = walk.findIndex((each) => each === at);
    if (closes < 0) continue;
    const circle = walk.slice(closes);
    circle.forEach((each, place) => {
      circles.set(each.task_id, [...circle.slice(place), ...circle.slice(0, place + 1)]);
    });
  }
  return circles;
};

/** Why each task that is stuck itself cannot go on; not those that only wait behind one. */
export const causesIn = (waiters: BlockedTasks): Map<number, Cause> => {
  const causes = new Map<number, Cause>();
  for (const [id, path] of cyclesIn(waiters)) {
    const task = waiters.get(id);
    if (task) causes.set(id, { kind: "circle", task, path });
  }
  for (const task of waiters.values()) {
    if (causes.has(task.task_id)) continue;
    const needed = task.needs.map((id) => waiters.get(id)).find((each) => each?.parked);
    if (task.failed) causes.set(task.task_id, { kind: "failed", task });
    else if (needed) causes.set(task.task_id, { kind: "parked", task, needed });
  }
  return causes;
};

/** The cause that a task waits for, its own first, then the nearest; undefined when it is not stuck. */
export const causeFor = (waiters: BlockedTasks, task: number): Cause | undefined => {
  const causes = causesIn(waiters);
  const seen = new Set([task]);
  for (const id of seen) {
    const cause = causes.get(id);
    if (cause) return cause;
    for (const other of blockersOf(waiters.get(id))) seen.add(other);
  }
  return undefined;
};

/** A task's name among those of a repository. */
export const labelOf = (
  { task_id, work_item_id, repo }: Pick<BlockedTask, "task_id" | "work_item_id" | "repo">,
  among?: string,
): string => `${work_item_id ?? `task ${task_id}`}${repo === among ? "" : ` in ${repo}`}`;

const ERROR_SHOWN = 200;

/** A sentence about the task itself, for people. */
export const describeCause = (cause: Cause): string => {
  const { repo } = cause.task;
  switch (cause.kind) {
    case "failed": {
      const { job_id = 0, agent = "", error = null } = cause.task.failed ?? {};
      return `its job ${job_id} (${agent}) failed${error === null ? "" : `: ${error.slice(0, ERROR_SHOWN)}`}`;
    }
    case "parked":
      return `it depends on ${labelOf(cause.needed, repo)}, which is paused without an end`;
    case "circle":
      return `it waits for itself: ${cause.path.map((task) => labelOf(task, repo)).join(" -> ")}`;
  }
};
