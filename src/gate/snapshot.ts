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
const PAGE = 1_000;

/** `AND <alias>.repo IN (…)` when only some repositories are asked for. */
type Selection = (alias: string) => Statement;

const selecting =
  (repos: readonly string[] | undefined): Selection =>
  (alias) =>
    when(repos !== undefined, sql` AND ${raw(alias)}.repo IN ${list(repos ?? [])}`);

/** The heads of the lanes behind a repository, in the order of names. */
const lanesBehind = (policy: Policy, selected: Selection, repo: string): Statement =>
  sql`SELECT l.repo, h.id AS task_id, h.work_item_id, h.stage,
      CASE WHEN EXISTS (SELECT 1 FROM tasks b WHERE b.repo = l.repo AND ${unfinished("b")}) THEN 1 ELSE 0 END AS busy
    FROM gate_lanes l LEFT JOIN tasks h ON h.id =
      (SELECT MIN(t.id) FROM tasks t WHERE t.repo = l.repo AND ${holdsLane(policy, "t")})
    WHERE l.repo > ${repo}${selected("l")} ORDER BY l.repo LIMIT ${PAGE}`;

/** The queued entry jobs, each with its reason. */
const waiting = (policy: Policy, sight: Sight): Statement =>
  sql`SELECT j.id AS job_id, j.repo, j.task_id, ${
    sight.stages ? raw("t.work_item_id, t.stage") : raw("NULL AS work_item_id, NULL AS stage")
  }, (${heldReason(policy, sight)}) AS reason
    FROM jobs j${when(sight.stages, raw(" LEFT JOIN tasks t ON t.id = j.task_id"))}
    WHERE j.status = 'queued' AND j.agent = ${policy.entryAgent}`;

/** Those of some repositories lane by lane, those of all by id and a page at a time: the order is that of the
 *  index that finds them. */
function* readWaiting(policy: Policy, sight: Sight, repos: readonly string[] | undefined): Tx<WaitingRow[]> {
  if (repos)
    return yield* all<WaitingRow>(sql`${waiting(policy, sight)} AND j.repo IN ${list(repos)}
      ORDER BY j.repo, j.task_id, j.id`);
  return yield* pages<WaitingRow, number>(
    0,
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

/** Every row of a statement that reads a page behind a key. */
function* pages<Row, Key>(from: Key, behind: (key: Key) => Statement, keyOf: (row: Row) => Key): Tx<Row[]> {
  const rows: Row[] = [];
  for (let key = from; ;) {
    const page = yield* all<Row>(behind(key));
    rows.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return rows;
    key = keyOf(last);
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
  const laneRows = seeLanes
    ? yield* pages<LaneRow, string>(
        "",
        (repo) => lanesBehind(policy, selected, repo),
        ({ repo }) => repo,
      )
    : [];
  const waitingRows = yield* readWaiting(policy, sight, repos);
  const pausedRows =
    policy.pause && seeLanes
      ? yield* pages<PausedRow, number>(
          0,
          (id) => pausedBehind(selected, id),
          ({ task_id }) => task_id,
        )
      : [];
  const freezeRows = sight.freezes ? yield* all<FreezeRow>(activeFreezes(selected)) : [];

  const lanes = new Map(laneRows.map((row) => [row.repo, row]));
  const queued = groupBy(waitingRows, (row) => row.repo);
  const parked = groupBy(pausedRows, (row) => row.repo);
  const freezes = new Map(freezeRows.map((row) => [row.repo, row]));
  const busy = laneRows.filter((row) => row.busy === 1);
  const shown = [...busy, ...waitingRows, ...freezeRows].map(({ repo }) => repo);
  const configured = projects.filter((repo) => repos?.includes(repo) ?? true);

  const lane = (repo: string): Lane => {
    const freeze = policy.freeze ? freezes.get(repo) : undefined;
    return {
      active_task: headOf(lanes.get(repo)),
      waiting: placed(queued.get(repo) ?? []),
      paused: (parked.get(repo) ?? []).map(({ repo: _, ...task }) => ({
        ...task,
        paused_at: toIso(task.paused_at),
      })),
      frozen: policy.freeze && (!sight.freezes || freeze !== undefined),
      frozen_reason: freeze?.reason ?? null,
      frozen_at: toIsoOrNull(freeze?.frozen_at ?? null),
    };
  };

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
      per_repo: Object.fromEntries(
        [...new Set([...configured, ...shown])].sort().map((repo) => [repo, lane(repo)]),
      ),
    },
  };
}
