/** Marks the runs that a task's end ends, whichever program finishes the task, and clears what belongs to a run when it is
 *  over, whichever program ends it (`jobs.task_finished`, `jobs.progress`). */

import { TERMINAL_STAGES } from "../../contract/vocabulary.ts";
import type { Trigger } from "../port.ts";
import { list, raw, sql } from "../sql.ts";
import { changes } from "./columns.ts";

const TERMINAL = list(TERMINAL_STAGES);

/** The columns of a run, as they are outside of one. Part of every UPDATE of the gate that ends a run. */
export const NO_RUN = raw("task_finished = 0, progress = NULL");

/** The status is inside of the CASE: beside the task, SQLite might walk all jobs that run. */
const RUNS_OF_TASK = raw("task_id = NEW.id AND CASE status WHEN 'running' THEN task_finished END = 0");

export const RUNS: readonly Trigger[] = [
  {
    name: "gate_state_tasks_finished",
    table: "tasks",
    after: "UPDATE OF stage",
    when: sql`NEW.stage IN ${TERMINAL} AND OLD.stage NOT IN ${TERMINAL}`,
    body: [
      {
        kind: "if any",
        row: sql`jobs WHERE ${RUNS_OF_TASK}`,
        change: sql`UPDATE jobs SET task_finished = 1 WHERE ${RUNS_OF_TASK}`,
      },
    ],
  },
  {
    // A running job that is started anew is another run.
    name: "gate_state_jobs_run_over",
    table: "jobs",
    after: "UPDATE OF status, started_at",
    when: sql`OLD.status = 'running' AND (NEW.task_finished = 1 OR NEW.progress IS NOT NULL)
    AND (NEW.status <> 'running' OR ${changes("started_at")})`,
    body: [sql`UPDATE jobs SET ${NO_RUN} WHERE id = NEW.id`],
  },
];
