/** Finds the task that a work item means. */

import { all, first, lockLane, type Tx } from "../../../store/port.ts";
import { raw, sql, when } from "../../../store/sql.ts";
import { GateError, type InputFault } from "../../../contract/errors.ts";
import type { OneTaskQuery, TaskSelector, WorkItemQuery } from "../../../contract/scalars.ts";
import { isTerminal } from "../../../contract/vocabulary.ts";
import { unfinished } from "../../rule/lane.ts";
import type { Reach } from "../../../contract/names/repo-pattern.ts";
import { inReach } from "../../rule/reach.ts";
import { familiarity } from "./repo.ts";
import { unknownTask } from "./subject.ts";

/** As much of a task as a decision about it needs. */
export interface TaskRef {
  readonly task_id: number;
  readonly repo: string;
  readonly work_item_id: string | null;
  readonly stage: string;
}

const TASK_REF = raw("t.id AS task_id, t.repo, t.work_item_id, t.stage");

/** Reads every task of a work item that the caller may know, by repository: the unfinished ones first, the latest first. */
const tasksNamed = (workItem: string, repo: string | undefined, reach: Reach): Tx<TaskRef[]> =>
  all(sql`SELECT ${TASK_REF} FROM tasks t
    WHERE t.work_item_id = ${workItem}${when(repo !== undefined, sql` AND t.repo = ${repo ?? null}`)}${inReach(reach, "t")}
    ORDER BY t.repo, CASE WHEN ${unfinished("t")} THEN 0 ELSE 1 END, t.id DESC`);

const firstOfEachRepo = (tasks: readonly TaskRef[]): TaskRef[] =>
  tasks.filter((task, index) => task.repo !== tasks[index - 1]?.repo);

/** The task that a work item means in each repository that has it: the unfinished one if there is any
 *  (the orchestrator may have made it again), else the latest. */
export function* tasksOf(workItem: string, repo: string | undefined, reach: Reach): Tx<TaskRef[]> {
  return firstOfEachRepo(yield* tasksNamed(workItem, repo, reach));
}

export const unknownWorkItem = ({ work_item, repo }: WorkItemQuery, faults: InputFault[] = []): GateError =>
  new GateError(
    "unknown_work_item",
    `No task has the work item ${work_item}${repo === undefined ? "" : ` in ${repo}`}.`,
    { faults },
  );

export const ambiguousWorkItem = (workItem: string, repos: string[], faults: InputFault[] = []): GateError =>
  new GateError(
    "ambiguous_work_item",
    `The work item ${workItem} exists in ${repos.length} repositories: ${repos.join(", ")}.`,
    { hint: "Name one of them with repo.", more: { repos, work_item_id: workItem }, faults },
  );

/** The ids of tasks in an answer: more would help nobody. */
const MOST_TASKS = 100;

/** Another program made several tasks of one work item. */
const ambiguousInRepo = (workItem: string, twins: readonly TaskRef[]): GateError => {
  const tasks = twins.map(({ task_id }) => task_id).sort((a, b) => a - b);
  return new GateError(
    "ambiguous_work_item",
    `The work item ${workItem} has ${tasks.length} unfinished tasks in ${twins[0]?.repo ?? "one repository"}: ${tasks
      .slice(0, MOST_TASKS)
      .join(", ")}.`,
    {
      hint: "Name one of them with task_id.",
      more: { tasks: tasks.slice(0, MOST_TASKS), work_item_id: workItem },
    },
  );
};

/** Refuses a work item that no task has, and says which repositories are near the one that was sent. */
function* refuseUnknown(query: WorkItemQuery, reach: Reach): Tx<never> {
  const { message } = unknownWorkItem(query);
  const { near } = query.repo === undefined ? { near: [] } : yield* familiarity(query.repo, reach);
  throw new GateError("unknown_work_item", message, near.length > 0 ? { more: { near } } : {});
}

/** @throws GateError unknown_task */
function* taskWithId(id: number, reach: Reach): Tx<TaskRef> {
  const task = yield* first<TaskRef>(
    sql`SELECT ${TASK_REF} FROM tasks t WHERE t.id = ${id}${inReach(reach, "t")}`,
  );
  if (!task) throw unknownTask(id);
  return task;
}

/** Finds the one task that is meant, among those that the caller may know.
 *  @throws GateError unknown_task, unknown_work_item, ambiguous_work_item */
export function* resolveTask(selector: TaskSelector, reach: Reach): Tx<TaskRef> {
  if ("task_id" in selector) return yield* taskWithId(selector.task_id, reach);
  const { work_item, repo } = selector;
  const named = yield* tasksNamed(work_item, repo, reach);
  const [task, ...others] = firstOfEachRepo(named);
  if (!task) return yield* refuseUnknown(selector, reach);
  if (others.length > 0)
    throw ambiguousWorkItem(
      work_item,
      [task, ...others].map((each) => each.repo),
    );
  const twins = named.filter(({ stage }) => !isTerminal(stage));
  if (twins.length > 1) throw ambiguousInRepo(work_item, twins);
  return task;
}

/** Locks the lane of a task, and reads the task as it is then.
 *  @throws GateError unknown_task, unknown_work_item, ambiguous_work_item */
export function* resolveInLane(selector: TaskSelector, reach: Reach): Tx<TaskRef> {
  const { task_id, repo } = yield* resolveTask(selector, reach);
  yield* lockLane(repo);
  return yield* resolveTask("task_id" in selector ? { task_id } : { ...selector, repo }, reach);
}

/** Reads which task a query means.
 *  @throws GateError invalid_request unless it has a work item or a task id, and not both */
export const selectorOf = ({ work_item, repo, task_id }: OneTaskQuery): TaskSelector => {
  if (task_id === undefined) {
    if (work_item === undefined) throw inQuery("work_item", "is required (or task_id)");
    return { work_item, repo };
  }
  if (work_item !== undefined) throw inQuery("task_id", "must be left out beside work_item");
  if (repo !== undefined) throw inQuery("repo", "must be left out beside task_id");
  return { task_id };
};

export const inQuery = (name: string, detail: string, hint?: string): GateError =>
  new GateError("invalid_request", `${name} ${detail}.`, {
    faults: [{ in: "query", pointer: `/${name}`, detail }],
    ...(hint === undefined ? {} : { hint }),
  });
