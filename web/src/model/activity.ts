/** The last day in numbers, rebuilt from the event log and the lanes as they are: starts and finishes an hour, jobs that
 *  waited at each moment by reason, and the longest wait then. A reason in the past is derived from freezes, pauses and
 *  lanes as the log tells them; the log's cover is part of the answer. */

import { isTerminal } from "../../../src/contract/vocabulary.ts";
import type { Lane, LogEvent } from "../state/types.ts";
import type { Log } from "../state/log.ts";
import { timeOf } from "./words.ts";

const HOUR_MS = 3_600_000;
const SAMPLES = 96;

export const REASONS = ["active-task", "dependency", "freeze", "paused", "ready"] as const;
type WaitReason = (typeof REASONS)[number];

export interface Activity {
  /** Milliseconds since 1970: full hours, oldest first. */
  readonly hours: readonly number[];
  readonly starts: readonly number[];
  readonly finishes: readonly number[];
  /** Milliseconds since 1970: the moments of the samples. */
  readonly times: readonly number[];
  readonly waits: Readonly<Record<WaitReason, readonly number[]>>;
  /** Milliseconds. */
  readonly longest: readonly number[];
}

interface Interval {
  from: number;
  to: number;
}

interface TaskLife {
  readonly id: number;
  readonly repo: string;
  readonly created: number;
  /** When its entry job was first claimed; Infinity while it was not. */
  claimed: number;
  ended: number;
  readonly pauses: Interval[];
  /** The reason that it waits for now, as the service says. */
  reasonNow: string | null | undefined;
  depends: boolean;
}

interface Lives {
  readonly tasks: ReadonlyMap<number, TaskLife>;
  readonly freezes: ReadonlyMap<string, Interval[]>;
}

const covers = (intervals: readonly Interval[] | undefined, at: number): boolean =>
  intervals?.some(({ from, to }) => from <= at && at < to) ?? false;

const openLast = (intervals: Interval[], from: number): void => {
  if (intervals.at(-1)?.to !== Infinity) intervals.push({ from, to: Infinity });
};

const closeLast = (intervals: Interval[], start: number, to: number): void => {
  const last = intervals.at(-1);
  if (last?.to === Infinity) last.to = to;
  else intervals.push({ from: start, to });
};

const lives = ({ events, from: start }: Log, lanes: ReadonlyMap<string, Lane>): Lives => {
  const tasks = new Map<number, TaskLife>();
  const freezes = new Map<string, Interval[]>();
  const taskOf = (id: number, repo: string, created = start): TaskLife => {
    let task = tasks.get(id);
    if (!task)
      tasks.set(
        id,
        (task = {
          id,
          repo,
          created,
          claimed: Infinity,
          ended: Infinity,
          pauses: [],
          reasonNow: undefined,
          depends: false,
        }),
      );
    return task;
  };
  const freezesOf = (repo: string): Interval[] => {
    let intervals = freezes.get(repo);
    if (!intervals) freezes.set(repo, (intervals = []));
    return intervals;
  };
  const entryAgents = new Set<unknown>();
  const isNew = new Set<number>();
  for (const event of events) {
    const { kind, repo, task_id } = event;
    const at = timeOf(event.at);
    if (repo === null || at === null) continue;
    if (kind === "repo.frozen") openLast(freezesOf(repo), at);
    else if (kind === "repo.unfrozen") closeLast(freezesOf(repo), start, at);
    if (task_id === null || kind.startsWith("repo.")) continue;
    const task = taskOf(task_id, repo, kind === "task.created" ? at : start);
    const { to, agent } = (event.detail ?? {}) as { to?: unknown; agent?: unknown };
    if (kind === "task.created") isNew.add(task_id);
    // The first job of a new task is its entry job.
    else if (kind === "job.created" && isNew.delete(task_id)) entryAgents.add(agent);
    // A claim of another job, or a completion without a claim, is of a task that started before the log.
    else if (kind === "job.claimed")
      task.claimed = Math.min(task.claimed, task.created > start || entryAgents.has(agent) ? at : start);
    else if (kind === "job.completed" && task.claimed === Infinity) task.claimed = start;
    else if (kind === "task.paused") openLast(task.pauses, at);
    else if (kind === "task.resumed") closeLast(task.pauses, start, at);
    else if (kind === "dependency.added") task.depends = true;
    else if (kind === "task.cancelled" || (kind === "task.stage" && typeof to === "string" && isTerminal(to)))
      task.ended = at;
  }
  for (const [repo, lane] of lanes) {
    for (const { frozen_at } of lane.freezes) openLast(freezesOf(repo), timeOf(frozen_at) ?? start);
    for (const { task_id, since, reason } of lane.waiting)
      if (task_id !== null) taskOf(task_id, repo, timeOf(since) ?? start).reasonNow = reason;
    for (const { task_id, paused_at } of lane.paused)
      openLast(taskOf(task_id, repo).pauses, timeOf(paused_at) ?? start);
    if (lane.active_task) {
      const task = taskOf(lane.active_task.task_id, repo);
      task.claimed = Math.min(task.claimed, timeOf(lane.active_task.since) ?? Infinity);
    }
  }
  return { tasks, freezes };
};

/** The tasks of a lane at one moment. */
interface Moment {
  readonly at: number;
  readonly frozen: boolean;
  /** The lowest id of a task that is unfinished and not paused. */
  readonly head: number;
  /** True when a task has the lane. */
  readonly held: boolean;
}

const momentOf = (
  lane: readonly TaskLife[],
  freezes: readonly Interval[] | undefined,
  at: number,
): Moment => {
  let head = Infinity;
  let held = false;
  for (const { id, created, ended, claimed, pauses } of lane) {
    if (at < created || at >= ended || covers(pauses, at)) continue;
    head = Math.min(head, id);
    held ||= claimed <= at;
  }
  return { at, frozen: covers(freezes, at), head, held };
};

const reasonAt = (task: TaskLife, { at, frozen, head, held }: Moment): WaitReason => {
  if (covers(task.pauses, at)) return "paused";
  if (frozen) return "freeze";
  const isBehind = held || head < task.id;
  if (task.reasonNow === "dependency" || (task.depends && !isBehind)) return "dependency";
  return isBehind ? "active-task" : "ready";
};

const hourly = (
  events: readonly LogEvent[],
  hours: readonly number[],
): Pick<Activity, "starts" | "finishes"> => {
  const starts = hours.map(() => 0);
  const finishes = hours.map(() => 0);
  const [first = 0] = hours;
  const begun = new Set<number>();
  for (const event of events) {
    const at = timeOf(event.at);
    if (at === null || event.task_id === null) continue;
    const hour = Math.floor((at - first) / HOUR_MS);
    if (hour < 0 || hour >= hours.length) continue;
    const to = (event.detail as { to?: unknown } | null)?.to;
    if (event.kind === "job.claimed" && !begun.has(event.task_id)) {
      begun.add(event.task_id);
      starts[hour] = (starts[hour] ?? 0) + 1;
    } else if (event.kind === "task.stage" && to === "done") finishes[hour] = (finishes[hour] ?? 0) + 1;
  }
  return { starts, finishes };
};

/** @param now milliseconds since 1970 */
export const activityOf = (log: Log, lanes: ReadonlyMap<string, Lane>, now: number): Activity => {
  const firstHour = Math.floor(log.from / HOUR_MS) * HOUR_MS;
  const hours = Array.from(
    { length: Math.floor((now - firstHour) / HOUR_MS) + 1 },
    (_, n) => firstHour + n * HOUR_MS,
  );
  const { tasks, freezes } = lives(log, lanes);
  const byRepo = new Map<string, TaskLife[]>();
  for (const task of tasks.values()) {
    const lane = byRepo.get(task.repo);
    if (lane) lane.push(task);
    else byRepo.set(task.repo, [task]);
  }
  const times = Array.from({ length: SAMPLES }, (_, n) => log.from + ((now - log.from) * n) / (SAMPLES - 1));
  const waits = Object.fromEntries(REASONS.map((reason) => [reason, times.map(() => 0)])) as Record<
    WaitReason,
    number[]
  >;
  const longest = times.map(() => 0);
  for (const [repo, lane] of byRepo) {
    const moments = times.map((at) => momentOf(lane, freezes.get(repo), at));
    for (const task of lane) {
      const end = Math.min(task.claimed, task.ended);
      moments.forEach((moment, n) => {
        const { at } = moment;
        if (at < task.created || at >= end) return;
        const reason = reasonAt(task, moment);
        waits[reason][n] = (waits[reason][n] ?? 0) + 1;
        // A pause is somebody's decision.
        if (reason !== "paused") longest[n] = Math.max(longest[n] ?? 0, at - task.created);
      });
    }
  }
  return { hours, ...hourly(log.events, hours), times, waits, longest };
};
