/** Lists the running jobs that another program started: they have no lease, so that the service never gives them back. */

import type { Job } from "../../contract/jobs.ts";
import { labelOf } from "../../contract/names/label.ts";
import { now, type Tx } from "../../store/port.ts";
import { inlineInteger, raw, sql, type Statement } from "../../store/sql.ts";
import { readJobs } from "../commands/job.ts";
import { jobClause } from "../rule/words.ts";

/** Jobs that one answer lists, the oldest first. */
const MAX_JOBS = 100;

/** True for a running job that no lease ends: nothing gives it back. */
export const runsUnleased = (job: string): Statement =>
  raw(`${job}.status = 'running' AND ${job}.lease_expires_at IS NULL`);

const nameOf = ({ id, agent, task_id, work_item_id, repo }: Job): string => {
  const of =
    task_id === null ? "" : ` of ${labelOf({ id: task_id, work_item_id, repo: repo ?? "no repository" })}`;
  return `job ${id} (${agent})${of}`;
};

/** Describes each of these jobs in a sentence. */
export function* unleasedJobs(): Tx<string[]> {
  const at = yield* now();
  const jobs = yield* readJobs(
    sql`SELECT r.id FROM jobs r WHERE ${runsUnleased("r")} ORDER BY r.id LIMIT ${inlineInteger(MAX_JOBS)}`,
  );
  return jobs.map((job) => `${jobClause(job, at, nameOf(job))}.`);
}
