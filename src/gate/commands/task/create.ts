/** Creates tasks: a work item has one, however often it is asked for. */

import { lockLane, now, one, run, type Tx } from "../../../store/port.ts";
import { EVERYWHERE } from "../../../contract/names/repo-pattern.ts";
import { sql } from "../../../store/sql.ts";
import { GateError } from "../../../contract/errors.ts";
import type { Context } from "../context.ts";
import { record } from "../record.ts";
import { enqueue, readJobs } from "../job.ts";
import { IN_BODY, lockNamedLane } from "../lookup/repo.ts";
import type { Job } from "../../../contract/jobs.ts";
import type { DependencyName, NewTask, Task } from "../../../contract/tasks.ts";
import type { Rules } from "../../rule/policy.ts";
import { isTerminal } from "../../../contract/vocabulary.ts";
import { toStored } from "../../../store/timestamps.ts";
import { tasksOf } from "../lookup/work-item.ts";
import { readTask } from "./read.ts";
import { resolveDependency } from "./dependencies.ts";

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
