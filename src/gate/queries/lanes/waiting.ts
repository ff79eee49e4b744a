/** The waiting jobs of lanes: every queued entry job, and every other queued job that is held, each with its reason and its
 *  place. A deep lane is read in pages, and of one that is listed in part only the first jobs. */

import { tuples, type Tx } from "../../../store/port.ts";
import { inlineInteger, join, raw, sql, when, type Statement } from "../../../store/sql.ts";
import { toIsoOrNull } from "../../../store/timestamps.ts";
import type { Lane } from "../../../contract/queue.ts";
import type { Policy } from "../../rule/policy.ts";
import { heldReason } from "../../rule/predicate.ts";
import type { Visibility } from "../../rule/visibility.ts";
import { inPages, PAGE } from "../pages.ts";
import { isListed } from "./listed.ts";
import { namedLanes, type SizedLane } from "./named.ts";

type WaitingJob = Lane["waiting"][number];

type WaitingRow = readonly [
  job_id: number,
  repo: string,
  task_id: number | null,
  work_item_id: string | null,
  stage: string | null,
  agent: string,
  reason: WaitingJob["reason"],
  since: string | null,
];

/** The columns of each row, of the jobs `j` with their tasks. */
const columnsOf = (visible: Visibility, reason: Statement): Statement =>
  sql`SELECT j.id AS job_id, j.repo, j.task_id, ${
    visible.stages ? raw("t.work_item_id, t.stage") : raw("NULL AS work_item_id, NULL AS stage")
  }, j.agent, (${reason}) AS reason, j.created_at AS since`;

const tasksOf = (visible: Visibility): Statement =>
  when(visible.stages, raw(" LEFT JOIN tasks t ON t.id = j.task_id"));

/** The queued jobs of a lane are in two indexes: those that are ready, of which there are few, and those that are not. */
const MARKS = [raw("j.ready = 1"), raw("j.ready = 0")];

/** The queued jobs of a few lanes. The head of each lane is looked up once, not for each job. */
const waitingInLanes = (policy: Policy, visible: Visibility, repos: readonly string[]): Statement => {
  const seesLanes = visible.lanes && visible.stages;
  const marked = (mark: Statement): Statement =>
    sql`${columnsOf(visible, heldReason(policy, visible, "j", seesLanes ? { head: raw("named.head") } : undefined))}
    FROM named CROSS JOIN jobs j${tasksOf(visible)} WHERE j.repo = named.repo AND j.status = 'queued' AND ${mark}`;
  return sql`${namedLanes(repos, seesLanes ? policy : undefined)} ${join(MARKS.map(marked), " UNION ALL ")}`;
};

/** The queued jobs of a window. */
const waitingIn = (policy: Policy, visible: Visibility, window: Statement): Statement =>
  sql`${columnsOf(visible, heldReason(policy, visible))}
    FROM (${window}) AS w CROSS JOIN jobs j${tasksOf(visible)} WHERE j.id = w.id`;

/** A window ends after so many queued jobs, listed or not: no statement walks past any number of those that are not. */
const END = sql` LIMIT ${inlineInteger(PAGE)}`;

/** The waiting jobs of a lane. */
interface Waiting {
  readonly jobs: WaitingJob[];
  /** Whether they came in the order of their tasks and their ids: then each has its place. */
  inOrder: boolean;
}

const NO_TASK = Number.MAX_SAFE_INTEGER;

/** By task, those without a task last. */
const byPlace = (a: WaitingJob, b: WaitingJob): number =>
  (a.task_id ?? NO_TASK) - (b.task_id ?? NO_TASK) || a.job_id - b.job_id;

/** Adds rows to their lanes. What can be done row by row is done here: a deep lane is never gone through at once but
 *  where its order must be mended. */
const addTo = (lanes: Map<string, Waiting>, rows: readonly WaitingRow[]): void => {
  let lane: Waiting | undefined;
  let repo: string | undefined;
  for (const row of rows) {
    const [job_id, ofRepo, task_id, work_item_id, stage, agent, reason, since] = row;
    if (!lane || ofRepo !== repo) {
      repo = ofRepo;
      lane = lanes.get(repo);
      if (!lane) lanes.set(repo, (lane = { jobs: [], inOrder: true }));
    }
    const { jobs } = lane;
    const job: WaitingJob = {
      job_id,
      task_id,
      work_item_id,
      stage,
      agent,
      reason,
      position: jobs.length + 1,
      since: toIsoOrNull(since),
    };
    const last = jobs.at(-1);
    if (last && (last.job_id > job.job_id || byPlace(last, job) > 0)) lane.inOrder = false;
    jobs.push(job);
  }
};

/** The jobs of a lane by id, with their places; of too many those with the first places. */
const placed = ({ jobs, inOrder }: Waiting, most: number): WaitingJob[] => {
  if (inOrder) return jobs.length > most ? jobs.slice(0, most) : jobs;
  jobs.sort(byPlace).forEach((job, index) => (job.position = index + 1));
  return jobs.slice(0, most).sort((a, b) => a.job_id - b.job_id);
};

type RowsOf = (window: Statement) => Statement;
/** Returns how many of the rows are listed. */
type Take = (rows: readonly WaitingRow[]) => number;

/** The first jobs of a lane in the order of the indexes: of those that are ready, and of those that are not. */
function* readBeginningOf(repo: string, rowsOf: RowsOf, take: Take, most: number): Tx<void> {
  for (const mark of MARKS) {
    let left = most;
    const untilEnough = (rows: readonly WaitingRow[]): boolean => (left -= take(rows)) > 0;
    const inLane = sql`SELECT j.id FROM jobs j WHERE j.status = 'queued' AND ${mark} AND j.repo = ${repo}`;
    yield* inPages<WaitingRow>(
      (last) =>
        sql`${rowsOf(sql`${inLane} AND (j.task_id, j.id) > (${last?.[2] ?? 0}, ${last?.[0] ?? 0})
          ORDER BY j.task_id, j.id${END}`)} ORDER BY j.task_id, j.id`,
      untilEnough,
      tuples,
    );
    if (left > 0)
      yield* inPages<WaitingRow>(
        (last) =>
          sql`${rowsOf(sql`${inLane} AND j.task_id IS NULL AND j.id > ${last?.[0] ?? 0}
            ORDER BY j.id${END}`)} ORDER BY j.id`,
        untilEnough,
        tuples,
      );
  }
}

/** Reads the waiting jobs of a few lanes, which have no more than a page of jobs together, or of a deep one.
 *  @param most how many a lane lists */
export function* readWaiting(
  policy: Policy,
  visible: Visibility,
  lanes: readonly SizedLane[],
  most: number,
): Tx<(repo: string) => WaitingJob[]> {
  const waiting = new Map<string, Waiting>();
  const take = (rows: readonly WaitingRow[]): number => {
    const listed = rows.filter(([, , , , , agent, reason]) => isListed(policy, agent, reason));
    addTo(waiting, listed);
    return listed.length;
  };
  const rowsOf: RowsOf = (window) => waitingIn(policy, visible, window);
  const [first] = lanes;
  if (first && lanes.length === 1 && first.queued > Math.min(most, PAGE))
    yield* readBeginningOf(first.repo, rowsOf, take, most);
  else
    take(
      yield* tuples<WaitingRow>(
        waitingInLanes(
          policy,
          visible,
          lanes.map(({ repo }) => repo),
        ),
      ),
    );
  return (repo) => {
    const lane = waiting.get(repo);
    return lane ? placed(lane, most) : [];
  };
}
