/** A job that a worker completes: read once with its task, under the lock of its lane, and answered from that read and from
 *  the completion's own writes. Nobody else changes either meanwhile, so that neither is read again. */

import type { Job } from "../../../contract/jobs.ts";
import type { Task } from "../../../contract/tasks.ts";
import type { Tx } from "../../../store/port.ts";
import { exists, flag, idsIn, sql } from "../../../store/sql.ts";
import { isPaused } from "../../rule/lane.ts";
import type { Rules } from "../../rule/policy.ts";
import { asJob, type JobRow } from "../job.ts";
import { readLeasedJobs, type LeaseClaim, type LeasedJob } from "../lease.ts";
import { withDependencies, type TaskRow } from "../task/read.ts";
import { isWaiting, type Move } from "../task/stage.ts";

type OfJob = Pick<JobRow, "agent" | "task_content" | "run_after" | "created_at" | "started_at">;
type OfTask = Pick<
  TaskRow,
  "title" | "paused_at" | "paused_by" | "pause_reason" | "pause_until" | "paused" | "cancelled_at"
>;

export interface FinishingJob extends LeasedJob, OfJob, OfTask {
  readonly task_repo: string | null;
  readonly task_created_at: string | null;
  readonly task_updated_at: string | null;
  /** The job that was last told of a stale base. */
  readonly told_job_id: number | null;
  /** 1 when its task has dependencies. */
  readonly depends: number;
  /** 1 when a task of another repository depends on its task: the end of it touches a lane that is not locked. */
  readonly touches_others: number;
  /** 1 when another job of its task has not started. */
  readonly leaves_jobs: number;
}

const dependentsElsewhere = sql`job_deps d JOIN tasks o ON o.id = d.task_id
  WHERE d.depends_on_task_id = t.id AND o.repo <> t.repo`;

const COLUMNS = sql`, j.agent, j.task_content, j.run_after, j.created_at, j.started_at, t.repo AS task_repo, t.title,
      t.paused_at, t.paused_by, t.pause_reason, t.pause_until, ${flag(isPaused("t"))} AS paused,
      t.cancelled_at, t.created_at AS task_created_at,
      t.updated_at AS task_updated_at, t.told_job_id,
      ${flag(exists(sql`job_deps d WHERE d.task_id = t.id`))} AS depends,
      ${flag(exists(dependentsElsewhere))} AS touches_others,
      ${flag(exists(sql`jobs w WHERE w.task_id = t.id AND w.id <> j.id AND ${isWaiting("w")}`))} AS leaves_jobs`;

/** Reads the jobs that exist, by id, each with a flag as `readLeasedJobs` does. */
export const readFinishingJobs = (
  rules: Rules,
  claims: ReadonlyMap<number, LeaseClaim>,
): Tx<Map<number, FinishingJob & { valid: number }>> => readLeasedJobs(rules, claims, COLUMNS);

/** A completion's writes to a job and its task. */
export interface Finished {
  readonly job: FinishingJob;
  /** As it is stored. */
  readonly result: string | null;
  readonly move: Move | undefined;
  /** The time of the transaction, as the database's text. */
  readonly at: string;
}

/** The job as it is now. */
export const finishedJob = ({ job, result, at }: Finished): Job =>
  asJob({
    ...job,
    id: job.job_id,
    status: "done",
    result,
    error: null,
    progress: null,
    lease_worker: null,
    lease_expires_at: null,
    finished_at: at,
  });

const taskRow = ({ job, move, at }: Finished): TaskRow[] => {
  const { task_id, task_repo, stage, cancelled_at, task_created_at, task_updated_at } = job;
  // A job may name a task that another program deleted.
  if (task_id === null || task_repo === null || stage === null) return [];
  return [
    {
      ...job,
      id: task_id,
      repo: task_repo,
      stage: move?.to ?? stage,
      cancelled_at: move?.to === "cancelled" ? at : cancelled_at,
      created_at: task_created_at,
      updated_at: move ? at : task_updated_at,
    },
  ];
};

/** The tasks as they are now, by id. */
export function* finishedTasks(finished: readonly Finished[]): Tx<Map<number, Task>> {
  const dependent = finished.flatMap(({ job }) => (job.depends && job.task_id !== null ? job.task_id : []));
  const rows = finished.flatMap(taskRow);
  const tasks = yield* withDependencies(rows, dependent.length === 0 ? undefined : idsIn(dependent));
  return new Map(tasks.map((task) => [task.id, task]));
}
