/** Finds the tasks that are stuck: nothing in what they wait for can move by itself. A task is stuck on a job that failed
 *  for good, without any job, on a dependency that is paused without an end, or in a cycle; in strict lanes also by its own
 *  pause, and with an entry job that is left after its end. A cycle may run through lanes: a task that depends on one
 *  behind it in its own lane waits for itself. The rows decide; this only tells people. */

import { blockersOf, type BlockedTask, type BlockedTasks } from "./blocked.ts";

export type Cause =
  | { readonly kind: "failed" | "idle" | "own-pause" | "finished"; readonly task: BlockedTask }
  | { readonly kind: "paused"; readonly task: BlockedTask; readonly needed: BlockedTask }
  | { readonly kind: "cycle"; readonly task: BlockedTask; readonly path: readonly BlockedTask[] };

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

/** The cause that lies in the task alone. */
const ownCause = ({
  leftJob,
  failed,
  heldByPause,
  idle,
}: BlockedTask): "finished" | "failed" | "own-pause" | "idle" | undefined => {
  if (leftJob !== null) return "finished";
  if (failed) return "failed";
  if (heldByPause) return "own-pause";
  return idle ? "idle" : undefined;
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
    const own = ownCause(task);
    if (own) causes.set(task.task_id, { kind: own, task });
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
