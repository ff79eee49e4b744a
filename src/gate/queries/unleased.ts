/** Lists the running jobs that another program started: they have no lease, so that the service never gives them back. */

import type { Job } from "../../contract/jobs.ts";
import { labelOf } from "../../contract/label.ts";
import { now, type Tx } from "../../store/port.ts";
import { raw } from "../../store/sql.ts";
import { readJobs } from "../commands/job.ts";
import { jobClause } from "../rule/words.ts";

/** Jobs that one answer lists, the oldest first. */
const MAX_JOBS = 100;

const nameOf = ({ id, agent, task_id, work_item_id, repo }: Job): string => {
  const of =
    task_id === null ? "" : ` of ${labelOf({ id: task_id, work_item_id, repo: repo ?? "no repository" })}`;
  return `job ${id} (${agent})${of}`;
};

/** Describes each of these jobs in a sentence. */
export function* unleasedJobs(): Tx<string[]> {
  const at = yield* now();
  const jobs = yield* readJobs(
    raw(
      `SELECT r.id FROM jobs r WHERE r.status = 'running' AND r.lease_expires_at IS NULL ORDER BY r.id LIMIT ${MAX_JOBS}`,
    ),
  );
  return jobs.map((job) => `${jobClause(job, at, nameOf(job))}.`);
}
