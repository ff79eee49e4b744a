/** The whole state on one instant: what every lane does, what waits in it and why. */

import { all, first, now, type Tx } from "../store/port.ts";
import { list, raw, sql, when, type Statement } from "../store/sql.ts";
import { groupBy } from "./group.ts";
import { JOB_STATUSES, type Lane, type Queue } from "./model.ts";
import type { Policy } from "./policy.ts";
import { heldReason, holdsLane, unfinished, type Sight } from "./predicate.ts";
import { toIso, toIsoOrNull } from "./time.ts";

interface LaneRow {
  repo: string;
  /** The head of the lane. */
  task_id: number | null;
  work_item_id: string | null;
  stage: string | null;
  busy: number;
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
      CASE WHEN EXISTS (SELECT 1 FROM tasks b WHERE b.repo = l.repo AND ${unfinished("b")}) THEN 1 ELSE 0 END AS busy
    FROM gate_lanes l LEFT JOIN tasks h ON h.id =
      (SELECT MIN(t.id) FROM tasks t WHERE t.repo = l.repo AND ${holdsLane(policy, "t")})`
      : raw("NULL AS task_id, NULL AS work_item_id, NULL AS stage, 0 AS busy FROM gate_lanes l")
  } WHERE l.repo > ${repo}${selected("l")} ORDER BY l.repo LIMIT ${PAGE}`;

/** The queued entry jobs, each with its reason. */
const waiting = (policy: Policy, sight: Sight): Statement =>
  sql`SELECT j.id AS job_id, j.repo, j.task_id, ${
    sight.stages ? raw("t.work_item_id, t.stage") : raw("NULL AS work_item_id, NULL AS stage")
  }, (${heldReason(policy, sight)}) AS reason
    FROM jobs j${when(sight.stages, raw(" LEFT JOIN tasks t ON t.id = j.task_id"))}
    WHERE j.status = 'queued' AND j.agent = ${policy.entryAgent}`;

/** Those of some repositories lane by lane, held or not, those of all by id and a page at a time: the order is that
 *  of the index that finds them. */
function* readWaiting(
  policy: Policy,
  sight: Sight,
  repos: readonly string[] | undefined,
): Tx<Map<string, WaitingRow[]>> {
  if (repos) {
    const rows = new Map<string, WaitingRow[]>();
    for (const mark of ["j.ready = 0", "j.ready = 1"])
      groupBy(
        yield* all<WaitingRow>(sql`${waiting(policy, sight)} AND ${raw(mark)} AND j.repo IN ${list(repos)}
          ORDER BY j.repo, j.task_id, j.id`),
        repoOf,
        rows,
      );
    return rows;
  }
  return yield* pagesByRepo<WaitingRow>(
    (id) =>
      sql`${waiting(policy, sight)} AND j.repo IS NOT NULL AND j.id > ${id} ORDER BY j.id LIMIT ${PAGE}`,
    ({ job_id }) => job_id,
  );
}

const pausedBehind = (selected: Selection, id: number): Statement =>
  sql`SELECT t.repo, t.id AS task_id, t.work_item_id, t.stage, t.paused_at, t.paused_by, t.pause_reason
    FROM tasks t WHERE t.paused_at IS NOT NULL AND ${unfinished("t")}${selected("t")}
      AND t.id > ${id} ORDER BY t.id LIMIT ${PAGE}`;

const activeFreezes = (selected: Selection): Statement =>
  sql`SELECT f.repo, f.reason, f.frozen_at FROM repo_freeze f WHERE f.id IN
    (SELECT MAX(n.id) FROM repo_freeze n WHERE n.cleared_at IS NULL${selected("n")} GROUP BY n.repo)`;

const repoOf = ({ repo }: { repo: string }): string => repo;

/** Every row of a statement that reads the page behind an id, by repository. What is done with a page is done
 *  before the next is read, so that it never takes long at a time. */
function* pagesByRepo<Row extends { repo: string }>(
  behind: (id: number) => Statement,
  idOf: (row: Row) => number,
): Tx<Map<string, Row[]>> {
  const rows = new Map<string, Row[]>();
  for (let id = 0; ;) {
    const page = yield* all<Row>(behind(id));
    groupBy(page, repoOf, rows);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return rows;
    id = idOf(last);
  }
}

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

const headOf = (lane: LaneRow | undefined): Lane["active_task"] => {
  const { task_id = null, work_item_id = null, stage = null } = lane ?? {};
  return task_id === null || stage === null ? null : { task_id, work_item_id, stage };
};

const NO_TASK = Number.MAX_SAFE_INTEGER;

/** The jobs of a lane by id, with their places: by task, those without a task last. */
const placed = (jobs: readonly WaitingRow[]): Lane["waiting"] => {
  const byTask = (a: WaitingRow, b: WaitingRow): number =>
    (a.task_id ?? NO_TASK) - (b.task_id ?? NO_TASK) || a.job_id - b.job_id;
  const places = new Map([...jobs].sort(byTask).map(({ job_id }, index) => [job_id, index + 1]));
  return [...jobs]
    .sort((a, b) => a.job_id - b.job_id)
    .map(({ repo: _, ...job }) => ({ ...job, position: places.get(job.job_id) ?? NaN }));
};

/** What `GET /queue` answers.
 *  @param projects repositories that are shown also when nothing goes on in them
 *  @param repos the only ones to show; all when undefined */
export function* snapshot(
  policy: Policy,
  projects: readonly string[],
  repos: readonly string[] | undefined,
  sight: Sight,
): Tx<Omit<Queue, "degraded">> {
  const selected = selecting(repos);
  const seeLanes = sight.lanes && sight.stages;
  const queued = yield* readWaiting(policy, sight, repos);
  const parked =
    policy.pause && seeLanes
      ? yield* pagesByRepo<PausedRow>(
          (id) => pausedBehind(selected, id),
          ({ task_id }) => task_id,
        )
      : new Map<string, PausedRow[]>();
  const freezeRows = sight.freezes ? yield* all<FreezeRow>(activeFreezes(selected)) : [];
  const freezes = new Map(freezeRows.map((row) => [row.repo, row]));

  const laneOf = (repo: string, row?: LaneRow): Lane => {
    const freeze = policy.freeze ? freezes.get(repo) : undefined;
    return {
      active_task: headOf(row),
      waiting: placed(queued.get(repo) ?? []),
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
  for (let behind = "", more = true; more;) {
    const page: LaneRow[] = yield* all<LaneRow>(lanesBehind(policy, seeLanes, selected, behind));
    for (const row of page.filter(isShown)) lanes.set(row.repo, laneOf(row.repo, row));
    behind = page.at(-1)?.repo ?? "";
    more = page.length === PAGE;
  }

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
