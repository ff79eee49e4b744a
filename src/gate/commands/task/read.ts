/** Reads tasks as the API shows them: one, a page of them, or those that a statement names. */

import { all, type Tx } from "../../../store/port.ts";
import type { Reach } from "../../../contract/names/repo-pattern.ts";
import { inReach } from "../../rule/reach.ts";
import { unknownTask } from "../lookup/subject.ts";
import { flag, idsIn, raw, sql, when, type Statement } from "../../../store/sql.ts";
import { groupBy } from "../../group-by.ts";
import { newestJobsOf } from "../job.ts";
import { bytesOf, fitting, fittingAsJson, type Found } from "../../page-bytes.ts";
import type { Job } from "../../../contract/jobs.ts";
import type { Task, TaskPage, TaskQuery } from "../../../contract/tasks.ts";
import type { TaskSelector } from "../../../contract/scalars.ts";
import { isPaused, unfinished, unfinishedInPart } from "../../rule/lane.ts";
import { toIsoOrNull } from "../../../store/timestamps.ts";
import { resolveTask } from "../lookup/work-item.ts";

export interface TaskRow {
  id: number;
  repo: string;
  work_item_id: string | null;
  title: string | null;
  stage: string;
  paused_at: string | null;
  paused_by: string | null;
  pause_reason: string | null;
  pause_until: string | null;
  paused: number;
  cancelled_at: string | null;
  created_at: string | null;
  updated_at: string | null;
}

interface DependencyRow {
  of_task_id: number;
  task_id: number;
  repo: string;
  work_item_id: string | null;
  stage: string;
}

const NO_PAUSE = { paused_at: null, paused_by: null, pause_reason: null, pause_until: null };

const pauseOf = (row: TaskRow) => ({
  paused_at: toIsoOrNull(row.paused_at),
  paused_by: row.paused_by,
  pause_reason: row.pause_reason,
  pause_until: toIsoOrNull(row.pause_until),
});

/** The tasks that a `SELECT t.id FROM tasks t …` names, by id. */
export function* readTasks(ids: Statement): Tx<Task[]> {
  const rows = yield* all<TaskRow>(sql`SELECT id, repo, work_item_id, title, stage, paused_at, paused_by,
      pause_reason, pause_until, ${flag(isPaused("tasks"))} AS paused,
      cancelled_at, created_at, updated_at
    FROM tasks WHERE id IN (${ids}) ORDER BY id`);
  return yield* withDependencies(rows, ids);
}

/** Rows as callers see them, with their dependencies.
 *  @param ids of those that may have any, as a `SELECT t.id FROM tasks t …`; undefined where none has */
export function* withDependencies(rows: readonly TaskRow[], ids: Statement | undefined): Tx<Task[]> {
  const needed =
    ids === undefined
      ? []
      : yield* all<DependencyRow>(sql`SELECT d.task_id AS of_task_id, n.id AS task_id, n.repo,
      n.work_item_id, n.stage
    FROM job_deps d JOIN tasks n ON n.id = d.depends_on_task_id
    WHERE d.task_id IN (${ids}) ORDER BY n.id`);
  const dependencies = groupBy(needed, (row) => row.of_task_id);
  return rows.map((row) => ({
    id: row.id,
    repo: row.repo,
    work_item_id: row.work_item_id,
    title: row.title,
    stage: row.stage,
    depends_on: (dependencies.get(row.id) ?? []).map(({ of_task_id: _, ...dependency }) => dependency),
    ...(row.paused === 1 ? pauseOf(row) : NO_PAUSE),
    cancelled_at: toIsoOrNull(row.cancelled_at),
    created_at: toIsoOrNull(row.created_at),
    updated_at: toIsoOrNull(row.updated_at),
  }));
}

/** @throws GateError unknown_task */
export function* readTask(id: number): Tx<Task> {
  const [task] = yield* readTasks(sql`SELECT t.id FROM tasks t WHERE t.id = ${id}`);
  if (!task) throw unknownTask(id);
  return task;
}

/** The task that a work item stands for: the unfinished one if there is one, else the latest.
 *  @throws GateError unknown_work_item, ambiguous_work_item */
export function* taskOfWorkItem(selector: TaskSelector, reach: Reach): Tx<Task> {
  const { task_id } = yield* resolveTask(selector, reach);
  return yield* readTask(task_id);
}

/** A task and its jobs; of too many, or too large ones, the newest. */
export function* taskWithJobs(id: number): Tx<{ task: Task; jobs: Job[]; unlisted_jobs?: number }> {
  const task = yield* readTask(id);
  const { jobs, count } = yield* newestJobsOf(id);
  return { task, jobs, ...(count > jobs.length ? { unlisted_jobs: count - jobs.length } : {}) };
}

/** A dependency on a page, in bytes. */
const DEPENDENCY_BYTES = raw("250");

/** The bytes of a task's texts, and of its dependencies. */
const TASK_BYTES = sql`COALESCE(OCTET_LENGTH(t.title), 0) + COALESCE(OCTET_LENGTH(t.pause_reason), 0)
      + ${DEPENDENCY_BYTES} * (SELECT COUNT(*) FROM job_deps d WHERE d.task_id = t.id)`;

/** FROM and WHERE of the tasks among which a page is sought, `t`. The unfinished ones of a repository are looked up in both
 *  parts of its lane. */
const listed = (query: TaskQuery, conditions: Statement): Statement => {
  const { repo, finished, limit } = query;
  if (repo === undefined || finished !== false) return sql`tasks t WHERE ${conditions}`;
  const [active, paused] = (["not paused", "paused"] as const).map(
    (
      part,
    ) => sql`SELECT id FROM (SELECT t.id FROM tasks t WHERE ${conditions} AND ${unfinishedInPart("t", part)}
      ORDER BY t.id LIMIT ${limit}) AS in_part`,
  );
  return sql`tasks t WHERE t.id IN (${active ?? raw("")} UNION ALL ${paused ?? raw("")})`;
};

export function* listTasks(query: TaskQuery, reach: Reach): Tx<TaskPage> {
  const conditions = sql`t.id > ${Number(query.cursor ?? 0)}${when(
    query.repo !== undefined,
    sql` AND t.repo = ${query.repo ?? null}`,
  )}${when(query.stage !== undefined, sql` AND t.stage = ${query.stage ?? null}`)}${when(
    query.work_item !== undefined,
    sql` AND t.work_item_id = ${query.work_item ?? null}`,
  )}${when(
    query.paused !== undefined,
    query.paused ? sql` AND ${isPaused("t")}` : sql` AND NOT (${isPaused("t")})`,
  )}${when(
    query.finished !== undefined,
    sql` AND ${raw(query.finished ? "NOT " : "")}(${unfinished("t")})`,
  )}${inReach(reach, "t")}`;
  const found = yield* all<Found>(
    sql`SELECT t.id, ${TASK_BYTES} AS bytes FROM ${listed(query, conditions)} ORDER BY t.id LIMIT ${query.limit}`,
  );
  const page = fitting(found);
  const read = page.length === 0 ? [] : yield* readTasks(idsIn(page.map(({ id }) => id)));
  const tasks = [...fittingAsJson(read, bytesOf(page))];
  const isCut = tasks.length < found.length || found.length === query.limit;
  const last = isCut ? tasks.at(-1) : undefined;
  return { tasks, next_cursor: last ? String(last.id) : null };
}
