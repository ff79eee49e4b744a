/** Lanes as rows: each lane's state, how long its longest wait is, and the order, the filter and the counts of all. */

import type { Lane, WaitingJob } from "../state/types.ts";
import type { Show, Sort } from "../state/route.ts";
import { timeOf } from "./words.ts";

/** From the one that needs a person first to the one that has nothing. */
export const STATES = ["stuck", "frozen", "ready", "waiting", "running", "paused", "idle"] as const;
export type LaneState = (typeof STATES)[number];

export interface LaneRow {
  readonly repo: string;
  readonly lane: Lane;
  readonly state: LaneState;
  /** When the job that has waited longest was created; null when none waits. */
  readonly waitingSince: number | null;
  readonly search: string;
}

/** A job that waits for something else than its own task's pause, which somebody decided. */
const isHeld = ({ reason }: WaitingJob): boolean => reason !== null && reason !== "paused";

/** Why the job of the task that has the lane is held; null for one that workers may claim, undefined for one that is not
 *  queued. */
export const activeReason = ({ active_task, waiting }: Lane): WaitingJob["reason"] | undefined => {
  const job = active_task?.job;
  if (job?.status !== "queued") return undefined;
  return waiting.find(({ job_id }) => job_id === job.job_id)?.reason ?? null;
};

const stateOf = (lane: Lane): LaneState => {
  const { stuck, frozen, active_task, waiting, running, paused } = lane;
  if (stuck.length > 0) return "stuck";
  if (frozen) return "frozen";
  if (running.length > 0 || active_task?.job?.status === "running") return "running";
  if (isReady(lane)) return "ready";
  if (waiting.some(isHeld) || active_task !== null) return "waiting";
  return paused.length > 0 ? "paused" : "idle";
};

/** True where a job could be claimed now. */
export const isReady = (lane: Lane): boolean =>
  lane.waiting.some(({ reason }) => reason === null) || activeReason(lane) === null;

const waitingSinceOf = ({ waiting }: Lane): number | null => {
  let since: number | null = null;
  for (const job of waiting) {
    const time = job.reason === "paused" ? null : timeOf(job.since);
    if (time !== null && (since === null || time < since)) since = time;
  }
  return since;
};

const searchOf = (repo: string, { active_task, waiting, paused }: Lane): string =>
  [
    repo,
    active_task?.work_item_id,
    active_task?.job?.worker,
    ...waiting.map(({ work_item_id }) => work_item_id),
    ...paused.map(({ work_item_id }) => work_item_id),
  ]
    .join("\n")
    .toLowerCase();

/** A lane's row is made once: lanes are replaced, never changed. */
const rows = new WeakMap<Lane, LaneRow>();

const rowOf = (repo: string, lane: Lane): LaneRow => {
  const known = rows.get(lane);
  if (known) return known;
  const row: LaneRow = {
    repo,
    lane,
    state: stateOf(lane),
    waitingSince: waitingSinceOf(lane),
    search: searchOf(repo, lane),
  };
  rows.set(lane, row);
  return row;
};

export const rowsOf = (lanes: ReadonlyMap<string, Lane>): LaneRow[] =>
  Array.from(lanes, ([repo, lane]) => rowOf(repo, lane));

const byName = (a: LaneRow, b: LaneRow): number => (a.repo < b.repo ? -1 : a.repo > b.repo ? 1 : 0);
const byWait = (a: LaneRow, b: LaneRow): number =>
  (a.waitingSince ?? Infinity) - (b.waitingSince ?? Infinity) || byName(a, b);

const RANK: Readonly<Record<LaneState, number>> = {
  stuck: 0,
  frozen: 1,
  waiting: 2,
  ready: 2,
  running: 2,
  paused: 3,
  idle: 4,
};

const ORDERS: Readonly<Record<Sort, (a: LaneRow, b: LaneRow) => number>> = {
  trouble: (a, b) =>
    RANK[a.state] - RANK[b.state] || b.lane.waiting.length - a.lane.waiting.length || byName(a, b),
  wait: (a, b) =>
    (a.waitingSince ?? Infinity) === (b.waitingSince ?? Infinity) ? byName(a, b) : byWait(a, b),
  queue: (a, b) => b.lane.waiting.length - a.lane.waiting.length || byName(a, b),
  name: byName,
};

const SHOWN: Readonly<Record<Show, (row: LaneRow) => boolean>> = {
  all: () => true,
  stuck: ({ state }) => state === "stuck",
  frozen: ({ lane }) => lane.frozen,
  waiting: ({ lane }) => lane.waiting.length > 0,
  running: ({ lane }) => lane.running.length > 0,
  paused: ({ lane }) => lane.paused.length > 0,
};

export interface Selection {
  readonly q: string;
  readonly show: Show;
  readonly sort: Sort;
  /** Whether idle lanes are shown, at the end. */
  readonly idle: boolean;
}

export interface Selected {
  readonly rows: readonly LaneRow[];
  /** Idle lanes that are folded away. */
  readonly folded: number;
}

/** Filters and orders. A search looks at idle lanes too: whoever types a name wants to find it. */
export const select = (all: readonly LaneRow[], { q, show, sort, idle }: Selection): Selected => {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const isShown = SHOWN[show];
  const found = all.filter((row) => isShown(row) && words.every((word) => row.search.includes(word)));
  const shown = idle || words.length > 0 ? found : found.filter(({ state }) => state !== "idle");
  return { rows: shown.sort(ORDERS[sort]), folded: found.length - shown.length };
};

export const countsOf = (all: readonly LaneRow[]): Readonly<Record<Show, number>> => {
  const counts = Object.fromEntries(Object.keys(SHOWN).map((show) => [show, 0])) as Record<Show, number>;
  for (const row of all)
    for (const show of Object.keys(SHOWN) as Show[]) if (SHOWN[show](row)) counts[show] += 1;
  return counts;
};

/** Jobs of all lanes that wait, by reason; `ready` for none. */
export const waitsByReason = (all: readonly LaneRow[]): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>();
  for (const { lane } of all)
    for (const { reason } of lane.waiting) {
      const key = reason ?? "ready";
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  return counts;
};
