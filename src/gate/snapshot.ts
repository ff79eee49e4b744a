/** The whole state on one instant: what every lane does, what waits in it and why. */

import { all, first, now, type Tx } from "../store/port.ts";
import { list, raw, sql, when, type Statement } from "../store/sql.ts";
import { groupBy } from "./group.ts";
import { JOB_STATUSES, type Lane, type Queue } from "./model.ts";
import type { Policy } from "./policy.ts";
import { heldReason, holdsLane, unfinished, type Sight } from "./predicate.ts";
import { toIso, toIsoOrNull } from "./time.ts";

interface HeadRow {
  repo: string;
  task_id: number;
  work_item_id: string | null;
  stage: string;
}

type WaitingRow = Lane["waiting"][number] & { repo: string };

interface PausedRow extends HeadRow {
  paused_at: string;
  paused_by: string | null;
  pause_reason: string | null;
}

interface FreezeRow {
  repo: string;
  reason: string | null;
  frozen_at: string | null;
}

/** `AND <alias>.repo IN (…)` when only some repositories are asked for. */
type Selection = (alias: string) => Statement;

const selecting =
  (repos: readonly string[] | undefined): Selection =>
  (alias) =>
    when(repos !== undefined, sql` AND ${raw(alias)}.repo IN ${list(repos ?? [])}`);

const heads = (policy: Policy, selected: Selection): Statement =>
  sql`SELECT h.repo, h.id AS task_id, h.work_item_id, h.stage FROM tasks h WHERE h.id IN
    (SELECT MIN(t.id) FROM tasks t WHERE ${holdsLane(policy, "t")}${selected("t")} GROUP BY t.repo)`;

const waiting = (policy: Policy, sight: Sight, selected: Selection): Statement =>
  sql`SELECT j.id AS job_id, j.repo, j.task_id, ${
    sight.stages ? raw("t.work_item_id, t.stage") : raw("NULL AS work_item_id, NULL AS stage")
  }, (${heldReason(policy, sight)}) AS reason,
      ROW_NUMBER() OVER (PARTITION BY j.repo
        ORDER BY CASE WHEN j.task_id IS NULL THEN 1 ELSE 0 END, j.task_id, j.id) AS position
    FROM jobs j${when(sight.stages, raw(" LEFT JOIN tasks t ON t.id = j.task_id"))}
    WHERE j.status = 'queued' AND j.agent = ${policy.entryAgent} AND j.repo IS NOT NULL${selected("j")}
    ORDER BY j.id`;

const paused = (selected: Selection): Statement =>
  sql`SELECT t.repo, t.id AS task_id, t.work_item_id, t.stage, t.paused_at, t.paused_by, t.pause_reason
    FROM tasks t WHERE t.paused_at IS NOT NULL AND ${unfinished("t")}${selected("t")} ORDER BY t.id`;

const activeFreezes = (selected: Selection): Statement =>
  sql`SELECT f.repo, f.reason, f.frozen_at FROM repo_freeze f WHERE f.id IN
    (SELECT MAX(n.id) FROM repo_freeze n WHERE n.cleared_at IS NULL${selected("n")} GROUP BY n.repo)`;

const unfinishedRepos = (selected: Selection): Statement =>
  sql`SELECT DISTINCT t.repo FROM tasks t WHERE ${unfinished("t")}${selected("t")}`;

function* jobCounts(selected: Selection): Tx<Queue["jobs"]> {
  const rows = yield* all<{ status: string; jobs: number }>(
    sql`SELECT j.status, COUNT(*) AS jobs FROM jobs j WHERE 1 = 1${selected("j")} GROUP BY j.status`,
  );
  const counted = new Map(rows.map((row) => [row.status, row.jobs]));
  return Object.fromEntries(
    JOB_STATUSES.map((status) => [status, counted.get(status) ?? 0]),
  ) as Queue["jobs"];
}

function* laneRevisions(selected: Selection): Tx<number> {
  const row = yield* first<{ revision: number }>(
    sql`SELECT CAST(COALESCE(SUM(l.revision), 0) AS BIGINT) AS revision FROM gate_lanes l
      WHERE 1 = 1${selected("l")}`,
  );
  return row?.revision ?? 0;
}

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
  const headRows = seeLanes ? yield* all<HeadRow>(heads(policy, selected)) : [];
  const waitingRows = yield* all<WaitingRow>(waiting(policy, sight, selected));
  const pausedRows = policy.pause && seeLanes ? yield* all<PausedRow>(paused(selected)) : [];
  const freezeRows = sight.freezes ? yield* all<FreezeRow>(activeFreezes(selected)) : [];
  const busyRows = sight.stages ? yield* all<{ repo: string }>(unfinishedRepos(selected)) : [];

  const head = new Map(headRows.map(({ repo, ...row }) => [repo, row]));
  const queued = groupBy(waitingRows, (row) => row.repo);
  const parked = groupBy(pausedRows, (row) => row.repo);
  const freezes = new Map(freezeRows.map((row) => [row.repo, row]));
  const shown = [...busyRows, ...waitingRows, ...freezeRows].map(({ repo }) => repo);
  const configured = projects.filter((repo) => repos?.includes(repo) ?? true);

  const lane = (repo: string): Lane => {
    const freeze = policy.freeze ? freezes.get(repo) : undefined;
    return {
      active_task: head.get(repo) ?? null,
      waiting: (queued.get(repo) ?? []).map(({ repo: _, ...job }) => job),
      paused: (parked.get(repo) ?? []).map(({ repo: _, ...task }) => ({
        ...task,
        paused_at: toIso(task.paused_at),
      })),
      frozen: policy.freeze && (!sight.freezes || freeze !== undefined),
      frozen_reason: freeze?.reason ?? null,
      frozen_at: toIsoOrNull(freeze?.frozen_at ?? null),
    };
  };

  return {
    revision: yield* laneRevisions(selected),
    generated_at: new Date(yield* now()).toISOString(),
    jobs: yield* jobCounts(selected),
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
