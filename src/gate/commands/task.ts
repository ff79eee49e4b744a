/** Tasks: created once, moved from stage to stage, finished for good. */

import { all, lockLane, now, one, run, type Tx } from "../../store/port.ts";
import { EVERYWHERE, type Reach } from "../../contract/names/repo-pattern.ts";
import { inReach } from "../rule/reach.ts";
import { unknownTask } from "./lookup/subject.ts";
import { flag, idsIn, list, raw, rowsOf, sql, when, type Statement } from "../../store/sql.ts";
import { withEffect } from "../rule/effect.ts";
import { GateError, type InputFault } from "../../contract/errors.ts";
import type { Context } from "./context.ts";
import { record, recordAll, WRITTEN, type Change } from "./record.ts";
import { groupBy } from "../group-by.ts";
import { enqueue, newestJobsOf, readJobs } from "./job.ts";
import { bytesOf, fitting, fittingAsJson, type Found } from "../page-bytes.ts";
import { IN_BODY, lockNamedLane } from "./lookup/repo.ts";
import type { Job } from "../../contract/jobs.ts";
import type {
  ChangedTask,
  DependencyName,
  EndedJobs,
  NewTask,
  StageChange,
  Task,
  TaskPage,
  TaskQuery,
} from "../../contract/tasks.ts";
import type { TaskSelector } from "../../contract/scalars.ts";
import { whoActs, type Actor, type Policy, type Rules } from "../rule/policy.ts";
import { takesNoJob } from "../rule/reasons/finished.ts";
import { isPaused, unfinished, unfinishedInPart } from "../rule/lane.ts";
import { isTerminal, WAITING_STATUSES, type JobStatus } from "../../contract/vocabulary.ts";
import { toIsoOrNull, toStored } from "../../store/timestamps.ts";
import {
  ambiguousWorkItem,
  resolveTask,
  tasksOf,
  unknownWorkItem,
  type TaskRef,
} from "./lookup/work-item.ts";

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

function* taskInLane(id: number): Tx<TaskRef> {
  const { repo } = yield* readTask(id);
  yield* lockLane(repo);
  const { id: task_id, work_item_id, stage } = yield* readTask(id);
  return { task_id, repo, work_item_id, stage };
}

/** A dependency is a work item of the task's own repository, else of the one repository that has it. One of a repository
 *  that the caller may not know is unknown.
 *  @param index its place in the list */
export function* resolveDependency(
  { reach }: Context,
  needed: DependencyName,
  { repo, index }: { readonly repo: string; readonly index: number },
): Tx<number> {
  const named = typeof needed === "object";
  const work_item = named ? needed.work_item_id : needed;
  const fault = (detail: string): InputFault[] => [{ in: "body", pointer: `/depends_on/${index}`, detail }];
  const found = yield* tasksOf(work_item, named ? needed.repo : undefined, reach);
  const task = found.find((each) => each.repo === repo) ?? found[0];
  if (!task)
    throw unknownWorkItem(
      named ? { work_item, repo: needed.repo } : { work_item },
      fault("must be the work item of a task that exists"),
    );
  if (found.length > 1 && task.repo !== repo)
    throw ambiguousWorkItem(
      work_item,
      found.map((each) => each.repo),
      fault("must name its repo"),
    );
  return task.task_id;
}

/** The only cycle that a new task can close: no other task depends on it yet.
 *  @throws GateError dependency_cycle */
const refuseItself = ({ repo, work_item_id }: NewTask, needed: DependencyName, index: number): void => {
  const { repo: its, work_item_id: workItem } =
    typeof needed === "object" ? needed : { repo, work_item_id: needed };
  if (its === repo && workItem === work_item_id)
    throw new GateError(
      "dependency_cycle",
      `The task would wait for itself: ${work_item_id} -> ${work_item_id}.`,
      {
        faults: [{ in: "body", pointer: `/depends_on/${index}`, detail: "must be another work item" }],
        more: { path: [work_item_id, work_item_id] },
      },
    );
};

/** The same (repo, work_item_id) again gives what stands. */
function* standing(
  { policy }: Rules,
  { repo, work_item_id }: NewTask,
): Tx<{ task: Task; job: Job | null } | undefined> {
  const [task] = yield* tasksOf(work_item_id, repo, EVERYWHERE);
  if (!task) return undefined;
  const [job] = yield* readJobs(sql`SELECT id FROM jobs
    WHERE task_id = ${task.task_id} AND agent = ${policy.entryAgent} ORDER BY id LIMIT 1`);
  return { task: yield* readTask(task.task_id), job: job ?? null };
}

/** Locks the lanes of other repositories' tasks that a new task depends on, and its own, in the order of their names. One
 *  that finishes in a transaction that is not committed yet could not know of the new task, which would wait although
 *  nothing holds it. A name that means no task is refused later. */
function* lockDependencies({ reach }: Context, { repo, depends_on = [] }: NewTask): Tx<void> {
  const others = new Set<string>();
  for (const needed of depends_on) {
    const named = typeof needed === "object";
    const found = yield* tasksOf(
      named ? needed.work_item_id : needed,
      named ? needed.repo : undefined,
      reach,
    );
    if (found.every((task) => task.repo !== repo)) for (const task of found) others.add(task.repo);
  }
  if (others.size > 0) for (const lane of [...others, repo].sort()) yield* lockLane(lane);
}

/** Creates a task with its dependencies and its entry job, unless the work item has one already.
 *  @throws GateError repo_looks_alike, invalid_request; unknown_work_item, ambiguous_work_item or dependency_cycle for a
 *    dependency, task_terminal for an entry job of a finished task */
export function* createTask(
  context: Context,
  input: NewTask,
): Tx<{ created: boolean; task: Task; job: Job | null }> {
  const { rules, actor } = context;
  const { repo, work_item_id, title = null, stage } = input;
  yield* lockDependencies(context, input);
  yield* lockNamedLane(context, repo, IN_BODY);
  const stands = yield* standing(rules, input);
  if (stands) return { created: false, ...stands };

  const finished = isTerminal(stage);
  const wanted = input.entry_job ?? !finished;
  if (wanted !== false && finished)
    throw new GateError("task_terminal", `A task that is ${stage} takes no entry job.`, {
      faults: [{ in: "body", pointer: "/entry_job", detail: "must be false for a finished task" }],
    });

  const needed: number[] = [];
  for (const [index, dependency] of (input.depends_on ?? []).entries()) {
    refuseItself(input, dependency, index);
    needed.push(yield* resolveDependency(context, dependency, { repo, index }));
  }

  const at = toStored(yield* now());
  const { task_id } = yield* one<{ task_id: number }>(sql`INSERT INTO tasks
      (repo, work_item_id, title, stage, cancelled_at, created_at, updated_at, gate_writes)
    VALUES (${repo}, ${work_item_id}, ${title}, ${stage}, ${stage === "cancelled" ? at : null}, ${at}, ${at}, 1)
    RETURNING id AS task_id`);
  for (const id of new Set(needed))
    yield* run(
      sql`INSERT INTO job_deps(task_id, depends_on_task_id, created_at, gate_writes) VALUES (${task_id}, ${id}, ${at}, 1)`,
    );
  yield* record("task.created", { repo, task_id, work_item_id }, { actor, detail: { stage } });

  const job =
    wanted === false
      ? null
      : yield* enqueue(
          context,
          { repo, task_id, work_item_id },
          {
            agent: rules.policy.entryAgent,
            ...(wanted === true ? {} : wanted),
          },
        );
  return { created: true, task: yield* readTask(task_id), job };
}

interface WaitingRow {
  readonly job_id: number;
  readonly task_id: number;
  readonly agent: string;
  readonly status: JobStatus;
}

/** True for a job that has not started. Inside of a CASE: beside ids, SQLite might walk all jobs that wait. */
export const isWaiting = (job: string): Statement =>
  sql`CASE WHEN ${raw(job)}.status IN ${list(WAITING_STATUSES)} THEN 1 END = 1`;

/** A move that finishes its task. */
type End = Move & { readonly cancelJobs?: boolean | undefined };

export const NONE_ENDED: EndedJobs = { cancelled_jobs: [], left_jobs: [] };

/** Cancels the jobs of finished tasks that must not start any more, and tells which ones wait on.
 *  @param ends moves to a terminal stage, at most one of each task
 *  @returns by the id of the task */
export function* endWaitingJobs(
  policy: Policy,
  ends: readonly End[],
  at: string,
): Tx<ReadonlyMap<number, EndedJobs>> {
  if (ends.length === 0) return new Map();
  const waiting = yield* all<WaitingRow>(sql`SELECT j.id AS job_id, j.task_id, j.agent, j.status FROM jobs j
    WHERE j.task_id IN ${idsIn(ends.map(({ task_id }) => task_id))} AND ${isWaiting("j")} ORDER BY j.id`);
  const ofTask = groupBy(waiting, ({ task_id }) => task_id);
  const ended = new Map<number, EndedJobs>();
  const changes: Change[] = [];
  for (const end of ends) {
    const { task_id, to, actor, cancelJobs = false } = end;
    const cancelled_jobs: EndedJobs["cancelled_jobs"] = [];
    const left_jobs: EndedJobs["left_jobs"] = [];
    for (const { job_id, agent, status } of ofTask.get(task_id) ?? [])
      if (cancelJobs || takesNoJob(policy, to, agent)) {
        cancelled_jobs.push({ job_id, agent, status: "cancelled" });
        changes.push(["job.cancelled", { ...end, job_id }, { actor }]);
      } else left_jobs.push({ job_id, agent, status });
    ended.set(task_id, { cancelled_jobs, left_jobs });
  }
  const cancelled = [...ended.values()].flatMap(({ cancelled_jobs }) => cancelled_jobs);
  if (cancelled.length > 0)
    yield* run(sql`UPDATE jobs SET status = 'cancelled', finished_at = ${at}, ${WRITTEN}
      WHERE id IN ${idsIn(cancelled.map(({ job_id }) => job_id))} AND ${isWaiting("jobs")}`);
  yield* recordAll(changes);
  return ended;
}

/** A task that moves from the stage that it is in to another. */
export interface Move extends TaskRef {
  readonly to: string;
  readonly actor: Actor;
  readonly reason?: string | undefined;
}

/** @throws GateError task_terminal */
export const refuseTerminal = ({ task_id, work_item_id, stage }: TaskRef): void => {
  if (isTerminal(stage))
    throw new GateError(
      "task_terminal",
      `The task ${work_item_id ?? task_id} is ${stage}, and that is final.`,
    );
};

/** Moves tasks whose lanes are held; the caller records it. */
export function* moveStages(moves: readonly Move[], at: string): Tx<void> {
  if (moves.length === 0) return;
  const stages = rowsOf(moves.map(({ task_id, to }) => [task_id, { to }]));
  yield* run(sql`UPDATE tasks SET stage = moved.value ->> 'to', ${WRITTEN}, updated_at = ${at},
      cancelled_at = CASE moved.value ->> 'to' WHEN 'cancelled' THEN ${at} ELSE cancelled_at END
    FROM ${stages} AS moved WHERE tasks.id = CAST(moved.key AS BIGINT)`);
}

export const stageChange = (move: Move): Change => {
  const { stage: from, to, actor, reason } = move;
  return [
    to === "cancelled" ? "task.cancelled" : "task.stage",
    move,
    { actor, reason, detail: { from, to } },
  ];
};

/** The repositories whose jobs a task's end can let start: its own, and those of the tasks that depend on it. */
export function* reposAround({ task_id, repo }: TaskRef): Tx<string[]> {
  const others = yield* all<{ repo: string }>(sql`SELECT DISTINCT t.repo FROM job_deps d
    JOIN tasks t ON t.id = d.task_id WHERE d.depends_on_task_id = ${task_id} AND t.repo <> ${repo}`);
  return [repo, ...others.map((other) => other.repo)];
}

/** @throws GateError invalid_request for jobs to cancel of a task that goes on */
export const refuseCancelOfGoing = ({ stage, cancel_jobs }: Partial<StageChange>): void => {
  if (cancel_jobs && (stage === undefined || !isTerminal(stage)))
    throw new GateError("invalid_request", "The task goes on: its jobs are not cancelled.", {
      faults: [
        { in: "body", pointer: "/cancel_jobs", detail: "must be left out unless the stage is terminal" },
      ],
    });
};

/** Moves a task to a stage; a terminal one ends its jobs that must not start any more.
 *  @throws GateError unknown_task, task_terminal, invalid_request */
export function* setStage(context: Context, id: number, change: StageChange): Tx<ChangedTask> {
  const { rules, lookup } = context;
  const { stage: to, reason, cancel_jobs: cancelJobs } = change;
  refuseCancelOfGoing(change);
  const actor = whoActs(context.actor, change.by);
  const task = yield* taskInLane(id);
  const repos = yield* reposAround(task);
  const move = { ...task, to, actor, reason, cancelJobs };
  return yield* withEffect(rules.policy, lookup, repos, moveTo(rules.policy, move));
}

/** The same stage again changes nothing, but that a finished task's waiting jobs end also where another program
 *  finished it. */
function* moveTo(policy: Policy, move: End): Tx<Omit<ChangedTask, "effect">> {
  const at = toStored(yield* now());
  if (move.to !== move.stage) {
    refuseTerminal(move);
    yield* moveStages([move], at);
    yield* recordAll([stageChange(move)]);
  }
  const ended = yield* endWaitingJobs(policy, isTerminal(move.to) ? [move] : [], at);
  return { task: yield* readTask(move.task_id), ...(ended.get(move.task_id) ?? NONE_ENDED) };
}
