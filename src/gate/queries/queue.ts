/** The whole state on one instant: what every lane does, what waits in it and why. */

import { all, first, now, type Tx } from "../../store/port.ts";
import { exists, list, raw, sql, when, type Statement } from "../../store/sql.ts";
import { groupBy } from "../group-by.ts";
import type { BatchContext } from "../commands/context.ts";
import type { Lane, Queue } from "../../contract/queue.ts";
import { JOB_STATUSES } from "../../contract/vocabulary.ts";
import type { Policy } from "../rule/policy.ts";
import { headOf, otherHolders, unfinished } from "../rule/lane.ts";
import { heldReason } from "../rule/predicate.ts";
import { isActive } from "../rule/reasons/freeze.ts";
import { isEntryJob } from "../rule/scope.ts";
import type { Visibility } from "../rule/visibility.ts";
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
  /** The head of the lane. */
  task_id: number | null;
  work_item_id: string | null;
  stage: string | null;
  busy: number;
  /** 1 when the head may be stuck: it has no open job, or in strict lanes another task has the lane. */
  suspect: number;
}

type WaitingRow = Omit<Lane["waiting"][number], "position"> & { repo: string };

interface PausedRow {
  repo: string;
  task_id: number;
  work_item_id: string | null;
  stage: string;
  paused_at: string;
  paused_by: string | null;
  pause_reason: string | null;
}

interface FreezeRow {
  repo: string;
  reason: string | null;
  frozen_at: string | null;
}

/** Rows that one statement reads: so few that others are served in between. */
const PAGE = 500;

/** `AND <alias>.repo IN (…)` when only some repositories are asked for. */
type Selection = (alias: string) => Statement;

const selecting =
  (repos: readonly string[] | undefined): Selection =>
  (alias) =>
    when(repos !== undefined, sql` AND ${raw(alias)}.repo IN ${list(repos ?? [])}`);

/** The lanes behind a repository in the order of names, each with its head. */
const lanesBehind = (policy: Policy, seeLanes: boolean, selected: Selection, repo: string): Statement =>
  sql`SELECT l.repo, ${
    seeLanes
      ? sql`h.id AS task_id, h.work_item_id, h.stage,
      CASE WHEN EXISTS (SELECT 1 FROM tasks b WHERE b.repo = l.repo AND ${unfinished("b")}) THEN 1 ELSE 0 END AS busy,
      CASE WHEN h.id IS NOT NULL AND (${hasNoOpenJob("h")}${when(
        policy.strictLanes,
        sql` OR ${exists(otherHolders(policy, raw("l.repo"), raw("h.id")))}`,
      )}) THEN 1 ELSE 0 END AS suspect
    FROM gate_lanes l LEFT JOIN tasks h ON h.id = ${headOf(policy, raw("l.repo"))}`
      : raw("NULL AS task_id, NULL AS work_item_id, NULL AS stage, 0 AS busy, 0 AS suspect FROM gate_lanes l")
  } WHERE l.repo > ${repo}${selected("l")} ORDER BY l.repo LIMIT ${PAGE}`;

/** The queued entry jobs, and every other queued job that is held, each with its reason. */
const waiting = (policy: Policy, visible: Visibility): Statement => {
  const reason = heldReason(policy, visible);
  return sql`SELECT j.id AS job_id, j.repo, j.task_id, ${
    visible.stages ? raw("t.work_item_id, t.stage") : raw("NULL AS work_item_id, NULL AS stage")
  }, (${reason}) AS reason
    FROM jobs j${when(visible.stages, raw(" LEFT JOIN tasks t ON t.id = j.task_id"))}
    WHERE j.status = 'queued' AND (${isEntryJob(policy, "j")}${when(
      policy.strictLanes,
      sql` OR (${reason}) IS NOT NULL`,
    )})`;
};

const repoOf = ({ repo }: { repo: string }): string => repo;

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
  for (const { job_id, repo, task_id, work_item_id, stage, reason } of rows) {
    let lane = lanes.get(repo);
    if (!lane) lanes.set(repo, (lane = { jobs: [], inOrder: true }));
    const job = { job_id, task_id, work_item_id, stage, reason, position: lane.jobs.length + 1 };
    const last = lane.jobs.at(-1);
    if (last && (last.job_id > job_id || byPlace(last, job) > 0)) lane.inOrder = false;
    lane.jobs.push(job);
  }
};

/** The jobs of a lane by id, with their places. */
const placed = ({ jobs, inOrder }: Waiting): Lane["waiting"] => {
  if (inOrder) return jobs;
  jobs.sort(byPlace).forEach((job, index) => (job.position = index + 1));
  return jobs.sort((a, b) => a.job_id - b.job_id);
};

/** Reads a page at a time. What is done with a page is done before the next is read, so that it never takes long.
 *  @param behind the statement of the page behind a row; of the first page when there is none */
function* inPages<Row>(
  behind: (last: Row | undefined) => Statement,
  take: (page: readonly Row[]) => void,
): Tx<void> {
  for (let last: Row | undefined, more = true; more;) {
    const page: Row[] = yield* all<Row>(behind(last));
    take(page);
    last = page.at(-1);
    more = page.length === PAGE;
  }
}

/** Reads the waiting jobs: of some repositories lane by lane, in the order of the index; of all by id. */
function* readWaiting(
  policy: Policy,
  sight: Visibility,
  repos: readonly string[] | undefined,
): Tx<Map<string, Waiting>> {
  const lanes = new Map<string, Waiting>();
  const take = (rows: readonly WaitingRow[]): void => {
    addTo(lanes, rows);
  };
  const queued = waiting(policy, sight);
  if (!repos) {
    yield* inPages(
      (last) =>
        sql`${queued} AND j.repo IS NOT NULL AND j.id > ${last?.job_id ?? 0} ORDER BY j.id LIMIT ${PAGE}`,
      take,
    );
    return lanes;
  }
  const deep = (yield* all<{ repo: string }>(
    sql`SELECT l.repo FROM gate_lanes l WHERE l.repo IN ${list(repos)} AND l.queued > ${PAGE}`,
  )).map(repoOf);
  const others = repos.filter((repo) => !deep.includes(repo));
  for (const mark of [raw("j.ready = 0"), raw("j.ready = 1")]) {
    if (others.length > 0)
      take(
        yield* all(sql`${queued} AND ${mark} AND j.repo IN ${list(others)} ORDER BY j.repo, j.task_id, j.id`),
      );
    for (const repo of deep) {
      const inLane = sql`${queued} AND ${mark} AND j.repo = ${repo}`;
      yield* inPages(
        (last) => sql`${inLane} AND (j.task_id, j.id) > (${last?.task_id ?? 0}, ${last?.job_id ?? 0})
          ORDER BY j.task_id, j.id LIMIT ${PAGE}`,
        take,
      );
      yield* inPages(
        (last) =>
          sql`${inLane} AND j.task_id IS NULL AND j.id > ${last?.job_id ?? 0} ORDER BY j.id LIMIT ${PAGE}`,
        take,
      );
    }
  }
  return lanes;
}

const pausedBehind = (selected: Selection, id: number): Statement =>
  sql`SELECT t.repo, t.id AS task_id, t.work_item_id, t.stage, t.paused_at, t.paused_by, t.pause_reason
    FROM tasks t WHERE t.paused_at IS NOT NULL AND ${unfinished("t")}${selected("t")}
      AND t.id > ${id} ORDER BY t.id LIMIT ${PAGE}`;

const activeFreezes = (selected: Selection): Statement =>
  sql`SELECT f.repo, f.reason, f.frozen_at FROM repo_freeze f WHERE f.id IN
    (SELECT MAX(n.id) FROM repo_freeze n WHERE ${isActive("n")}${selected("n")} GROUP BY n.repo)`;

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

const activeTaskOf = (lane: LaneRow | undefined): Lane["active_task"] => {
  const { task_id = null, work_item_id = null, stage = null } = lane ?? {};
  return task_id === null || stage === null ? null : { task_id, work_item_id, stage };
};

/** Finds the stuck tasks of the lanes: among the tasks that wait for a dependency, the heads of lanes that may be stuck,
 *  and the finished tasks that left a job. */
function* stuckIn(
  policy: Policy,
  lanes: ReadonlyMap<string, Lane>,
  heads: readonly number[],
  repos: readonly string[] | undefined,
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
    if (repos?.includes(repo) === false) return yield* slowIn(policy, repo);
    const lane = lanes.get(repo);
    return lane ? inLane(lane) : [];
  });
  // A task that its own pause holds is listed under paused: somebody decided it.
  return new Map([...causesIn(waiters)].filter(([, { kind }]) => kind !== "own-pause"));
}

/** Answers `GET /queue`.
 *  @param projects repositories that are shown also when nothing goes on in them
 *  @param repos the only ones to show; all when undefined */
export function* snapshot(
  { rules: { policy }, lookup: { visible: sight } }: BatchContext,
  projects: readonly string[],
  repos: readonly string[] | undefined,
): Tx<Omit<Queue, "degraded">> {
  const selected = selecting(repos);
  const seeLanes = sight.lanes && sight.stages;
  const queued = yield* readWaiting(policy, sight, repos);
  const parked = new Map<string, PausedRow[]>();
  if (policy.pause && seeLanes)
    yield* inPages<PausedRow>(
      (last) => pausedBehind(selected, last?.task_id ?? 0),
      (page) => groupBy(page, repoOf, parked),
    );
  const freezeRows = sight.freezes ? yield* all<FreezeRow>(activeFreezes(selected)) : [];
  const freezes = new Map(freezeRows.map((row) => [row.repo, row]));

  const laneOf = (repo: string, row?: LaneRow): Lane => {
    const freeze = policy.freeze ? freezes.get(repo) : undefined;
    return {
      active_task: activeTaskOf(row),
      waiting: placed(queued.get(repo) ?? { jobs: [], inOrder: true }),
      paused: (parked.get(repo) ?? []).map(({ repo: _, ...task }) => ({
        ...task,
        paused_at: toIso(task.paused_at),
      })),
      frozen: policy.freeze && (!sight.freezes || freeze !== undefined),
      frozen_reason: freeze?.reason ?? null,
      frozen_at: toIsoOrNull(freeze?.frozen_at ?? null),
      stuck: [],
    };
  };
  const configured = projects.filter((repo) => repos?.includes(repo) ?? true);
  const lanes = new Map(configured.map((repo) => [repo, laneOf(repo)]));
  const isShown = ({ repo, busy }: LaneRow): boolean =>
    busy === 1 || queued.has(repo) || freezes.has(repo) || lanes.has(repo);
  const suspects: number[] = [];
  yield* inPages<LaneRow>(
    (last) => lanesBehind(policy, seeLanes, selected, last?.repo ?? ""),
    (page) => {
      for (const row of page.filter(isShown)) lanes.set(row.repo, laneOf(row.repo, row));
      for (const { task_id, suspect } of page) if (task_id !== null && suspect === 1) suspects.push(task_id);
    },
  );

  if (seeLanes && sight.dependencies)
    for (const cause of (yield* stuckIn(policy, lanes, suspects, repos)).values())
      lanes.get(cause.task.repo)?.stuck.push({
        task_id: cause.task.task_id,
        work_item_id: cause.task.work_item_id,
        because: describeCause(cause),
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
      repos: policy.repos?.join(",") ?? "",
      per_repo: Object.fromEntries([...lanes].sort(([a], [b]) => (a < b ? -1 : 1))),
    },
  };
}
