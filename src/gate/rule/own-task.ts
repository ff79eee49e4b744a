/** The job's own task in SQL: for the hold reasons that lie in it. */

import { flag, raw, sql, type Statement } from "../../store/sql.ts";
import type { Affected, Write } from "./hold-reason.ts";

/** A condition on the row of `tasks` that has this alias. */
type TaskCondition = (task: string) => Statement;

/** True for a job whose own task meets the condition. A value of one row: PostgreSQL may answer EXISTS for many jobs by
 *  reading all tasks once, however many there are. */
export const ownTaskIs = (job: string, condition: TaskCondition): Statement =>
  sql`COALESCE((SELECT ${flag(condition("own"))} FROM tasks own WHERE own.id = ${raw(job)}.task_id), 0) = 1`;

/** The ids in a trigger's rows, as a list for IN: twice the same where a write does not change it. */
export const idsOf = (rows: readonly ("OLD" | "NEW")[]): string => rows.map((row) => `${row}.id`).join(", ");

/** The jobs of the task in a trigger's rows. */
export const ownJobs = (...rows: readonly ("OLD" | "NEW")[]): Affected => ({
  effect: "either",
  jobs: raw(`task_id IN (${idsOf(rows)})`),
});

/** The writes that turn a condition on a job's own task.
 *  @param column the column of `tasks` that it reads */
export const turnsOf = (column: string, condition: TaskCondition): Write[] => [
  {
    name: "changed",
    table: "tasks",
    after: `UPDATE OF id, ${column}`,
    when: sql`((${condition("OLD")}) <> (${condition("NEW")}) OR OLD.id <> NEW.id)`,
    affects: [ownJobs("OLD", "NEW")],
  },
  { name: "created", table: "tasks", after: "INSERT", when: condition("NEW"), affects: [ownJobs("NEW")] },
  { name: "deleted", table: "tasks", after: "DELETE", when: condition("OLD"), affects: [ownJobs("OLD")] },
];
