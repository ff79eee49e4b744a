/** The state of all lanes in numbers, for monitoring. Jobs and tasks are counted a page at a time and never held, so that a
 *  queue of any depth takes no memory; it takes time, and so it is a long read. */

import { JOB_STATUSES, REASONS, type JobStatus } from "../../../contract/vocabulary.ts";
import { all, first, one, type Tx } from "../../../store/port.ts";
import { flag, inlineInteger, raw, sql, type Statement } from "../../../store/sql.ts";
import type { BatchContext } from "../../commands/context.ts";
import { activeTaskOf, headOf, isPaused, unfinished } from "../../rule/lane.ts";
import type { Policy } from "../../rule/policy.ts";
import { heldReason } from "../../rule/predicate.ts";
import { isActive } from "../../rule/reasons/freeze.ts";
import { EVERYTHING_READABLE, type Visibility } from "../../rule/visibility.ts";
import { inPages, PAGE } from "../pages.ts";
import { isListed } from "./listed.ts";
import { blockedTasksFrom, dependentAmong, isSuspectHead, slowIn } from "../stuck/blocked.ts";
import { causesIn } from "../stuck/causes.ts";

/** Reads the number of jobs in each status: triggers keep it by lane. */
export function* jobCounts(): Tx<Record<JobStatus, number>> {
  const sums = JOB_STATUSES.map((status) => `COALESCE(SUM(l.${status}), 0) AS ${status}`);
  return yield* one<Record<JobStatus, number>>(sql`SELECT ${raw(sums.join(", "))} FROM gate_lanes l`);
}

export interface StateCounts {
  /** Waiting jobs by the reason that holds them; `none` for those that a claim would hand out. */
  readonly waiting: ReadonlyMap<string, number>;
  readonly frozenLanes: number;
  readonly pausedTasks: number;
  readonly stuckTasks: number;
}

interface WaitingRow {
  readonly id: number;
  readonly task_id: number | null;
  readonly agent: string;
  readonly reason: string | null;
}

const queuedBehind = (policy: Policy, visible: Visibility, id: number): Statement =>
  sql`SELECT j.id, j.task_id, j.agent, (${heldReason(policy, visible)}) AS reason
    FROM (SELECT w.id FROM jobs w WHERE w.status = 'queued' AND w.repo IS NOT NULL AND w.id > ${id}
      ORDER BY w.id LIMIT ${inlineInteger(PAGE)}) AS queued CROSS JOIN jobs j
    WHERE j.id = queued.id ORDER BY j.id`;

/** The tasks that may be stuck: those that wait for a dependency, and the finished ones with an entry job left. */
interface Counted {
  readonly waiting: Map<string, number>;
  readonly suspects: Set<number>;
}

function* countWaiting(policy: Policy, visible: Visibility): Tx<Counted> {
  const waiting = new Map<string, number>(["none", ...REASONS].map((reason) => [reason, 0]));
  const suspects = new Set<number>();
  let held: number[] = [];
  const take = (page: readonly WaitingRow[]): undefined => {
    for (const { agent, reason, task_id } of page) {
      if (!isListed(policy, agent, reason)) continue;
      waiting.set(reason ?? "none", (waiting.get(reason ?? "none") ?? 0) + 1);
      if (task_id === null) continue;
      if (reason === "dependency" || reason === "freeze") held.push(task_id);
      if (reason === "finished") suspects.add(task_id);
    }
  };
  const isSeen = visible.dependencies && visible.stages && policy.dependencies;
  for (let last = 0, more = true; more;) {
    const page: WaitingRow[] = yield* all<WaitingRow>(queuedBehind(policy, visible, last));
    take(page);
    if (isSeen && held.length > 0) for (const task of yield* dependentAmong(held)) suspects.add(task);
    held = [];
    last = page.at(-1)?.id ?? last;
    more = page.length === PAGE;
  }
  return { waiting, suspects };
}

interface LaneRow {
  readonly repo: string;
  readonly head: number | null;
  readonly active: number | null;
}

/** The heads of lanes that may be stuck, and in strict lanes the tasks that have them. */
function* suspectHeads(policy: Policy): Tx<number[]> {
  const heads: number[] = [];
  const isSuspect = isSuspectHead(policy, raw("l.repo"));
  yield* inPages<LaneRow>(
    (last) => sql`SELECT l.repo, CASE WHEN ${isSuspect} THEN h.id END AS head,
        CASE WHEN ${isSuspect} THEN ${activeTaskOf(policy, raw("l.repo"))} END AS active
      FROM gate_lanes l LEFT JOIN tasks h ON h.id = ${headOf(policy, raw("l.repo"))}
      WHERE l.repo > ${last?.repo ?? ""} ORDER BY l.repo LIMIT ${inlineInteger(PAGE)}`,
    (page) => {
      for (const { head, active } of page) heads.push(...[head, active].filter((id) => id !== null));
      return undefined;
    },
  );
  return heads;
}

/** 1 or 0, in a column: as a condition, a page would walk past all tasks of a lane that is being changed. */
const isShownPaused = flag(isPaused("t"));

function* countPaused(): Tx<number> {
  let count = 0;
  yield* inPages<{ repo: string; id: number; shown: number }>(
    (
      last,
    ) => sql`SELECT t.repo, t.id, ${isShownPaused} AS shown FROM tasks t WHERE t.paused_at IS NOT NULL AND ${unfinished("t")}
      AND (t.repo, t.id) > (${last?.repo ?? ""}, ${last?.id ?? 0}) ORDER BY t.repo, t.id LIMIT ${inlineInteger(PAGE)}`,
    (page) => {
      for (const { shown } of page) count += shown;
      return undefined;
    },
  );
  return count;
}

function* countStuck(policy: Policy, start: readonly number[]): Tx<number> {
  const blocked = yield* blockedTasksFrom(policy, start, (repo) => slowIn(policy, repo));
  return [...causesIn(blocked).values()].filter(({ kind }) => kind !== "own-pause").length;
}

const countFrozen = (policy: Policy, visible: Visibility): Tx<{ count: number }> =>
  one<{ count: number }>(
    !policy.freeze
      ? raw("SELECT 0 AS count")
      : visible.freezes
        ? sql`SELECT COUNT(DISTINCT f.repo) AS count FROM repo_freeze f WHERE ${isActive("f")}`
        : raw("SELECT COUNT(*) AS count FROM gate_lanes l"),
  );

/** Counts what waits and why, what is frozen, paused and stuck: all of it anew. */
export function* stateCounts({ rules: { policy }, lookup: { visible } }: BatchContext): Tx<StateCounts> {
  const { waiting, suspects } = yield* countWaiting(policy, visible);
  const seesLanes = visible.lanes && visible.stages;
  const isStuckSeen = seesLanes && visible.dependencies;
  return {
    waiting,
    frozenLanes: (yield* countFrozen(policy, visible)).count,
    pausedTasks: policy.pause && seesLanes ? yield* countPaused() : 0,
    stuckTasks: isStuckSeen ? yield* countStuck(policy, [...suspects, ...(yield* suspectHeads(policy))]) : 0,
  };
}

/** The lanes of an answer of `GET /queue` about all repositories, in numbers. None of them is listed in part. */
export interface CountedLanes {
  readonly waiting: ReadonlyMap<string, number>;
  readonly paused: number;
  /** The tasks at which the search for stuck ones starts. */
  readonly start: readonly number[];
}

/** Jobs whose repository is an empty text: `GET /queue` shows none of them. */
const NAMELESS = sql`SELECT j.id FROM jobs j WHERE j.repo = '' AND j.status = 'queued' LIMIT 1`;

/** The same from lanes of which most are kept; undefined where they do not tell all. */
export function* keptStateCounts(
  { rules: { policy }, lookup: { visible } }: BatchContext,
  lanes: CountedLanes,
): Tx<StateCounts | undefined> {
  if (visible !== EVERYTHING_READABLE) return undefined;
  if (yield* first(NAMELESS)) return undefined;
  const waiting = new Map<string, number>(["none", ...REASONS].map((reason) => [reason, 0]));
  for (const [reason, count] of lanes.waiting) waiting.set(reason, count);
  return {
    waiting,
    frozenLanes: (yield* countFrozen(policy, visible)).count,
    pausedTasks: policy.pause ? lanes.paused : 0,
    stuckTasks: yield* countStuck(policy, lanes.start),
  };
}
