/** Tells a claimed job which tasks finished under its own task's base, until a job that was told completes. Triggers log the
 *  finishes and note what each task must be told of (store/triggers/overtakes.ts). */

import { all, run, type Tx } from "../../store/port.ts";
import { idsIn, inlineInteger, raw, sql, type Statement } from "../../store/sql.ts";
import { MAX_OVERTAKERS } from "../../contract/vocabulary.ts";
import { NO_END, unfinished } from "../rule/lane.ts";

/** FROM and WHERE of the finishes that an unfinished task must be told of, `f`: of all in its pause, and of those that
 *  ended started work once it had started itself.
 *  @param task the alias of a row of `tasks` */
export const untold = (task: string): Statement => {
  const end = inlineInteger(NO_END);
  const [base, from] = [
    raw(`COALESCE(${task}.base_from, ${end.sql})`),
    raw(`COALESCE(${task}.paused_from, ${end.sql})`),
  ];
  return sql`gate_finishes f WHERE f.repo = ${raw(task)}.repo AND f.task_id <> ${raw(task)}.id
      AND f.id > CASE WHEN ${base} < ${from} THEN ${base} ELSE ${from} END
      AND ((f.started = 1 AND f.id > ${base}) OR (f.id > ${from} AND f.id <= COALESCE(${raw(task)}.paused_to, ${end})))
      AND ${unfinished(task)}`;
};

/** True for a job whose task must be told of a finish. */
export const isOvertaken = (task: Statement): Statement =>
  sql`EXISTS (SELECT 1 FROM tasks own WHERE own.id = ${task} AND EXISTS (SELECT 1 FROM ${untold("own")}))`;

interface Overtake {
  readonly id: number;
  readonly task_id: number;
  readonly work_item_id: string | null;
}

/** Reads the latest work items that overtook the task, at most MAX_OVERTAKERS, and notes that the job was told. */
export function* overtakenBy(taskId: number, jobId: number): Tx<string[]> {
  const latest = yield* all<Overtake>(sql`SELECT f.id, f.task_id,
      (SELECT t.work_item_id FROM tasks t WHERE t.id = f.task_id) AS work_item_id
    FROM tasks own, ${untold("own")} AND own.id = ${taskId} ORDER BY f.id DESC LIMIT ${inlineInteger(MAX_OVERTAKERS)}`);
  const [last] = latest;
  if (last)
    yield* run(sql`UPDATE tasks SET told_job_id = ${jobId}, told_to = ${last.id} WHERE id = ${taskId}`);
  return [...new Set(latest.reverse().map(({ work_item_id, task_id }) => work_item_id ?? String(task_id)))];
}

/** Jobs that were told of a stale base have done their work on a fresh one. */
export function* rebased(
  jobs: readonly { readonly job_id: number; readonly task_id: number | null }[],
): Tx<void> {
  const tasks = jobs.flatMap(({ task_id }) => task_id ?? []);
  if (tasks.length === 0) return;
  // A pause that goes on, or was longer than what was told, continues from there.
  yield* run(sql`UPDATE tasks SET told_job_id = NULL, told_to = NULL,
      base_from = CASE WHEN base_from > told_to THEN base_from ELSE told_to END,
      paused_from = CASE WHEN paused_from > told_to THEN paused_from
        WHEN paused_from IS NOT NULL AND (paused_to IS NULL OR paused_to > told_to) THEN told_to END
    WHERE id IN ${idsIn(tasks)} AND told_job_id IN ${idsIn(jobs.map(({ job_id }) => job_id))}`);
}
