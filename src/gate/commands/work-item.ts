/** Finds the task that a work item means. */

import { all, lockLane, type Tx } from "../../store/port.ts";
import { sql, when } from "../../store/sql.ts";
import { GateError, type InputFault } from "../../contract/errors.ts";
import type { WorkItemQuery } from "../../contract/scalars.ts";
import { unfinished } from "../rule/lane.ts";

/** As much of a task as a decision about it needs. */
export interface TaskRef {
  readonly task_id: number;
  readonly repo: string;
  readonly work_item_id: string | null;
  readonly stage: string;
}

/** The task that a work item means in each repository that has it: the unfinished one if there is any
 *  (the orchestrator may have made it again), else the latest. */
export function* tasksOf(workItem: string, repo: string | undefined): Tx<TaskRef[]> {
  const rows = yield* all<TaskRef>(sql`SELECT t.id AS task_id, t.repo, t.work_item_id, t.stage FROM tasks t
    WHERE t.work_item_id = ${workItem}${when(repo !== undefined, sql` AND t.repo = ${repo ?? null}`)}
    ORDER BY t.repo, CASE WHEN ${unfinished("t")} THEN 0 ELSE 1 END, t.id DESC`);
  return rows.filter((row, index) => row.repo !== rows[index - 1]?.repo);
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
    { hint: "Name one of them with repo.", more: { repos }, faults },
  );

/** The one task that is meant.
 *  @throws GateError unknown_work_item, ambiguous_work_item */
export function* resolveTask(query: WorkItemQuery): Tx<TaskRef> {
  const [task, ...others] = yield* tasksOf(query.work_item, query.repo);
  if (!task) throw unknownWorkItem(query);
  if (others.length > 0)
    throw ambiguousWorkItem(
      query.work_item,
      [task, ...others].map(({ repo }) => repo),
    );
  return task;
}

/** The task as it is once its lane is held.
 *  @throws GateError unknown_work_item, ambiguous_work_item */
export function* resolveInLane(query: WorkItemQuery): Tx<TaskRef> {
  const { repo } = yield* resolveTask(query);
  yield* lockLane(repo);
  return yield* resolveTask({ ...query, repo });
}
