/** Marks the lanes that show rows of other lanes: a job in another repository than its task. A change of the task then
 *  concerns the lane of the job, and a change of the job that of the task, whose revision it does not move. No text of such
 *  a lane is kept (gate/queries/lanes/kept.ts). A mark stays: it costs time, and a lane without it must be right.
 *  The triggers read tasks. So they belong to the ready index, which is taken away while tasks cannot be read. */

import type { Trigger } from "../port.ts";
import { raw, sql, type Statement } from "../sql.ts";
import { READY_INDEX } from "./sets.ts";

const LANE_OF_JOB = "COALESCE(NEW.repo, '')";

/** FROM and WHERE of the task of a job, in another lane than the job's. */
const TASK_ELSEWHERE = `tasks t WHERE t.id = NEW.task_id AND t.repo <> ${LANE_OF_JOB}`;

/** FROM and WHERE of the jobs of a task, in another lane than the task's. */
const JOBS_ELSEWHERE = "jobs j WHERE j.task_id = NEW.id AND COALESCE(j.repo, '') <> NEW.repo";

/** Marks a lane if the rows are there. SQLite may run this before the trigger that makes the lane's row. */
const markOwn = (lane: string, rows: string): Statement[] => [
  raw(`INSERT INTO gate_lanes(repo, revision, mixed) SELECT ${lane}, 0, 1
    WHERE NOT EXISTS (SELECT 1 FROM gate_lanes l WHERE l.repo = ${lane}) AND EXISTS (SELECT 1 FROM ${rows})`),
  raw(
    `UPDATE gate_lanes SET mixed = 1 WHERE repo = ${lane} AND mixed = 0 AND EXISTS (SELECT 1 FROM ${rows})`,
  ),
];

const MARK_OF_JOB: readonly Statement[] = [
  ...markOwn(LANE_OF_JOB, TASK_ELSEWHERE),
  raw(`UPDATE gate_lanes SET mixed = 1 WHERE repo = (SELECT t.repo FROM ${TASK_ELSEWHERE}) AND mixed = 0`),
];

const MARK_OF_TASK: readonly Statement[] = [
  ...markOwn("NEW.repo", JOBS_ELSEWHERE),
  raw(
    `UPDATE gate_lanes SET mixed = 1 WHERE mixed = 0 AND repo IN (SELECT COALESCE(j.repo, '') FROM ${JOBS_ELSEWHERE})`,
  ),
];

const marks = (
  table: "jobs" | "tasks",
  change: string,
  after: Trigger["after"],
  body: readonly Statement[],
): Trigger => ({
  name: `${READY_INDEX.prefix}mixed_${table}_${change}`,
  table,
  after,
  ...(table === "jobs" ? { when: raw("NEW.task_id IS NOT NULL") } : {}),
  body,
});

export const MIXED_LANES: readonly Trigger[] = [
  marks("jobs", "inserted", "INSERT", MARK_OF_JOB),
  marks("jobs", "moved", "UPDATE OF repo, task_id", MARK_OF_JOB),
  marks("tasks", "inserted", "INSERT", MARK_OF_TASK),
  marks("tasks", "moved", "UPDATE OF id, repo", MARK_OF_TASK),
];

/** Marks the lanes of the rows that were written while no trigger saw them. */
export const MARK_MISSED_LANES = sql`UPDATE gate_lanes SET mixed = 1 WHERE mixed = 0 AND repo IN (
  SELECT t.repo FROM jobs j JOIN tasks t ON t.id = j.task_id WHERE t.repo <> COALESCE(j.repo, '')
  UNION SELECT COALESCE(j.repo, '') FROM jobs j JOIN tasks t ON t.id = j.task_id WHERE t.repo <> COALESCE(j.repo, ''))`;
