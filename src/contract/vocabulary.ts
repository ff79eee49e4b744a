/** The fixed lists of the contract: stages, statuses and reasons. Plain constants: the command line and the SQL use
 *  them without loading a validator. */

/** The stages of a finished task. The set is fixed: other programs rely on it. */
export const TERMINAL_STAGES: readonly string[] = ["done", "cancelled"];

/** True for a stage that a task never leaves. */
export const isTerminal = (stage: string): boolean => TERMINAL_STAGES.includes(stage);

export const JOB_STATUSES = ["queued", "delayed", "running", "done", "failed", "cancelled"] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

/** Statuses of a job that has not started yet. */
export const WAITING_STATUSES = ["queued", "delayed"] as const satisfies readonly JobStatus[];

/** Statuses of a job that is not over. */
export const OPEN_STATUSES = [...WAITING_STATUSES, "running"] as const satisfies readonly JobStatus[];

/** The reasons that hold an entry job, in the order in which the rule asks them. */
export const REASONS = ["freeze", "dependency", "active-task"] as const;
export type Reason = (typeof REASONS)[number];
