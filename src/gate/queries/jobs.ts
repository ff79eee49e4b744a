/** Lists jobs, the newest first. Every selection is looked up by an index; the filters that no index serves look at a
 *  limited number of jobs a page (docs/adr/0018). */

import type { JobPage, JobQuery } from "../../contract/jobs.ts";
import type { Reach } from "../../contract/names/repo-pattern.ts";
import { inReach } from "../rule/reach.ts";
import { JOB_STATUSES, type JobStatus } from "../../contract/vocabulary.ts";
import { all, one, type Tx } from "../../store/port.ts";
import { idsIn, inlineInteger, join, list, raw, sql, when, type Statement } from "../../store/sql.ts";
import { JOB_BYTES, readJobs } from "../commands/job.ts";
import { bytesOf, fitting, fittingAsJson, type Found } from "../page-bytes.ts";
import { NO_END } from "../rule/lane.ts";

/** The number of jobs that one page looks at. */
const MOST_LOOKED_AT = 5_000;

/** A number of jobs before a job: the newest of them. */
interface Window {
  readonly before: number;
  readonly many: number;
}

/** The newest jobs that meet a condition, by an index that ends with the id. */
const newest = (condition: Statement, { before, many }: Window): Statement =>
  sql`SELECT j.id FROM jobs j WHERE ${condition}j.id < ${before} ORDER BY j.id DESC LIMIT ${inlineInteger(many)}`;

/** The same by an index in another order, of whose rows all that meet the condition are looked at. The pluses keep the
 *  planner from walking the jobs of all lanes in the order of their ids. */
const newestOfAll = (condition: Statement, { before, many }: Window): Statement =>
  sql`SELECT j.id FROM jobs j WHERE ${condition}+j.id < ${before} ORDER BY +j.id DESC LIMIT ${inlineInteger(many)}`;

/** A worker has running jobs only: the end of a run takes its name from the job. */
const statusesOf = ({ status, worker }: JobQuery): readonly JobStatus[] | undefined =>
  worker === undefined ? status : (status ?? JOB_STATUSES).filter((each) => each === "running");

/** The newest jobs of a lane in a status. The statuses are text, so that the planner takes a partial index; the indexes of
 *  queued jobs are in the order of the lane's tasks. */
const newestInLane = (repo: string, status: JobStatus, window: Window): readonly Statement[] => {
  const lane = sql`j.repo = ${repo} AND j.status = ${raw(`'${status}'`)} AND `;
  if (status === "queued")
    return [0, 1].map((ready) => newestOfAll(sql`${lane}j.ready = ${inlineInteger(ready)} AND `, window));
  if (status === "running") return [newest(lane, window)];
  return [newest(sql`${lane}j.status NOT IN ('queued', 'running') AND `, window)];
};

/** The newest jobs among which a page is sought. One lookup a status: over several at once, an index gives no order. */
const lookedAt = (query: JobQuery, window: Window): Statement => {
  const { repo, work_item } = query;
  if (work_item !== undefined)
    // The plus keeps the planner from walking all jobs in the order of their ids.
    return sql`SELECT j.id FROM jobs j WHERE j.task_id IN (SELECT t.id FROM tasks t
        WHERE t.work_item_id = ${work_item}${when(repo !== undefined, sql` AND t.repo = ${repo ?? null}`)})
      AND j.id < ${window.before} ORDER BY +j.id DESC LIMIT ${inlineInteger(window.many)}`;
  const statuses = statusesOf(query) ?? (repo === undefined ? undefined : JOB_STATUSES);
  if (!statuses) return newest(raw(""), window);
  const each = statuses
    .flatMap((status) =>
      repo === undefined
        ? newest(sql`j.status = ${status} AND `, window)
        : newestInLane(repo, status, window),
    )
    .map((jobs) => sql`SELECT id FROM (${jobs}) AS of_status`);
  return sql`${join(each, " UNION ALL ")} ORDER BY id DESC LIMIT ${inlineInteger(window.many)}`;
};

/** The filters that the lookup leaves to be checked. */
const filters = (query: JobQuery): Statement => {
  const { agent, worker, work_item } = query;
  const statuses = work_item === undefined ? undefined : statusesOf(query);
  return sql`${when(statuses !== undefined, sql` AND j.status IN ${list(statuses ?? [])}`)}${when(
    agent !== undefined,
    sql` AND j.agent = ${agent ?? null}`,
  )}${when(worker !== undefined, sql` AND j.lease_worker = ${worker ?? null}`)}`;
};

/** The id of the last job that was looked at; null when there are no more. */
function* lastLookedAt(jobs: Statement, many: number): Tx<number | null> {
  const { count, id } = yield* one<{ count: number; id: number | null }>(
    sql`SELECT COUNT(*) AS count, MIN(id) AS id FROM (${jobs}) AS looked_at`,
  );
  return count === many ? id : null;
}

/** Answers `GET /jobs`, with the jobs that the caller may know. */
export function* listJobs(query: JobQuery, reach: Reach): Tx<JobPage> {
  if (statusesOf(query)?.length === 0) return { jobs: [], next_cursor: null };
  const filtered = sql`${filters(query)}${inReach(reach, "j")}`;
  const many = filtered.sql === "" ? query.limit : MOST_LOOKED_AT;
  const jobs = lookedAt(query, { before: Number(query.cursor ?? NO_END), many });
  const found = yield* all<Found>(sql`SELECT j.id, ${JOB_BYTES} AS bytes
    FROM (${jobs}) AS looked_at CROSS JOIN jobs j WHERE j.id = looked_at.id${filtered}
    ORDER BY j.id DESC LIMIT ${inlineInteger(query.limit)}`);
  const page = fitting(found);
  const read = page.length === 0 ? [] : (yield* readJobs(idsIn(page.map(({ id }) => id)))).reverse();
  const shown = fittingAsJson(read, bytesOf(page));
  const isCut = shown.length < found.length || found.length === query.limit;
  const next = isCut ? (shown.at(-1)?.id ?? null) : yield* lastLookedAt(jobs, many);
  return {
    jobs: [...shown],
    next_cursor: next === null ? null : String(next),
  };
}
