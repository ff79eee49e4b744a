/** One reading of the database for an explanation, in which each task is read once: its open and failed jobs, and what
 *  holds the queued ones. Whether a job is held is asked of the rule; the reasons describe their own blockers. */

import type { Job } from "../../../contract/jobs.ts";
import type { Task } from "../../../contract/tasks.ts";
import type { Reason } from "../../../contract/vocabulary.ts";
import { OPEN_STATUSES } from "../../../contract/vocabulary.ts";
import { first, one, type Tx } from "../../../store/port.ts";
import { flag, inlineInteger, list, raw, sql, type Statement } from "../../../store/sql.ts";
import { readJobs } from "../../commands/job.ts";
import { readTask } from "../../commands/task/read.ts";
import { sees, type Reach } from "../../../contract/names/repo-pattern.ts";
import type { FoundBlocker } from "../../rule/hold-reason.ts";
import { unfinished } from "../../rule/lane.ts";
import type { Policy } from "../../rule/policy.ts";
import { conditions } from "../../rule/predicate.ts";
import { HOLD_REASONS } from "../../rule/reasons/index.ts";
import type { Remedy } from "../../rule/remedy.ts";
import type { Visibility } from "../../rule/visibility.ts";
import { ANOTHERS_TASK, runsWithoutLease } from "../../rule/words.ts";

/** A blocker of a job, and the reason that found it. Its remedies have not been tried yet. */
export interface FoundObstacle extends FoundBlocker {
  readonly reason: Reason;
}

/** A task with the jobs that are not over, or failed. */
export interface TaskState {
  readonly task: Task;
  readonly jobs: readonly Job[];
  /** The blockers of each queued job, with the remedies for this task only. */
  readonly held: ReadonlyMap<number, readonly FoundObstacle[]>;
  /** Its last job, where that failed and no other is open. */
  readonly failed: Job | undefined;
}

/** An explanation is of so many open jobs of a task, the first ones, and of as many that failed, the last ones. */
const MAX_JOBS = 50;

/** FROM and WHERE of the jobs of a task, `o`, that are open, or failed. */
const jobsOf = (task: number, statuses: readonly string[]): Statement =>
  sql`jobs o WHERE o.task_id = ${task} AND o.status IN ${list(statuses)}`;

const readOpenJobs = (task: number): Tx<Job[]> => {
  const some = (statuses: readonly string[], order: "ASC" | "DESC"): Statement =>
    sql`SELECT id FROM (SELECT o.id FROM ${jobsOf(task, statuses)}
      ORDER BY o.id ${raw(order)} LIMIT ${inlineInteger(MAX_JOBS)}) AS found`;
  return readJobs(sql`${some(OPEN_STATUSES, "ASC")} UNION ALL ${some(["failed"], "DESC")}`);
};

/** Reads how many open and failed jobs of a task an explanation leaves out. */
export function* unlistedJobs({ task, jobs }: TaskState): Tx<number> {
  if (jobs.length < MAX_JOBS) return 0;
  const { count } = yield* one<{ count: number }>(
    sql`SELECT COUNT(*) AS count FROM ${jobsOf(task.id, [...OPEN_STATUSES, "failed"])}`,
  );
  return count - jobs.length;
}

/** Names a task by its id where its work item is that of several unfinished tasks: another program may have written them,
 *  and a call by work item is refused then. */
export function* withUsableName(remedy: Remedy): Tx<Remedy> {
  if (!("work_item" in remedy) || remedy.work_item === null) return remedy;
  const twin = yield* first(sql`SELECT t.id FROM tasks t WHERE t.work_item_id = ${remedy.work_item}
    AND t.repo = ${remedy.repo} AND ${unfinished("t")} AND t.id <> ${remedy.task_id}`);
  return twin ? { ...remedy, work_item: null } : remedy;
}

export class Investigation {
  readonly policy: Policy;
  /** The repositories that the caller may know. */
  readonly reach: Reach;
  readonly #visible: Visibility;
  readonly #states = new Map<number, TaskState>();

  constructor(policy: Policy, visible: Visibility, reach: Reach) {
    this.policy = policy;
    this.reach = reach;
    this.#visible = visible;
  }

  *state(taskId: number): Tx<TaskState> {
    const known = this.#states.get(taskId);
    if (known) return known;
    const task = yield* readTask(taskId);
    const jobs = yield* readOpenJobs(taskId);
    const held = new Map<number, FoundObstacle[]>();
    for (const job of jobs) if (job.status === "queued") held.set(job.id, yield* this.#obstacles(job, task));
    const state = { task, jobs, held, failed: yield* this.#failedLast(taskId, jobs) };
    this.#states.set(taskId, state);
    return state;
  }

  *#failedLast(taskId: number, jobs: readonly Job[]): Tx<Job | undefined> {
    if (jobs.some(({ status }) => status !== "failed")) return undefined;
    const last = yield* first<{ id: number }>(
      sql`SELECT MAX(j.id) AS id FROM jobs j WHERE j.task_id = ${taskId}`,
    );
    return jobs.find(({ id }) => id === last?.id);
  }

  /** Reads everything that holds a queued job, the first reason first. */
  *#obstacles(job: Job, task: Task): Tx<FoundObstacle[]> {
    const holding = yield* this.#reasonsOf(job);
    const obstacles: FoundObstacle[] = [];
    for (const { name, blockers } of HOLD_REASONS) {
      if (!holding.has(name)) continue;
      const found = yield* blockers({
        policy: this.policy,
        visible: this.#visible,
        job,
        task,
        readTask,
        readOpenJobs,
      });
      for (const each of found) {
        const { task: other } = each.blocker;
        if (other && !sees(this.reach, other.repo)) {
          obstacles.push({ reason: name, ...HIDDEN });
          continue;
        }
        const remedies: Remedy[] = [];
        for (const remedy of [...releasesOf(each), ...each.remedies])
          remedies.push(yield* withUsableName(remedy));
        obstacles.push({ reason: name, ...each, remedies });
      }
    }
    return obstacles;
  }

  *#reasonsOf(job: Job): Tx<ReadonlySet<Reason>> {
    const asked = conditions(this.policy, this.#visible);
    const columns = asked.reduce(
      (before, { reason, holds }) => sql`${before}, ${flag(holds)} AS ${raw(`"${reason}"`)}`,
      raw("j.id"),
    );
    const row = yield* first<Partial<Record<Reason, number>>>(
      sql`SELECT ${columns} FROM jobs j WHERE j.id = ${job.id}`,
    );
    return new Set(asked.map(({ reason }) => reason).filter((reason) => row?.[reason] === 1));
  }
}

/** A blocker in a repository that the caller may not know. The walk ends here. */
const HIDDEN: FoundBlocker = {
  since: null,
  by: null,
  detail: `${ANOTHERS_TASK} is unfinished`,
  blocker: { kind: "task", task: null, jobs: [], freeze: null },
  end: {
    clause: `${ANOTHERS_TASK} is unfinished`,
    noun: ANOTHERS_TASK,
    awaits: ANOTHERS_TASK,
    ended_by: "orchestrator",
  },
  remedies: [],
};

/** The calls that take the blocker's jobs from another program. */
const releasesOf = ({ blocker }: FoundBlocker): Remedy[] =>
  blocker.jobs.filter(runsWithoutLease).map(({ id }) => ({ action: "release", job_id: id }));
