/** The work under way in the lanes: their running jobs, and for each active task its start and the job that is furthest
 *  on. It reads rows; the rule has no part in it. */

import type { ActiveJob, ActiveTask, RunningJob } from "../../contract/queue.ts";
import { FURTHEST_FIRST } from "../../contract/vocabulary.ts";
import { all, type Tx } from "../../store/port.ts";
import { inlineInteger, list, raw, sql, type Statement } from "../../store/sql.ts";
import { toIsoOrNull } from "../../store/timestamps.ts";
import { groupBy } from "../group-by.ts";
import type { Visibility } from "../rule/visibility.ts";
import { namedLanes, type SizedLane } from "./lanes/named.ts";
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

/** Reads the running jobs of a few lanes, by id. */
export function* readRunning(
  visible: Visibility,
  lanes: readonly SizedLane[],
): Tx<Map<string, RunningJob[]>> {
  const running = new Map<string, RunningJob[]>();
  const repos = lanes.map(({ repo }) => repo);
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

interface ActiveRow {
  readonly task_id: number;
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

const workOf = (tasks: readonly number[]): Statement =>
  sql`SELECT t.id AS task_id,
    (SELECT s.started_at FROM jobs s WHERE s.task_id = t.id AND s.started_at IS NOT NULL ORDER BY s.id LIMIT 1) AS since,
    j.id AS job_id, j.agent, j.status, j.attempts, j.max_attempts, j.lease_worker AS worker, j.run_after, j.progress, j.error,
    j.created_at, j.started_at, j.finished_at
  FROM tasks t LEFT JOIN jobs j ON j.id = ${furthestJobOf("t")} WHERE t.id IN ${list(tasks)}`;

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

/** Reads the start and the job of active tasks. */
export function* readActiveWork(
  tasks: readonly number[],
): Tx<Map<number, Pick<ActiveTask, "since" | "job">>> {
  const work = new Map<number, Pick<ActiveTask, "since" | "job">>();
  for (let at = 0; at < tasks.length; at += PAGE)
    for (const row of yield* all<ActiveRow>(workOf(tasks.slice(at, at + PAGE))))
      work.set(row.task_id, { since: toIsoOrNull(row.since), job: asActiveJob(row) });
  return work;
}
