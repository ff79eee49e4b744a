/** Counts the work in a database that an orchestrator made, for the log of its adoption. */

import { TERMINAL_STAGES } from "../../contract/vocabulary.ts";
import { all, first, type Tx } from "../../store/port.ts";
import { list, sql } from "../../store/sql.ts";
import { runsUnleased } from "./unleased.ts";

/** A job that another program started: it has no lease, so no expiry gives it back. */
interface UnleasedJob {
  readonly job_id: number;
  readonly agent: string | null;
  readonly repo: string | null;
  readonly work_item_id: string | null;
}

export interface AdoptedWork {
  readonly tasks: number;
  readonly unfinished: number;
  /** At most `NAMED` of them are named. */
  readonly running: { readonly count: number; readonly jobs: readonly UnleasedJob[] };
}

const NAMED = 20;

export function* adoptedWork(): Tx<AdoptedWork> {
  const tasks = yield* first<{ tasks: number; unfinished: number | null }>(sql`SELECT COUNT(*) AS tasks,
      SUM(CASE WHEN stage IN ${list(TERMINAL_STAGES)} THEN 0 ELSE 1 END) AS unfinished FROM tasks`);
  const count = yield* first<{ n: number }>(sql`SELECT COUNT(*) AS n FROM jobs j WHERE ${runsUnleased("j")}`);
  const jobs = yield* all<UnleasedJob>(sql`SELECT j.id AS job_id, j.agent, j.repo, t.work_item_id
    FROM jobs j LEFT JOIN tasks t ON t.id = j.task_id
    WHERE ${runsUnleased("j")} ORDER BY j.id LIMIT ${NAMED}`);
  return {
    tasks: tasks?.tasks ?? 0,
    unfinished: tasks?.unfinished ?? 0,
    running: { count: count?.n ?? 0, jobs },
  };
}

const counted = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`;

export const adoptionSentence = ({ tasks, unfinished }: AdoptedWork): string =>
  `The orchestrator's database is adopted: ${counted(tasks, "task")}, ${unfinished} unfinished.`;

/** Names the jobs that nothing gives back; undefined when there are none. */
export const unleasedSentence = ({ running: { count, jobs } }: AdoptedWork): string | undefined => {
  if (count === 0) return undefined;
  const names = jobs.map(
    ({ job_id, agent, work_item_id, repo }) =>
      `job ${job_id} (${agent ?? "no agent"}) of ${work_item_id ?? "no work item"} in ${repo ?? "no repository"}`,
  );
  const listed = `${names.join(", ")}${count > names.length ? ", …" : ""}`;
  return count === 1
    ? `1 running job was started by another program and has no lease; serial-gate will not give it back: ${listed}.`
    : `${count} running jobs were started by another program and have no lease; serial-gate will not give them back: ${listed}.`;
};
