/** Explanations of tasks, asked once for each state of their lane and a few at a time: each costs the service a trial of
 *  every remedy. */

import { pathOf, read } from "./http.ts";
import type { Explanation, Lane } from "./types.ts";

const AT_ONCE = 3;

const known = new WeakMap<Lane, Map<number, Promise<Explanation>>>();
const queue: (() => void)[] = [];
let running = 0;

const next = (): void => {
  running -= 1;
  queue.shift()?.();
};

const turn = async <T>(task: () => Promise<T>): Promise<T> => {
  if (running >= AT_ONCE) await new Promise<void>((wake) => queue.push(wake));
  running += 1;
  try {
    return await task();
  } finally {
    next();
  }
};

export const readExplanation = (task: number): Promise<Explanation> =>
  turn(() => read<Explanation>(pathOf("/queue/explain", { task_id: task })));

/** The explanation of a task as its lane is now.
 *  @throws as `send` */
export const explanationOf = (task: number, lane: Lane): Promise<Explanation> => {
  let ofLane = known.get(lane);
  if (!ofLane) known.set(lane, (ofLane = new Map<number, Promise<Explanation>>()));
  let asked = ofLane.get(task);
  if (!asked) ofLane.set(task, (asked = readExplanation(task)));
  return asked;
};
