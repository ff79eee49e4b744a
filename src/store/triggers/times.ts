/** Keeps the times at which something falls due as integers beside the texts, and ends a lease with its job's run and the
 *  note of a pause with the pause, for whatever another program writes. Our own frequent statements (claim, heartbeat,
 *  complete) write all of it themselves, and no trigger fires for them. A text that is no time gives NULL: nothing falls
 *  due by it, and it decides for no other row. */

import type { Dialect, TimesUpdate, Trigger } from "../port.ts";
import { raw, sql, type Statement } from "../sql.ts";
import { changes } from "./columns.ts";

/** The columns of a lease, cleared. A delayed job gets its own `due_ms` from the trigger. */
export const NO_LEASE =
  raw(`lease_token = NULL, lease_worker = NULL, lease_expires_at = NULL, lease_ms = NULL,
      lease_actor = NULL, due_ms = NULL`);

/** Milliseconds since 1970 at which a job falls due; NULL when it does not. */
const dueOf = (milliseconds: Dialect["milliseconds"]): Statement =>
  sql`CASE WHEN status = 'delayed' AND run_after IS NULL THEN 0
    WHEN status = 'delayed' THEN ${milliseconds(raw("run_after"))}
    WHEN status = 'running' AND lease_token IS NOT NULL THEN ${milliseconds(raw("lease_expires_at"))} END`;

const setDue: TimesUpdate = {
  kind: "times",
  update: (milliseconds) =>
    sql`UPDATE jobs SET due_ms = ${dueOf(milliseconds)}
  WHERE id = NEW.id AND (due_ms IS NOT NULL OR status = 'delayed' OR lease_token IS NOT NULL)`,
};

const setResume: TimesUpdate = {
  kind: "times",
  update: (milliseconds) =>
    sql`UPDATE tasks SET resume_ms = ${milliseconds(raw("pause_until"))} WHERE id = NEW.id`,
};

/** The job left its run, or began another, and the lease stayed as it was: it is over, and its token. */
const RUN_ENDED = sql`NEW.lease_token = OLD.lease_token AND (${changes("status", "started_at")})`;

const endLease = sql`UPDATE jobs SET ${NO_LEASE} WHERE id = NEW.id AND ${RUN_ENDED}`;

/** True when the integer may be missing or did not move with its text. It compares no texts: PostgreSQL prepares the
 *  condition at every statement. */
const DUE_IS_STALE =
  raw(`CASE WHEN NEW.status = 'delayed' OR NEW.status = 'running' AND NEW.lease_token IS NOT NULL
      THEN NEW.due_ms IS NULL OR NEW.due_ms = OLD.due_ms ELSE NEW.due_ms IS NOT NULL END`);

const RESUME_IS_STALE = sql`(${changes("pause_until")}) AND (NEW.resume_ms = OLD.resume_ms OR (NEW.pause_until IS NULL) <> (NEW.resume_ms IS NULL))`;

/** The pause ended, and its end, its reason and its author stayed: they are not those of the next pause. */
const PAUSE_ENDED = raw(`NEW.paused_at IS NULL AND OLD.paused_at IS NOT NULL
    AND (NEW.paused_by IS NOT NULL OR NEW.pause_reason IS NOT NULL OR NEW.pause_until IS NOT NULL OR NEW.paused_together = 1)`);

const endPause =
  raw(`UPDATE tasks SET paused_by = NULL, pause_reason = NULL, pause_until = NULL, resume_ms = NULL,
    paused_together = 0 WHERE id = NEW.id`);

export const TIMES: readonly Trigger[] = [
  {
    name: "gate_times_jobs_inserted",
    table: "jobs",
    after: "INSERT",
    when: raw("NEW.due_ms IS NULL AND (NEW.status = 'delayed' OR NEW.lease_token IS NOT NULL)"),
    body: [setDue],
  },
  {
    name: "gate_times_jobs_changed",
    table: "jobs",
    after: "UPDATE OF status, started_at, run_after, lease_token, lease_expires_at",
    when: sql`(${RUN_ENDED}) OR ${DUE_IS_STALE}`,
    body: [endLease, setDue],
  },
  {
    name: "gate_times_tasks_inserted",
    table: "tasks",
    after: "INSERT",
    when: raw("NEW.pause_until IS NOT NULL"),
    body: [setResume],
  },
  {
    name: "gate_times_tasks_changed",
    table: "tasks",
    after: "UPDATE OF pause_until",
    when: RESUME_IS_STALE,
    body: [setResume],
  },
  {
    name: "gate_times_tasks_resumed",
    table: "tasks",
    after: "UPDATE OF paused_at",
    when: PAUSE_ENDED,
    body: [endPause],
  },
];

/** Sets the integers of every row that may need one and ends the leases of jobs that do not run, for what was written while
 *  no trigger saw it. A row that is right is not written. */
export const fillTimes = ({ milliseconds }: Dialect): readonly Statement[] => {
  const due = dueOf(milliseconds);
  const resume = milliseconds(raw("pause_until"));
  return [
    sql`UPDATE jobs SET ${NO_LEASE} WHERE status <> 'running' AND lease_token IS NOT NULL`,
    sql`UPDATE jobs SET due_ms = ${due}
      WHERE (due_ms IS NOT NULL OR status IN ('delayed', 'running')) AND due_ms IS DISTINCT FROM ${due}`,
    sql`UPDATE tasks SET resume_ms = ${resume}
      WHERE (resume_ms IS NOT NULL OR pause_until IS NOT NULL) AND resume_ms IS DISTINCT FROM ${resume}`,
  ];
};
