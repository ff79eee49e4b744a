/** The words of the contract that are fixed lists: stages, statuses, reasons. Plain constants, so that the command line loads no validator. */

export const JOB_STATUSES = ["queued", "delayed", "running", "done", "failed", "cancelled"] as const;
