/** The part of a work item's life from before our own recording began, from the rows that the orchestrator left: their
 *  times, and the reasons of its freezes. Nobody knows who did it, and nothing else of that time is known. */

import type { RowEvent } from "../../contract/events.ts";
import { TERMINAL_STAGES, type EventKind } from "../../contract/vocabulary.ts";
import { all, first, type Tx } from "../../store/port.ts";
import { raw, sql, type Statement } from "../../store/sql.ts";
import { PEOPLE_TEXT_LENGTH, peopleText } from "../../contract/people-text.ts";
import { fittingAsJson, PAGE_BYTES } from "../page-bytes.ts";
import { fromStored, toIso } from "../../store/timestamps.ts";
import type { TaskRef } from "../commands/lookup/work-item.ts";

/** Jobs and freezes that are read, the newest first. Texts are cut, and the oldest are left out beyond a page. */
const MAX_ROWS = 500;

/** Reads when the event log began: at the first migration, or at an event that was copied from another database.
 *  @returns milliseconds since 1970 UTC; NaN when it is not known */
export function* recordingBegan(): Tx<number> {
  const row = yield* first<{ migrated: string | null; first_event: string | null }>(
    sql`SELECT (SELECT MIN(applied_at) FROM gate_migrations) AS migrated,
      (SELECT e.at FROM gate_events e ORDER BY e.id LIMIT 1) AS first_event`,
  );
  const times = [row?.migrated, row?.first_event].flatMap((at) => (at ? [fromStored(at)] : []));
  return times.length === 0 ? NaN : Math.min(...times);
}

interface Told {
  readonly at: string | null;
  readonly kind: EventKind;
  readonly repo: string;
  readonly task_id?: number;
  readonly work_item_id?: string | null;
  readonly job_id?: number;
  readonly reason?: string | null;
  readonly detail?: Readonly<Record<string, unknown>>;
}

interface TaskRow {
  readonly id: number;
  readonly repo: string;
  readonly work_item_id: string | null;
  readonly stage: string;
  readonly created_at: string | null;
  readonly paused_at: string | null;
  readonly pause_reason: string | null;
  readonly cancelled_at: string | null;
}

const toldOfTask = (row: TaskRow): Told[] => {
  const { id: task_id, repo, work_item_id, stage } = row;
  const about = { repo, task_id, work_item_id };
  return [
    { at: row.created_at, kind: "task.created", ...about },
    { at: row.paused_at, kind: "task.paused", ...about, reason: row.pause_reason },
    ...(stage === TERMINAL_STAGES[1]
      ? [{ at: row.cancelled_at, kind: "task.cancelled" as const, ...about }]
      : []),
  ];
};

interface JobRow {
  readonly id: number;
  readonly agent: string;
  readonly status: string;
  readonly error: string | null;
  readonly created_at: string | null;
  readonly started_at: string | null;
  readonly finished_at: string | null;
}

const ENDS: Readonly<Partial<Record<string, EventKind>>> = {
  done: "job.completed",
  failed: "job.failed",
  cancelled: "job.cancelled",
};

const toldOfJob = (row: JobRow, { repo, task_id, work_item_id }: TaskRef): Told[] => {
  const about = { repo, task_id, work_item_id, job_id: row.id, detail: { agent: row.agent } };
  const end = ENDS[row.status];
  return [
    { at: row.created_at, kind: "job.created", ...about },
    { at: row.started_at, kind: "job.claimed", ...about },
    ...(end === undefined
      ? []
      : [{ at: row.finished_at, kind: end, ...about, reason: end === "job.failed" ? row.error : null }]),
  ];
};

interface FreezeRow {
  readonly id: number;
  readonly repo: string;
  readonly reason: string | null;
  readonly work_item_id: string | null;
  readonly frozen_at: string | null;
  readonly cleared_at: string | null;
}

const toldOfFreeze = ({ id, repo, reason, work_item_id, frozen_at, cleared_at }: FreezeRow): Told[] => {
  const about = { repo, work_item_id, detail: { freeze_id: id } };
  return [
    { at: frozen_at, kind: "repo.frozen", ...about, reason },
    { at: cleared_at, kind: "repo.unfrozen", ...about },
  ];
};

/** As much of a text as is shown, and a character more. */
const beginningOf = (column: string): Statement =>
  raw(`substr(${column}, 1, ${PEOPLE_TEXT_LENGTH + 1}) AS ${column}`);

const tasksIn = (ids: Statement): Statement =>
  sql`SELECT id, repo, work_item_id, stage, created_at, paused_at, ${beginningOf("pause_reason")}, cancelled_at
    FROM tasks WHERE id IN (${ids}) ORDER BY id`;

/** Reads what the rows tell of a task's life before our recording began, oldest first: of the task and its jobs, and since
 *  its creation of its dependencies and of the freezes of their repositories. */
export function* lifeFromRows(task: TaskRef, began: number): Tx<RowEvent[]> {
  const { task_id } = task;
  const own = yield* all<TaskRow>(tasksIn(sql`${task_id}`));
  const dependencies = sql`SELECT d.depends_on_task_id FROM job_deps d WHERE d.task_id = ${task_id}`;
  const needed = yield* all<TaskRow>(tasksIn(dependencies));
  const jobs =
    yield* all<JobRow>(sql`SELECT id, agent, status, ${beginningOf("error")}, created_at, started_at, finished_at
    FROM jobs WHERE task_id = ${task_id} ORDER BY id DESC LIMIT ${raw(String(MAX_ROWS))}`);
  const freezes =
    yield* all<FreezeRow>(sql`SELECT id, repo, ${beginningOf("reason")}, work_item_id, frozen_at, cleared_at FROM repo_freeze
      WHERE repo IN (SELECT t.repo FROM tasks t WHERE t.id = ${task_id} OR t.id IN (${dependencies}))
      ORDER BY id DESC LIMIT ${raw(String(MAX_ROWS))}`);
  const creation = own[0]?.created_at;
  const created = creation ? fromStored(creation) : NaN;
  const isPast = (told: Told): boolean => (told.at === null ? NaN : fromStored(told.at)) < began;
  const isInLife = (told: Told): boolean => !(fromStored(told.at ?? "") < created);
  const ofTask = [...own.flatMap(toldOfTask), ...jobs.reverse().flatMap((row) => toldOfJob(row, task))];
  const around = [...needed.flatMap(toldOfTask), ...freezes.reverse().flatMap(toldOfFreeze)];
  const told = [...ofTask, ...around.filter(isInLife)]
    .filter(isPast)
    .sort((a, b) => fromStored(a.at ?? "") - fromStored(b.at ?? ""))
    .map(
      ({ at, task_id: id = null, work_item_id = null, job_id = null, reason = null, detail, ...told }) => ({
        source: "rows" as const,
        at: toIso(at ?? ""),
        task_id: id,
        work_item_id,
        job_id,
        reason: reason === null ? null : peopleText(reason),
        detail: detail ?? null,
        ...told,
      }),
    );
  return [...fittingAsJson(told.reverse(), PAGE_BYTES)].reverse();
}
