/** Reads tasks with all that they wait for, directly or not: their dependencies, and the tasks that have their lanes and may keep
 *  them for long. What of it is stuck: causes.ts. */

import { isTerminal, LANE_STATE, OPEN_STATUSES, WAITING_STATUSES } from "../../../contract/vocabulary.ts";
import { all, type Tx } from "../../../store/port.ts";
import { exists, flag, list, raw, sql, when, type Statement } from "../../../store/sql.ts";
import { holdsLaneById, isPaused, otherHolders, unfinished } from "../../rule/lane.ts";
import type { Policy } from "../../rule/policy.ts";
import { unfinishedDependencies } from "../../rule/reasons/dependency.ts";
import { hasLane, isEntryJob } from "../../rule/scope.ts";
import { inPages, PAGE } from "../pages.ts";

/** A task, and the tasks that it waits for. */
export interface BlockedTask {
  readonly task_id: number;
  readonly repo: string;
  readonly work_item_id: string | null;
  readonly stage: string;
  /** True while it is paused without an end. */
  readonly paused: boolean;
  /** Its last job, where that failed and no other is open. */
  readonly failed: { readonly job_id: number; readonly agent: string; readonly error: string | null } | null;
  /** True when no job of it is open, and none failed last. */
  readonly idle: boolean;
  /** True in strict lanes while its own pause holds its jobs and none of them runs. */
  readonly heldByPause: boolean;
  /** The entry job that is left although the task is finished, in strict lanes. */
  readonly leftJob: number | null;
  /** The unfinished dependencies of its waiting entry job. */
  readonly needs: readonly number[];
  /** Tasks that have its lane and may keep it for long: the nearest one ahead; in strict lanes also the holder. */
  readonly behind: readonly number[];
}

export type BlockedTasks = ReadonlyMap<number, BlockedTask>;

/** Reads the tasks that hold a lane and may do so for long, by id: they have a dependency, a job that failed or none. */
type ReadSlowTasks = (repo: string) => Tx<readonly number[]>;

interface BlockedRow {
  readonly task_id: number;
  readonly repo: string;
  readonly work_item_id: string | null;
  readonly stage: string;
  /** 0: not paused, 1: for a time, 2: without an end. */
  readonly paused: number;
  /** The entry job that has not started. */
  readonly entry_id: number | null;
  readonly open: number;
  readonly running: number;
  readonly lane_state: number;
  readonly job_id: number | null;
  readonly agent: string | null;
  readonly error: string | null;
}

/** Tasks that one statement reads. */
const BATCH = 500;

const OPEN = list(OPEN_STATUSES);

/** The entry job of a task that has not started. */
const entryJob = (policy: Policy, task: string): Statement =>
  sql`(SELECT MIN(e.id) FROM jobs e WHERE e.task_id = ${raw(task)}.id AND ${isEntryJob(policy, "e")}
    AND e.status IN ${list(WAITING_STATUSES)})`;

const hasJob = (task: string, statuses: Statement): Statement =>
  sql`EXISTS (SELECT 1 FROM jobs o WHERE o.task_id = ${raw(task)}.id AND o.status IN ${statuses})`;

/** True for a task of which no job is open. */
export const hasNoOpenJob = (task: string): Statement => sql`NOT ${hasJob(task, OPEN)}`;

/** True for the head `h` of a lane that may be stuck: it has no open job, or in strict lanes another task has the lane. */
export const isSuspectHead = (policy: Policy, repo: Statement): Statement =>
  sql`h.id IS NOT NULL AND (${hasNoOpenJob("h")}${when(
    policy.strictLanes,
    sql` OR ${exists(otherHolders(policy, repo, raw("h.id")))}`,
  )})`;

const blockedAmong = (policy: Policy, ids: readonly number[]): Statement =>
  sql`SELECT t.id AS task_id, t.repo, t.work_item_id, t.stage, t.lane_state,
    CASE WHEN NOT (${isPaused("t")}) THEN 0 WHEN t.resume_ms IS NULL THEN 2 ELSE 1 END AS paused,
    ${flag(hasJob("t", OPEN))} AS open,
    ${flag(hasJob("t", list(["running"])))} AS running,
    ${entryJob(policy, "t")} AS entry_id, last.id AS job_id, last.agent, last.error
  FROM tasks t LEFT JOIN jobs last ON last.id = (SELECT MAX(j.id) FROM jobs j WHERE j.task_id = t.id)
    AND last.status = 'failed' AND ${hasNoOpenJob("t")}
  WHERE t.id IN ${list(ids)}${when(!policy.strictLanes, sql` AND ${unfinished("t")}`)}`;

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

/** Reads the tasks that hold a lane and may do so for long, a page of the lane at a time: it may be of any depth.
 *  @param depth only among so many tasks of the lane, or a page more */
export function* slowIn(policy: Policy, repo: string, depth = Infinity): Tx<number[]> {
  const slow: number[] = [];
  let left = depth;
  const isSlow = sql`EXISTS (SELECT 1 FROM ${unfinishedDependencies(raw("t.id"))}) AND ${entryJob(policy, "t")} IS NOT NULL
      OR ${hasNoOpenJob("t")}`;
  yield* inPages<{ id: number; slow: number }>(
    (last) => sql`SELECT t.id, ${flag(isSlow)} AS slow FROM tasks t
      WHERE t.repo = ${repo} AND ${holdsLaneById(policy, "t")} AND t.id > ${last?.id ?? 0} ORDER BY t.id LIMIT ${PAGE}`,
    (page) => {
      for (const task of page) if (task.slow === 1) slow.push(task.id);
      left -= page.length;
      return left > 0;
    },
  );
  return slow;
}

/** Reads the tasks that make progress in a lane, in strict lanes. */
function* holdersIn(policy: Policy, repo: string): Tx<number[]> {
  if (!policy.strictLanes) return [];
  const holders = otherHolders(policy, sql`${repo}`, raw("0"));
  return (yield* all<{ id: number }>(sql`SELECT h.id FROM ${holders} ORDER BY h.id`)).map(({ id }) => id);
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

/** The lanes of one reading, each read once. */
class Lanes {
  readonly #policy: Policy;
  readonly #readSlow: ReadSlowTasks;
  readonly #lanes = new Map<
    string,
    { readonly slow: readonly number[]; readonly holders: readonly number[] }
  >();

  constructor(policy: Policy, readSlow: ReadSlowTasks) {
    this.#policy = policy;
    this.#readSlow = readSlow;
  }

  /** The tasks that have the lane of a waiting task and may keep it for long. */
  *behind({ task_id, repo, entry_id, open, lane_state }: BlockedRow): Tx<number[]> {
    if (open === 0 || !hasLane(this.#policy, repo)) return [];
    const strict = this.#policy.strictLanes;
    const entersLane = entry_id !== null && !(strict && lane_state === LANE_STATE.acquired);
    const regainsLane = strict && lane_state === LANE_STATE.lost;
    if (!entersLane && !regainsLane) return [];
    const known = this.#lanes.get(repo);
    const lane = known ?? {
      slow: yield* this.#readSlow(repo),
      holders: yield* holdersIn(this.#policy, repo),
    };
    this.#lanes.set(repo, lane);
    const ahead = entersLane ? nextBelow(task_id, lane.slow) : null;
    const others = lane.holders.filter((id) => id !== task_id);
    return [...new Set(ahead === null ? others : [ahead, ...others])];
  }
}

const asBlocked = (
  policy: Policy,
  row: BlockedRow,
  lists: Pick<BlockedTask, "needs" | "behind">,
): BlockedTask => {
  const { task_id, repo, work_item_id, stage, job_id, agent, error } = row;
  const isFinished = isTerminal(stage);
  const isStrict = policy.strictLanes && hasLane(policy, repo);
  const waits = row.open === 1 && row.running === 0;
  return {
    task_id,
    repo,
    work_item_id,
    stage,
    paused: row.paused === 2,
    failed: job_id === null || agent === null || isFinished ? null : { job_id, agent, error },
    idle: row.open === 0 && job_id === null && row.paused === 0 && !isFinished,
    heldByPause: isStrict && policy.pause && row.paused === 2 && waits && !isFinished,
    leftJob: isStrict && isFinished ? row.entry_id : null,
    ...(isFinished ? { needs: [], behind: [] } : lists),
  };
};

/** Reads the tasks, with all tasks that they wait for, directly or not. */
export function* blockedTasksFrom(
  policy: Policy,
  tasks: readonly number[],
  readSlow: ReadSlowTasks,
): Tx<Map<number, BlockedTask>> {
  const blocked = new Map<number, BlockedTask>();
  const lanes = new Lanes(policy, readSlow);
  let open = [...new Set(tasks)];
  while (open.length > 0) {
    const batch = open.splice(0, BATCH);
    const rows = yield* all<BlockedRow>(blockedAmong(policy, batch));
    const entering = rows.filter(({ entry_id }) => entry_id !== null);
    const needs = new Map<number, number[]>();
    if (policy.dependencies && entering.length > 0)
      for (const { task_id, needed_id } of yield* all<{ task_id: number; needed_id: number }>(
        needsAmong(entering.map(({ task_id }) => task_id)),
      ))
        needs.set(task_id, [...(needs.get(task_id) ?? []), needed_id]);
    for (const row of rows) {
      const lists = { needs: needs.get(row.task_id) ?? [], behind: yield* lanes.behind(row) };
      blocked.set(row.task_id, asBlocked(policy, row, lists));
    }
    const next = rows.flatMap(({ task_id }) => blockersOf(blocked.get(task_id)));
    open = [...new Set([...open, ...next])].filter((id) => !blocked.has(id) && !batch.includes(id));
  }
  return blocked;
}

/** The tasks that a task waits for. */
export const blockersOf = (task: BlockedTask | undefined): number[] =>
  task ? [...new Set([...task.needs, ...task.behind])] : [];
