/** The columns of a table of jobs. */

import type { Job } from "../../../contract/jobs.ts";
import { tableOf, type Column } from "../../output/table.ts";
import type { Screen, Style } from "../../output/terminal.ts";
import { shownTime } from "../../output/time.ts";

const STATUS_STYLE: Partial<Readonly<Record<Job["status"], Style>>> = {
  running: "green",
  failed: "red",
  delayed: "yellow",
};

export const JOB_COLUMNS: readonly Column<Job>[] = [
  { head: "JOB", cell: ({ id }) => id },
  { head: "AGENT", cell: ({ agent }) => agent },
  { head: "STATUS", cell: ({ status }) => status, style: ({ status }) => STATUS_STYLE[status] },
  { head: "ATTEMPT", cell: ({ attempt, max_attempts }) => `${attempt} of ${max_attempts}` },
  { head: "WORKER", cell: ({ lease }) => lease?.worker },
  { head: "ERROR", cell: ({ error }) => error },
  { head: "CREATED", cell: ({ created_at }) => created_at && shownTime(created_at), wide: true },
  { head: "STARTED", cell: ({ started_at }) => started_at && shownTime(started_at), wide: true },
  { head: "FINISHED", cell: ({ finished_at }) => finished_at && shownTime(finished_at), wide: true },
];

/** @param dryRun leaves out the ids, which no job has yet */
export const jobLines = (jobs: readonly Job[], screen: Screen, wide: boolean, dryRun?: true): string[] =>
  tableOf(dryRun ? JOB_COLUMNS.filter(({ head }) => head !== "JOB") : JOB_COLUMNS, jobs, screen, wide);
