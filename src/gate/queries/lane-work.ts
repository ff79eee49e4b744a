/** The work under way in the lanes: their running jobs, and for each active task its start and the job that is furthest
 *  on. It reads rows; the rule has no part in it. */

import type { ActiveJob, ActiveTask, RunningJob } from "../../contract/queue.ts";
import { FURTHEST_FIRST } from "../../contract/vocabulary.ts";
import type { Tx } from "../../store/port.ts";
import { inlineInteger, list, raw, sql, type Statement } from "../../store/sql.ts";
import { toIsoOrNull } from "../../store/timestamps.ts";
import { groupBy } from "../group-by.ts";
import type { Visibility } from "../rule/visibility.ts";
import { namedLanes } from "./lanes/named.ts";
import { inPages, PAGE } from "./pages.ts";

interface RunningRow {
  readonly repo: string;
  readonly task_id: number | null;
  readonly work_item_id: string | null;
  readonly job_id: number;
  readonly agent: string;
  readonly worker: string | null;
  readonly since: string | null;
  readonly lease_expires_at: string | null;
}

const runningBehind = (visible: Visibility, repos: readonly string[], id: number): Statement =>
  sql`${namedLanes(repos)} SELECT j.repo, j.task_id, ${
    visible.stages ? raw("t.work_item_id") : raw("NULL AS work_item_id")
  }, j.id AS job_id, j.agent, j.lease_worker AS worker, j.started_at AS since, j.lease_expires_at
  FROM named CROSS JOIN jobs j${visible.stages ? raw(" LEFT JOIN tasks t ON t.id = j.task_id") : raw("")}
  WHERE j.repo = named.repo AND j.status = 'running' AND j.id > ${id} ORDER BY j.id LIMIT ${inlineInteger(PAGE)}`;

/** True for a lane with running jobs. */
export const hasRunning = (repo: string): Statement =>
  raw(`EXISTS (SELECT 1 FROM jobs j WHERE j.repo = ${repo} AND j.status = 'running')`);

/** Reads the running jobs of a few lanes, by id. */
export function* readRunning(visible: Visibility, repos: readonly string[]): Tx<Map<string, RunningJob[]>> {
  const running = new Map<string, RunningJob[]>();
  yield* inPages<RunningRow>(
    (last) => runningBehind(visible, repos, last?.job_id ?? 0),
    (page) => {
      for (const [repo, rows] of groupBy(page, (row) => row.repo)) {
        const jobs = rows.map(({ repo: _, since, lease_expires_at, ...job }) => ({
          ...job,
          since: toIsoOrNull(since),
          lease_expires_at: toIsoOrNull(lease_expires_at),
        }));
        const before = running.get(repo);
        if (before) before.push(...jobs);
        else running.set(repo, jobs);
      }
      return undefined;
    },
  );
  return running;
}

const rank = FURTHEST_FIRST.map((status, index) => `WHEN '${status}' THEN ${index}`).join(" ");

/** The id of the job of a task that is furthest on. The ready flag only orders the queued jobs of the task here. */
const furthestJobOf = (task: string): Statement =>
  sql`(SELECT c.id FROM jobs c WHERE c.task_id = ${raw(task)}.id AND c.status IN ${list(FURTHEST_FIRST)}
    AND (c.status <> 'failed' OR NOT EXISTS (SELECT 1 FROM jobs later WHERE later.task_id = c.task_id AND later.id > c.id))
    ORDER BY CASE c.status ${raw(rank)} END, c.ready DESC, c.id LIMIT 1)`;

/** Columns of the row of a lane. */
export interface ActiveRow {
  readonly since: string | null;
  readonly job_id: number | null;
  readonly agent: string;
  readonly status: ActiveJob["status"];
  readonly attempts: number;
  readonly max_attempts: number;
  readonly worker: string | null;
  readonly run_after: string | null;
  readonly progress: string | null;
  readonly error: string | null;
  readonly created_at: string | null;
  readonly started_at: string | null;
  readonly finished_at: string | null;
}

/** The columns of `ActiveRow` of an active task. */
export const workColumns = (task: string): Statement =>
  raw(`(SELECT s.started_at FROM jobs s WHERE s.task_id = ${task}.id AND s.started_at IS NOT NULL ORDER BY s.id LIMIT 1) AS since,
    work.id AS job_id, work.agent, work.status, work.attempts, work.max_attempts, work.lease_worker AS worker, work.run_after,
    work.progress, work.error, work.created_at, work.started_at, work.finished_at`);

/** The join to them. */
export const joinWork = (task: string): Statement =>
  sql` LEFT JOIN jobs work ON work.id = ${furthestJobOf(task)}`;

const latest = (...times: readonly (string | null)[]): string | null =>
  times.reduce((last, time) => (time !== null && (last === null || time > last) ? time : last), null);

const sinceOf = (row: ActiveRow): string | null => {
  const claimed = toIsoOrNull(row.started_at);
  if (row.status === "running") return claimed;
  if (row.status === "failed") return toIsoOrNull(row.finished_at);
  const due = row.status === "queued" ? toIsoOrNull(row.run_after) : null;
  return latest(toIsoOrNull(row.created_at), claimed, due);
};

/** A job keeps the error of an earlier attempt. A job that is delayed and has started is delayed because it failed. */
const currentError = ({ status, started_at, error }: ActiveRow): string | null =>
  status === "failed" || (status === "delayed" && started_at !== null) ? error : null;

const asActiveJob = (row: ActiveRow): ActiveJob | null => {
  const { job_id, agent, status, attempts, max_attempts, worker, run_after, progress } = row;
  if (job_id === null) return null;
  return {
    job_id,
    agent,
    status,
    attempt: attempts,
    max_attempts,
    worker: status === "running" ? worker : null,
    since: sinceOf(row),
    run_after: status === "delayed" ? toIsoOrNull(run_after) : null,
    progress: status === "running" ? progress : null,
    error: currentError(row),
  };
};

/** The start and the job of an active task. */
export const asActiveWork = (row: ActiveRow): Pick<ActiveTask, "since" | "job"> => ({
  since: toIsoOrNull(row.since),
  job: asActiveJob(row),
});
