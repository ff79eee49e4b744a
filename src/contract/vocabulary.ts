/** The contract's fixed lists: stages, statuses, reasons and event kinds.
 *  Plain constants without zod, so that the command line and the SQL can use them without loading a validator. */

/** The stages of a finished task. The set is fixed: other programs rely on it. */
export const TERMINAL_STAGES: readonly string[] = ["done", "cancelled"];

/** True for a stage that a task never leaves. */
export const isTerminal = (stage: string): boolean => TERMINAL_STAGES.includes(stage);

export const JOB_STATUSES = ["queued", "delayed", "running", "done", "failed", "cancelled"] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

/** Statuses of a job that has not started yet. */
export const WAITING_STATUSES = ["queued", "delayed"] as const satisfies readonly JobStatus[];

/** Statuses of a job that has not ended. */
export const OPEN_STATUSES = [...WAITING_STATUSES, "running"] as const satisfies readonly JobStatus[];

/** Statuses of a job that its task still depends on, the furthest on first. A failed job counts while it is the task's
 *  last one. */
export const FURTHEST_FIRST = [
  "running",
  "queued",
  "delayed",
  "failed",
] as const satisfies readonly JobStatus[];

/** The reasons that hold a job, in the order in which the rule asks them. The first two only in strict lanes. */
export const REASONS = ["paused", "finished", "freeze", "dependency", "active-task"] as const;
export type Reason = (typeof REASONS)[number];

/** The kinds of events that serial-gate records. */
const OWN_EVENT_KINDS = [
  "task.created",
  "task.stage",
  "task.cancelled",
  "task.paused",
  "task.resumed",
  "task.answered",
  "dependency.added",
  "dependency.removed",
  "repo.frozen",
  "repo.unfrozen",
  "job.created",
  "job.claimed",
  "job.completed",
  "job.delayed",
  "job.failed",
  "job.released",
  "job.lapsed",
  "job.due",
  "job.retried",
  "job.cancelled",
] as const;

/** The kinds of events that serial-gate records only for another program's changes. */
const FOREIGN_EVENT_KINDS = [
  "task.moved",
  "task.deleted",
  "job.changed",
  "job.moved",
  "job.deleted",
] as const;

export const EVENT_KINDS = [...OWN_EVENT_KINDS, ...FOREIGN_EVENT_KINDS] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

/** The column `tasks.lane_state`. A task acquires its lane when a job of it is claimed, and loses it when it is paused
 *  after that; the next claim acquires it again. */
export const LANE_STATE = { none: 0, acquired: 1, lost: 2 } as const;

/** A claimed job is told of at most this many of the latest tasks that overtook its own. */
export const MAX_OVERTAKERS = 100;

/** How far serial-gate's own change of a row moves the column `gate_writes`. `together`: a command changes many rows in one
 *  statement, and does once what triggers do for each of them. */
export const OWN_WRITE = { alone: 1, together: 2 } as const;
