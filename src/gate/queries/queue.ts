/** The whole state on one instant: what every lane does, what waits in it and why. Lanes are read a few at a time. The same
 *  as text, from lanes that are kept: queue-texts.ts. */

import { now, run, type Tx } from "../../store/port.ts";
import type { BatchContext } from "../commands/context.ts";
import type { Lane, Queue } from "../../contract/queue.ts";
import { NOWHERE, sees, type Reach } from "../../contract/names/repo-pattern.ts";
import type { Policy } from "../rule/policy.ts";
import { probeAll } from "../rule/probes.ts";
import { IN_ALL_LANES, listedInLane } from "./lanes/listed.ts";
import { KnownNames, readLaneList, type LaneList } from "./lanes/list.ts";
import { groupsOf } from "./lanes/named.ts";
import { readLanes, type Clues, type Reading } from "./lanes/read.ts";
import { selecting } from "./pages.ts";
import { blockedTasksFrom, slowIn } from "./stuck/blocked.ts";
import { causesIn, type Cause } from "./stuck/causes.ts";
import { describeCause } from "./stuck/words.ts";

/** The repositories that are asked for, all when undefined; and those that the caller may know. */
interface Asked {
  readonly repos: readonly string[] | undefined;
  readonly reach: Reach;
}

/** The repositories among those asked for that the caller may know. */
const seenAmong = (asked: readonly string[] | undefined, reach: Reach): Asked => {
  if (asked === undefined || reach === null) return { repos: asked, reach };
  const repos = asked.filter((repo) => sees(reach, repo));
  return repos.length > 0 ? { repos, reach } : { repos: undefined, reach: NOWHERE };
};

/** The state of all selected lanes but for their contents. */
export interface Outline extends Asked {
  readonly policy: Policy;
  readonly reading: Reading;
  readonly list: LaneList;
}

export function* outlineOf(
  { rules: { policy }, lookup: { visible }, reach: own }: BatchContext,
  projects: readonly string[],
  asked: readonly string[] | undefined,
  known = new KnownNames(),
): Tx<Outline> {
  const { repos, reach } = seenAmong(asked, own);
  const selected = selecting(repos, reach);
  const configured = projects.filter((repo) => (repos?.includes(repo) ?? true) && sees(reach, repo));
  // The lanes may all be kept, or there may be none: a table that cannot be read is told all the same.
  yield* run(probeAll(visible));
  const list = yield* readLaneList(selected, configured, known);
  return {
    repos,
    reach,
    policy,
    list,
    reading: {
      policy,
      visible,
      projects: new Set(configured),
      most: yield* listedInLane(selected, list.totals.queued),
      room: { paused: { left: IN_ALL_LANES }, freezes: { left: IN_ALL_LANES } },
    },
  };
}

/** Finds the stuck tasks of the lanes: among the tasks that wait for a dependency, the heads of lanes that may be stuck,
 *  and the finished tasks that left a job. In the order of their ids.
 *  @param start all these tasks
 *  @param cluesOf a lane of the answer */
export function* stuckIn(
  { policy, reading: { visible } }: Outline,
  start: readonly number[],
  cluesOf: (repo: string) => Clues | undefined,
): Tx<Cause[]> {
  if (start.length === 0 || !visible.lanes || !visible.stages || !visible.dependencies) return [];
  const waiters = yield* blockedTasksFrom(policy, start, function* (repo) {
    const clues = cluesOf(repo);
    return clues?.isWhole ? clues.slow : yield* slowIn(policy, repo);
  });
  // A task that its own pause holds is listed under paused: somebody decided it.
  return [...causesIn(waiters).values()]
    .filter(({ kind }) => kind !== "own-pause")
    .sort((a, b) => a.task.task_id - b.task.task_id);
}

const NONE: readonly number[] = [];

/** The tasks of a lane at which the search for stuck ones starts. */
export const startOf = ({ dependent, suspects, left }: Clues): readonly number[] =>
  dependent.length + suspects.length + left.length === 0 ? NONE : [...dependent, ...suspects, ...left];

export const shownStuck = (cause: Cause, reach: Reach): Lane["stuck"][number] => ({
  task_id: cause.task.task_id,
  work_item_id: cause.task.work_item_id,
  because: describeCause(cause, reach),
});

/** The answer but for its lanes. */
export type Head = Omit<Queue, "degraded" | "serial_gate"> & {
  readonly serial_gate: Omit<Queue["serial_gate"], "per_repo">;
};

export function* headOf({ policy, reach, list: { totals } }: Outline): Tx<Head> {
  const { revision, ...jobs } = totals;
  return {
    revision,
    generated_at: new Date(yield* now()).toISOString(),
    jobs,
    serial_gate: {
      enabled: policy.enabled,
      freeze_enabled: policy.freeze,
      pause_enabled: policy.pause,
      strict_lanes: policy.strictLanes,
      repos: policy.repos?.filter((repo) => sees(reach, repo)).join(",") ?? "",
    },
  };
}

/** Answers `GET /queue` from nothing that is kept.
 *  @param projects repositories that are shown also when nothing goes on in them
 *  @param repos the only ones to show; all when undefined */
export function* snapshot(
  context: BatchContext,
  projects: readonly string[],
  asked: readonly string[] | undefined,
): Tx<Omit<Queue, "degraded">> {
  const outline = yield* outlineOf(context, projects, asked);
  const { list, reading, reach } = outline;
  const lanes = new Map<string, Lane>();
  const clues = new Map<string, Clues>();
  for (const group of groupsOf(list.inJsonOrder.map(list.sizeOf), reading.most))
    for (const read of yield* readLanes(reading, group)) {
      clues.set(read.repo, read.clues);
      if (read.lane) lanes.set(read.repo, read.lane);
    }
  const start = [...clues.values()].flatMap(startOf);
  for (const cause of yield* stuckIn(outline, start, (repo) => clues.get(repo)))
    lanes.get(cause.task.repo)?.stuck.push(shownStuck(cause, reach));
  const { serial_gate, ...head } = yield* headOf(outline);
  return { ...head, serial_gate: { ...serial_gate, per_repo: Object.fromEntries(lanes) } };
}
