/** The whole state on one instant: what every lane does, what waits in it and why. */

import { all, first, now, type Tx } from "../../store/port.ts";
import { exists, inlineInteger, raw, rowsOfTexts, sql, when, type Statement } from "../../store/sql.ts";
import type { BatchContext } from "../commands/context.ts";
import type { ActiveFreeze, Lane, Queue } from "../../contract/queue.ts";
import { PEOPLE_TEXT_LENGTH, peopleText } from "../../contract/people-text.ts";
import { NOWHERE, sees, type Reach } from "../../contract/names/repo-pattern.ts";
import { JOB_STATUSES } from "../../contract/vocabulary.ts";
import type { Policy } from "../rule/policy.ts";
import { activeTaskOf, headOf, isPaused, otherHolders, unfinished, unfinishedInLane } from "../rule/lane.ts";
import { heldReason } from "../rule/predicate.ts";
import { isActive } from "../rule/reasons/freeze.ts";
import { inReach } from "../rule/reach.ts";
import type { Visibility } from "../rule/visibility.ts";
import { readActiveWork, readRunning } from "./lane-work.ts";
import { FREEZES_IN_LANE, IN_ALL_LANES, listedInLane } from "./lanes/listed.ts";
import { inPages, PAGE, selecting, type Selection } from "./pages.ts";
import {
  blockedTasksFrom,
  causesIn,
  dependentAmong,
  describeCause,
  hasNoOpenJob,
  slowIn,
  type Cause,
} from "./stuck.ts";
import { toIso, toIsoOrNull } from "../../store/timestamps.ts";

interface LaneRow {
  repo: string;
  /** The task that has the lane. */
  task_id: number | null;
  work_item_id: string | null;
  stage: string | null;
  head_id: number | null;
  busy: number;
  /** 1 when the head may be stuck: it has no open job, or in strict lanes another task has the lane. */
  suspect: number;
}

type WaitingRow = Omit<Lane["waiting"][number], "position"> & {
  repo: string;
  /** 1 for a job of a deep lane, which is read by itself. */
  apart: number;
};

interface PausedRow {
  repo: string;
  task_id: number;
  work_item_id: string | null;
  stage: string;
  paused_at: string;
  paused_by: string | null;
  pause_reason: string | null;
  /** 0 for a task that a verb for its whole lane is changing: it counts as not paused. */
  shown: number;
}

type FreezeRow = ActiveFreeze & { readonly repo: string };

/** The lanes behind a repository in the order of names, each with the task that has it. */
const lanesBehind = (policy: Policy, seeLanes: boolean, selected: Selection, repo: string): Statement =>
  sql`SELECT l.repo, ${
    seeLanes
      ? sql`a.id AS task_id, a.work_item_id, a.stage, h.id AS head_id,
      CASE WHEN EXISTS (SELECT 1 FROM tasks b WHERE b.repo = l.repo AND ${unfinishedInLane("b")}) THEN 1 ELSE 0 END AS busy,
      CASE WHEN h.id IS NOT NULL AND (${hasNoOpenJob("h")}${when(
        policy.strictLanes,
        sql` OR ${exists(otherHolders(policy, raw("l.repo"), raw("h.id")))}`,
      )}) THEN 1 ELSE 0 END AS suspect
    FROM gate_lanes l LEFT JOIN tasks h ON h.id = ${headOf(policy, raw("l.repo"))}
      LEFT JOIN tasks a ON a.id = ${activeTaskOf(policy, raw("l.repo"))}`
      : raw(
          "NULL AS task_id, NULL AS work_item_id, NULL AS stage, NULL AS head_id, 0 AS busy, 0 AS suspect FROM gate_lanes l",
        )
  } WHERE l.repo > ${repo}${selected("l")} ORDER BY l.repo LIMIT ${PAGE}`;

/** The queued jobs of a window, each with its reason. */
const waitingIn = (policy: Policy, visible: Visibility, window: Statement): Statement =>
  sql`SELECT j.id AS job_id, j.repo, j.task_id, ${
    visible.stages ? raw("t.work_item_id, t.stage") : raw("NULL AS work_item_id, NULL AS stage")
  }, j.agent, CASE WHEN w.apart = 1 THEN NULL ELSE (${heldReason(policy, visible)}) END AS reason,
      j.created_at AS since, w.apart
    FROM (${window}) AS w CROSS JOIN jobs j${when(visible.stages, raw(" LEFT JOIN tasks t ON t.id = j.task_id"))}
    WHERE j.id = w.id`;

const QUEUED = raw("j.status = 'queued'");

/** A window ends after so many queued jobs, listed or not: no statement walks past any number of those that are not. */
const END = sql` LIMIT ${inlineInteger(PAGE)}`;

/** The lanes with more queued jobs than a statement reads, or than are listed. */
const isDeep = (most: number): Statement => sql`l.queued > ${inlineInteger(most)}`;

/** The waiting jobs of a lane. */
interface Waiting {
  readonly jobs: Lane["waiting"];
  /** Whether they came in the order of their tasks and their ids: then each has its place. */
  inOrder: boolean;
}

const NO_TASK = Number.MAX_SAFE_INTEGER;

/** By task, those without a task last. */
const byPlace = (a: Lane["waiting"][number], b: Lane["waiting"][number]): number =>
  (a.task_id ?? NO_TASK) - (b.task_id ?? NO_TASK) || a.job_id - b.job_id;

/** Adds rows to their lanes. What can be done row by row is done here: a deep lane is never gone through at once but
 *  where its order must be mended. */
const addTo = (lanes: Map<string, Waiting>, rows: readonly WaitingRow[]): void => {
  for (const { repo, since, apart: _, ...row } of rows) {
    let lane = lanes.get(repo);
    if (!lane) lanes.set(repo, (lane = { jobs: [], inOrder: true }));
    const job = { ...row, position: lane.jobs.length + 1, since: toIsoOrNull(since) };
    const last = lane.jobs.at(-1);
    if (last && (last.job_id > job.job_id || byPlace(last, job) > 0)) lane.inOrder = false;
    lane.jobs.push(job);
  }
};

/** The jobs of a lane by id, with their places; of too many those with the first places. */
const placed = ({ jobs, inOrder }: Waiting, most: number): Lane["waiting"] => {
  if (inOrder) return jobs.length > most ? jobs.slice(0, most) : jobs;
  jobs.sort(byPlace).forEach((job, index) => (job.position = index + 1));
  return jobs.slice(0, most).sort((a, b) => a.job_id - b.job_id);
};

/** The repositories that are asked for, all when undefined; and those that the caller may know. */
interface Asked {
  readonly repos: readonly string[] | undefined;
  readonly reach: Reach;
}

interface DeepLane {
  readonly repo: string;
  readonly queued: number;
}

/** The first jobs of a deep lane in the order of the index: of those that are not ready, and of those that are. */
function* readDeepLane(
  repo: string,
  rowsOf: (window: Statement) => Statement,
  take: (rows: readonly WaitingRow[]) => number,
  most: number,
): Tx<void> {
  for (const mark of [raw("j.ready = 0"), raw("j.ready = 1")]) {
    let left = most;
    const untilEnough = (rows: readonly WaitingRow[]): boolean => (left -= take(rows)) > 0;
    const inLane = sql`SELECT j.id, 0 AS apart FROM jobs j WHERE ${QUEUED} AND ${mark} AND j.repo = ${repo}`;
    yield* inPages<WaitingRow>(
      (last) =>
        sql`${rowsOf(sql`${inLane} AND (j.task_id, j.id) > (${last?.task_id ?? 0}, ${last?.job_id ?? 0})
          ORDER BY j.task_id, j.id${END}`)} ORDER BY j.task_id, j.id`,
      untilEnough,
    );
    if (left > 0)
      yield* inPages<WaitingRow>(
        (last) =>
          sql`${rowsOf(sql`${inLane} AND j.task_id IS NULL AND j.id > ${last?.job_id ?? 0}
            ORDER BY j.id${END}`)} ORDER BY j.id`,
        untilEnough,
      );
  }
}

interface WaitingLanes {
  readonly lanes: Map<string, Waiting>;
  /** The queued jobs of the lanes that are listed in part. */
  readonly cut: ReadonlyMap<string, number>;
}

/** Reads the queued entry jobs, and every other queued job that is held: of some repositories lane by lane, in the order of
 *  the index; of all by id, but for the deep lanes, of which only the first are read.
 *  @param most how many a lane lists */
function* readWaiting(
  policy: Policy,
  sight: Visibility,
  { repos, reach }: Asked,
  most: number,
): Tx<WaitingLanes> {
  const lanes = new Map<string, Waiting>();
  const isListed = ({ agent, reason, apart }: WaitingRow): boolean =>
    apart === 0 && (agent === policy.entryAgent || (policy.strictLanes && reason !== null));
  const take = (rows: readonly WaitingRow[]): number => {
    const listed = rows.filter(isListed);
    addTo(lanes, listed);
    return listed.length;
  };
  const rowsOf = (window: Statement): Statement => waitingIn(policy, sight, window);
  const selected = selecting(repos, reach);
  const deep = new Map<string, number>();
  yield* inPages<DeepLane>(
    (last) => sql`SELECT l.repo, l.queued FROM gate_lanes l WHERE l.repo > ${last?.repo ?? ""}
      AND ${isDeep(repos ? PAGE : most)}${selected("l")} ORDER BY l.repo${END}`,
    (page) => {
      for (const { repo, queued } of page) deep.set(repo, queued);
      return undefined;
    },
  );
  if (repos) {
    const others = repos.filter((repo) => !deep.has(repo));
    if (others.length > 0)
      for (const mark of [raw("j.ready = 0"), raw("j.ready = 1")])
        take(
          yield* all(
            sql`${rowsOf(
              // Lane by lane, each in its index: with a list, SQLite would walk the queued jobs of all lanes.
              sql`SELECT j.id, 0 AS apart FROM ${rowsOfTexts(others)} AS wanted CROSS JOIN jobs j
                WHERE ${QUEUED} AND ${mark} AND j.repo = wanted.value ->> 'text'`,
            )} ORDER BY j.repo, j.task_id, j.id`,
          ),
        );
  } else {
    const apart =
      deep.size === 0
        ? raw("0")
        : sql`CASE WHEN EXISTS (SELECT 1 FROM gate_lanes l WHERE l.repo = j.repo AND ${isDeep(most)}) THEN 1 ELSE 0 END`;
    yield* inPages<WaitingRow>(
      (last) =>
        sql`${rowsOf(sql`SELECT j.id, ${apart} AS apart FROM jobs j WHERE ${QUEUED} AND j.repo IS NOT NULL${inReach(reach, "j")}
          AND j.id > ${last?.job_id ?? 0} ORDER BY j.id${END}`)} ORDER BY j.id`,
      (page) => {
        take(page);
        return undefined;
      },
    );
  }
  for (const repo of deep.keys()) yield* readDeepLane(repo, rowsOf, take, most);
  return { lanes, cut: new Map([...deep].filter(([, queued]) => queued > most)) };
}

/** As much of a text as is shown, and a character more: another program may have stored any length. */
const beginningOf = (column: string): Statement => raw(`substr(${column}, 1, ${PEOPLE_TEXT_LENGTH + 1})`);

const shownText = (text: string | null): string | null => (text === null ? null : peopleText(text));

/** In the order of the index: by id, the statement would walk past every task that is not paused. */
const pausedBehind = (selected: Selection, last: PausedRow | undefined): Statement =>
  sql`SELECT t.repo, t.id AS task_id, t.work_item_id, t.stage, t.paused_at, t.paused_by,
      ${beginningOf("t.pause_reason")} AS pause_reason, CASE WHEN ${isPaused("t")} THEN 1 ELSE 0 END AS shown
    FROM tasks t WHERE t.paused_at IS NOT NULL AND ${unfinished("t")}${selected("t")}
      AND (t.repo, t.id) > (${last?.repo ?? ""}, ${last?.task_id ?? 0}) ORDER BY t.repo, t.id LIMIT ${PAGE}`;

const activeFreezesBehind = (selected: Selection, id: number): Statement =>
  sql`SELECT f.repo, f.id AS freeze_id, f.frozen_at, ${beginningOf("f.reason")} AS reason, f.frozen_by AS "by", f.work_item_id
    FROM repo_freeze f WHERE ${isActive("f")}${selected("f")} AND f.id > ${id} ORDER BY f.id LIMIT ${PAGE}`;

type Totals = Queue["jobs"] & { revision: number };

/** Triggers count the jobs by lane: counting them here would walk past every job that ever was. */
function* totals(selected: Selection): Tx<Totals> {
  const sums = ["revision", ...JOB_STATUSES].map((each) => `COALESCE(SUM(l.${each}), 0) AS ${each}`);
  const row = yield* first<Totals>(
    sql`SELECT ${raw(sums.join(", "))} FROM gate_lanes l WHERE 1 = 1${selected("l")}`,
  );
  if (!row) throw new Error("A sum without GROUP BY has a row.");
  return row;
}

const shownTask = (lane: LaneRow | undefined): Lane["active_task"] => {
  const { task_id = null, work_item_id = null, stage = null } = lane ?? {};
  return task_id === null || stage === null ? null : { task_id, work_item_id, stage, since: null, job: null };
};

/** The lanes of an answer, and which lanes are listed in it whole. */
interface Selected {
  readonly lanes: ReadonlyMap<string, Lane>;
  readonly isWhole: (repo: string) => boolean;
}

/** A list of each lane, of which so many entries are kept. */
class Lists<Row extends { readonly repo: string }> {
  readonly #lists = new Map<string, { readonly rows: Row[]; unlisted: number }>();
  readonly #keep: { readonly which: "first" | "last"; readonly inLane: number };
  #left = IN_ALL_LANES;

  constructor(keep: { readonly which: "first" | "last"; readonly inLane: number }) {
    this.#keep = keep;
  }

  readonly add = (page: readonly Row[]): undefined => {
    const { which, inLane } = this.#keep;
    for (const row of page) {
      let list = this.#lists.get(row.repo);
      if (!list) this.#lists.set(row.repo, (list = { rows: [], unlisted: 0 }));
      const isFull = list.rows.length >= inLane || (this.#left === 0 && list.rows.length > 0);
      if (isFull) list.unlisted += 1;
      else this.#left = Math.max(this.#left - 1, 0);
      if (isFull && which === "first") continue;
      if (isFull) list.rows.shift();
      list.rows.push(row);
    }
  };

  has(repo: string): boolean {
    return this.#lists.has(repo);
  }

  in(repo: string): { readonly rows: readonly Row[]; readonly unlisted: number } {
    return this.#lists.get(repo) ?? { rows: [], unlisted: 0 };
  }
}

/** The numbers of entries that are left out; undefined for none. */
const unlistedOf = (left: Required<NonNullable<Lane["unlisted"]>>): Pick<Lane, "unlisted"> => {
  const some = Object.entries(left).filter(([, count]) => count > 0);
  return some.length === 0 ? {} : { unlisted: Object.fromEntries(some) };
};

/** Finds the stuck tasks of the lanes: among the tasks that wait for a dependency, the heads of lanes that may be stuck,
 *  and the finished tasks that left a job. */
function* stuckIn(
  policy: Policy,
  { lanes, isWhole }: Selected,
  heads: readonly number[],
): Tx<Map<number, Cause>> {
  const held = [...lanes.values()].flatMap(({ waiting: jobs }) =>
    jobs.flatMap(({ task_id, reason }) =>
      task_id !== null && (reason === "dependency" || reason === "freeze") ? [task_id] : [],
    ),
  );
  const left = [...lanes.values()].flatMap(({ waiting: jobs }) =>
    jobs.flatMap(({ task_id, reason }) => (task_id !== null && reason === "finished" ? [task_id] : [])),
  );
  const dependent = policy.dependencies ? yield* dependentAmong(held) : new Set<number>();
  const inLane = ({ paused, waiting: jobs }: Lane): number[] => {
    const passed = new Set(paused.map(({ task_id }) => task_id));
    const tasks = jobs.flatMap(({ task_id }) => task_id ?? []);
    return tasks.filter((id) => dependent.has(id) && !passed.has(id)).sort((a, b) => a - b);
  };
  const waiters = yield* blockedTasksFrom(policy, [...dependent, ...heads, ...left], function* (repo) {
    if (!isWhole(repo)) return yield* slowIn(policy, repo);
    const lane = lanes.get(repo);
    return lane ? inLane(lane) : [];
  });
  // A task that its own pause holds is listed under paused: somebody decided it.
  return new Map([...causesIn(waiters)].filter(([, { kind }]) => kind !== "own-pause"));
}

/** The repositories among those asked for that the caller may know. */
const seenAmong = (asked: readonly string[] | undefined, reach: Reach): Asked => {
  if (asked === undefined || reach === null) return { repos: asked, reach };
  const repos = asked.filter((repo) => sees(reach, repo));
  return repos.length > 0 ? { repos, reach } : { repos: undefined, reach: NOWHERE };
};

/** Answers `GET /queue`.
 *  @param projects repositories that are shown also when nothing goes on in them
 *  @param repos the only ones to show; all when undefined */
export function* snapshot(
  { rules: { policy }, lookup: { visible: sight }, reach: known }: BatchContext,
  projects: readonly string[],
  asked: readonly string[] | undefined,
): Tx<Omit<Queue, "degraded">> {
  const { repos, reach } = seenAmong(asked, known);
  const selected = selecting(repos, reach);
  const isSelected = (repo: string): boolean => (repos?.includes(repo) ?? true) && sees(reach, repo);
  const isWhole = (repo: string): boolean => isSelected(repo) && !queued.cut.has(repo);
  const seeLanes = sight.lanes && sight.stages;
  const most = yield* listedInLane(selected);
  const queued = yield* readWaiting(policy, sight, { repos, reach }, most);
  const parked = new Lists<PausedRow>({ which: "first", inLane: most });
  if (policy.pause && seeLanes)
    yield* inPages<PausedRow>(
      (last) => pausedBehind(selected, last),
      (page) => {
        parked.add(page.filter(({ shown }) => shown === 1));
        return undefined;
      },
    );
  const freezes = new Lists<FreezeRow>({ which: "last", inLane: FREEZES_IN_LANE });
  if (sight.freezes)
    yield* inPages<FreezeRow>((last) => activeFreezesBehind(selected, last?.freeze_id ?? 0), freezes.add);
  const running = yield* readRunning(sight, selected);

  const laneOf = (repo: string, row?: LaneRow): Lane => {
    const frozen = freezes.in(repo);
    const paused = parked.in(repo);
    const waiting = placed(queued.lanes.get(repo) ?? { jobs: [], inOrder: true }, most);
    const active = frozen.rows.map(({ repo: _, ...freeze }) => ({
      ...freeze,
      reason: shownText(freeze.reason),
      frozen_at: toIsoOrNull(freeze.frozen_at),
    }));
    const newest = policy.freeze ? active.at(-1) : undefined;
    return {
      active_task: shownTask(row),
      running: running.get(repo) ?? [],
      waiting,
      paused: paused.rows.map(({ repo: _, shown: __, ...task }) => ({
        ...task,
        paused_at: toIso(task.paused_at),
        pause_reason: shownText(task.pause_reason),
      })),
      freezes: active,
      ...unlistedOf({
        waiting: Math.max((queued.cut.get(repo) ?? 0) - waiting.length, 0),
        paused: paused.unlisted,
        freezes: frozen.unlisted,
      }),
      frozen: policy.freeze && (!sight.freezes || newest !== undefined),
      frozen_reason: newest?.reason ?? null,
      frozen_at: newest?.frozen_at ?? null,
      stuck: [],
    };
  };
  const configured = projects.filter(isSelected);
  const lanes = new Map(configured.map((repo) => [repo, laneOf(repo)]));
  const isShown = ({ repo, busy }: LaneRow): boolean =>
    busy === 1 || [queued.lanes, running, freezes, lanes].some((shown) => shown.has(repo));
  const suspects: number[] = [];
  yield* inPages<LaneRow>(
    (last) => lanesBehind(policy, seeLanes, selected, last?.repo ?? ""),
    (page) => {
      for (const row of page.filter(isShown)) lanes.set(row.repo, laneOf(row.repo, row));
      for (const { task_id, head_id, suspect } of page)
        if (suspect === 1) suspects.push(...new Set([task_id, head_id].filter((id) => id !== null)));
      return undefined;
    },
  );
  const active = [...lanes.values()].flatMap(({ active_task }) => active_task ?? []);
  const work = yield* readActiveWork(active.map(({ task_id }) => task_id));
  for (const task of active) Object.assign(task, work.get(task.task_id));

  if (seeLanes && sight.dependencies)
    for (const cause of (yield* stuckIn(policy, { lanes, isWhole }, suspects)).values())
      lanes.get(cause.task.repo)?.stuck.push({
        task_id: cause.task.task_id,
        work_item_id: cause.task.work_item_id,
        because: describeCause(cause, reach),
      });

  const { revision, ...jobs } = yield* totals(selected);
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
      per_repo: Object.fromEntries([...lanes].sort(([a], [b]) => (a < b ? -1 : 1))),
    },
  };
}
