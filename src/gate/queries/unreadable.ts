/** Lists the times of jobs and tasks that another program wrote in a form that is no time. Nothing falls due by them. */

import { all, type Tx } from "../../store/port.ts";
import { inlineInteger, raw, sql } from "../../store/sql.ts";

export interface UnreadableTime {
  readonly table: "jobs" | "tasks";
  readonly id: number;
  readonly repo: string | null;
  readonly column: string;
  readonly text: string;
}

/** The conditions are those of the indexes gate_jobs_unreadable and gate_tasks_unreadable, word by word. */
const JOBS = raw(`jobs WHERE due_ms IS NULL AND CASE WHEN status = 'delayed' THEN 1
    WHEN status = 'running' AND lease_token IS NOT NULL AND lease_expires_at IS NOT NULL THEN 1 ELSE 0 END = 1`);
const TASKS = raw("tasks WHERE pause_until IS NOT NULL AND resume_ms IS NULL");

/** Shows this many characters of a text. */
const SHOWN = inlineInteger(60);

/** How many there are, as an expression. */
export const UNREADABLE_TIMES = sql`(SELECT COUNT(*) FROM ${JOBS}) + (SELECT COUNT(*) FROM ${TASKS})`;

/** The first of each table, at most `limit`. */
export const unreadableTimes = (limit: number): Tx<UnreadableTime[]> =>
  all(sql`SELECT * FROM (SELECT 'jobs' AS "table", id, repo,
      CASE status WHEN 'delayed' THEN 'run_after' ELSE 'lease_expires_at' END AS "column",
      substr(CASE status WHEN 'delayed' THEN run_after ELSE lease_expires_at END, 1, ${SHOWN}) AS text
    FROM ${JOBS} ORDER BY id LIMIT ${inlineInteger(limit)}) AS of_jobs
  UNION ALL SELECT * FROM (SELECT 'tasks', id, repo, 'pause_until', substr(pause_until, 1, ${SHOWN})
    FROM ${TASKS} ORDER BY id LIMIT ${inlineInteger(limit)}) AS of_tasks`);

/** One as a sentence, for people. */
export const sentenceOf = ({ table, id, repo, column, text }: UnreadableTime): string =>
  `${table === "jobs" ? "job" : "task"} ${id} (${repo ?? "no repository"}): ${column} ${JSON.stringify(text)} is not a time. Write it as 2026-06-15 08:05:00, in UTC.`;
