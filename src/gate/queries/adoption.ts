/** Counts the work in a database that an orchestrator made, for the log of its adoption. */

import { TERMINAL_STAGES } from "../../contract/vocabulary.ts";
import { all, first, type Tx } from "../../store/port.ts";
import { list, sql } from "../../store/sql.ts";

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
  const count = yield* first<{ n: number }>(
    sql`SELECT COUNT(*) AS n FROM jobs WHERE status = 'running' AND lease_token IS NULL`,
  );
  const jobs = yield* all<UnleasedJob>(sql`SELECT j.id AS job_id, j.agent, j.repo, t.work_item_id
    FROM jobs j LEFT JOIN tasks t ON t.id = j.task_id
    WHERE j.status = 'running' AND j.lease_token IS NULL ORDER BY j.id LIMIT ${NAMED}`);
  return {
    tasks: Number(tasks?.tasks ?? 0),
    unfinished: Number(tasks?.unfinished ?? 0),
    running: { count: Number(count?.n ?? 0), jobs },
  };
}
