/** Finds the root causes of a wait: walks everything that a task waits for, down to the places where a call, a worker, the
 *  clock or another program must move. It describes them; the calls are tried in runtime/trial.ts. */

import type { RootCause } from "../../../contract/explanation.ts";
import type { Job } from "../../../contract/jobs.ts";
import { labelOf } from "../../../contract/names/label.ts";
import type { Task } from "../../../contract/tasks.ts";
import type { Tx } from "../../../store/port.ts";
import { now } from "../../../store/port.ts";
import type { Policy } from "../../rule/policy.ts";
import { cancelRemedy, pauseRemedy, resumeRemedy, type Remedy } from "../../rule/remedy.ts";
import {
  jobClause,
  NO_JOB,
  pauseClause,
  pauseNoun,
  readyClause,
  runsWithoutLease,
} from "../../rule/words.ts";
import { type Investigation, withUsableName, type FoundObstacle, type TaskState } from "./investigation.ts";
import { blockedTasksFrom, slowIn, type BlockedTasks } from "../stuck/blocked.ts";
import { causesIn } from "../stuck/causes.ts";
import { describeCause, remediesFor } from "../stuck/words.ts";

export interface Step {
  readonly work_item_id: string | null;
  readonly repo: string;
  readonly reason: string;
  readonly on: string;
}

/** A place where the wait for a task can be ended. */
export interface Root {
  readonly cause: RootCause;
  readonly remedies: readonly Remedy[];
  /** From the explained task to this place: each waits for the next. */
  readonly steps: readonly Step[];
}

/** Tasks that one walk looks at. */
const MAX_TASKS = 200;

/** An explanation looks at this many tasks of a lane, from its head: one far behind is not told of all that may stand still until
 *  its turn. */
export const MAX_AHEAD = 10_000;

/** Why the walk came to a task: it is explained, a dependency, or has a lane that another one waits for. */
type Arrival = "explained" | "dependency" | "lane";

interface Visit {
  readonly id: number;
  readonly arrival: Arrival;
  readonly steps: readonly Step[];
  /** The tasks from the explained one to this one. */
  readonly path: readonly number[];
}

/** A cause without its task. */
type Finding = Pick<RootCause, "reason" | "detail" | "since" | "by" | "ended_by"> & {
  readonly on: string;
  readonly remedies: readonly Remedy[];
};

/** The queued job of a task that nothing holds. */
const readyJob = ({ jobs, held }: TaskState): Job | undefined =>
  jobs.find(({ id }) => held.get(id)?.length === 0);

/** The obstacles of the first held job of a task; undefined when none is held. */
export const obstaclesOf = ({ held }: TaskState): readonly FoundObstacle[] | undefined =>
  [...held.values()].find((all) => all.length > 0);

class Walk {
  readonly roots: Root[] = [];
  readonly #investigation: Investigation;
  readonly #blocked: BlockedTasks;
  readonly #at: number;
  readonly #seen = new Set<number>();

  constructor(investigation: Investigation, blocked: BlockedTasks, at: number) {
    this.#investigation = investigation;
    this.#blocked = blocked;
    this.#at = at;
  }

  *visit(visit: Visit): Tx<void> {
    const { id, arrival, path } = visit;
    if (path.includes(id)) {
      yield* this.#cycle(visit);
      return;
    }
    if (this.#seen.has(id) || this.#seen.size >= MAX_TASKS) return;
    this.#seen.add(id);
    const state = yield* this.#investigation.state(id);
    const { task } = state;
    if (arrival === "dependency" && task.paused_at !== null) {
      this.#found(visit, task, pauseFinding(task));
      return;
    }
    const obstacles = obstaclesOf(state);
    const moves = this.#movement(state);
    if (moves && (arrival !== "explained" || obstacles === undefined)) this.#found(visit, task, moves);
    else if (obstacles) yield* this.#obstacles(visit, task, obstacles);
    else this.#found(visit, task, this.#standstill(state, arrival));
  }

  *#obstacles(visit: Visit, task: Task, obstacles: readonly FoundObstacle[]): Tx<void> {
    const { work_item_id, repo } = task;
    for (const { reason, since, by, detail, blocker, end, remedies } of obstacles) {
      if (end || !blocker.task) {
        const { clause = detail, noun = detail, ended_by = "repair" } = end ?? {};
        this.#found(visit, task, { reason, since, by, detail: clause, on: noun, ended_by, remedies });
        continue;
      }
      const arrival = reason === "dependency" ? "dependency" : "lane";
      // Beside the task that has the lane, others ahead may stay there for long.
      const others = arrival === "lane" ? (this.#blocked.get(visit.id)?.behind ?? []) : [];
      for (const id of new Set([blocker.task.id, ...others])) {
        const needed = (yield* this.#investigation.state(id)).task;
        const step = { work_item_id, repo, reason, on: labelOf(needed, needed.repo) };
        yield* this.visit({
          id,
          arrival,
          steps: [...visit.steps, step],
          path: [...visit.path, visit.id],
        });
      }
    }
  }

  /** A job of the task that runs or can start; undefined when there is none. */
  #movement(state: TaskState): Finding | undefined {
    const { task, jobs } = state;
    const leased = jobs.find((job) => job.status === "running" && !runsWithoutLease(job));
    const ready = readyJob(state);
    const foreign = jobs.find(runsWithoutLease);
    const job = leased ?? ready ?? foreign;
    if (!job) return undefined;
    const on = jobClause(job, this.#at);
    return {
      reason: job.status,
      since: job.started_at,
      by: null,
      detail: job === ready ? readyClause(task, job, this.#at) : ofTask(task, job, this.#at),
      on,
      ended_by: job === foreign ? "program" : "worker",
      remedies: job === foreign ? [{ action: "release", job_id: job.id }] : [],
    };
  }

  /** The state of a task that nothing holds and of which no job runs or can start. */
  #standstill({ task, jobs, failed }: TaskState, arrival: Arrival): Finding {
    const delayed = jobs.find(({ status }) => status === "delayed");
    if (task.paused_at !== null && !delayed) return pauseFinding(task);
    const job = delayed ?? failed;
    if (job)
      return {
        reason: job.status,
        since: job.finished_at,
        by: null,
        detail: ofTask(task, job, this.#at),
        on: jobClause(job, this.#at),
        ended_by: job === delayed ? "clock" : "call",
        remedies: job === delayed ? [] : [{ action: "retry", job_id: job.id }],
      };
    return {
      reason: "idle",
      since: task.updated_at,
      by: null,
      detail: `${labelOf(task)} ${NO_JOB}`,
      on: `it ${NO_JOB}`,
      ended_by: "orchestrator",
      remedies: idleRemedies(this.#investigation.policy, task, arrival),
    };
  }

  *#cycle({ id, steps }: Visit): Tx<void> {
    const cause = causesIn(this.#blocked).get(id);
    const { task } = yield* this.#investigation.state(id);
    const detail =
      cause?.kind === "cycle"
        ? describeCause(cause, this.#investigation.reach).replace(/^it /, `${labelOf(task)} `)
        : `${labelOf(task)} waits for itself`;
    const { work_item_id, repo } = task;
    const about = { task_id: id, work_item_id, repo };
    this.roots.push({
      cause: { reason: "cycle", ...about, detail, since: null, by: null, ended_by: "call" },
      remedies: cause ? remediesFor(cause, this.#investigation.reach) : [],
      steps,
    });
  }

  #found({ steps }: Visit, { id, work_item_id, repo }: Task, { on, remedies, ...finding }: Finding): void {
    this.roots.push({
      cause: { ...finding, task_id: id, work_item_id, repo },
      remedies,
      steps: [...steps, { work_item_id, repo, reason: finding.reason, on }],
    });
  }
}

/** `job 4 (analyst) of WEB-7 in acme/web failed …` */
const ofTask = (task: Task, job: Job, at: number): string =>
  jobClause(job, at, `job ${job.id} (${job.agent}) of ${labelOf(task)}`);

const pauseFinding = (task: Task): Finding => ({
  reason: "paused",
  since: task.paused_at,
  by: task.paused_by,
  detail: pauseClause(task),
  on: pauseNoun(task),
  ended_by: task.pause_until === null ? "call" : "clock",
  // Its end helps where its place in the lane would hold others.
  remedies: [resumeRemedy(task), cancelRemedy(task)],
});

/** The explained task itself needs a job, or its end: no call of an operator is better than another. Another task leaves the
 *  lane by a pause, and by its end where a pause does not help. */
const idleRemedies = (policy: Policy, task: Task, arrival: Arrival): Remedy[] => {
  if (arrival === "explained") return [];
  return arrival === "lane" && policy.pause ? [pauseRemedy(task), cancelRemedy(task)] : [cancelRemedy(task)];
};

const ORDER: readonly RootCause["ended_by"][] = ["call", "orchestrator", "repair", "program"];

/** True for a cause that stays until somebody calls the service, whether with its remedies or otherwise. */
export const needsCall = ({ cause }: Root): boolean =>
  cause.ended_by === "call" || cause.ended_by === "orchestrator";

/** A root cause first that a person must end; else one that another program may; else the first. */
export const mainRoot = (roots: readonly Root[]): Root | undefined =>
  ORDER.map((kind) => roots.find(({ cause }) => cause.ended_by === kind)).find((root) => root) ?? roots[0];

const withoutRepeats = (roots: readonly Root[]): Root[] => [
  ...new Map(roots.map((root) => [root.cause.detail, root])).values(),
];

export interface Wait {
  readonly state: TaskState;
  readonly roots: readonly Root[];
  readonly blocked: BlockedTasks;
}

/** Finds every root cause of a task's wait, each once. */
export function* waitOf(investigation: Investigation, task: number): Tx<Wait> {
  const { policy } = investigation;
  const state = yield* investigation.state(task);
  const blocked = yield* blockedTasksFrom(policy, [task], (repo) => slowIn(policy, repo, MAX_AHEAD));
  const walk = new Walk(investigation, blocked, yield* now());
  yield* walk.visit({ id: task, arrival: "explained", steps: [], path: [] });
  const roots: Root[] = [];
  for (const root of withoutRepeats(walk.roots)) {
    const remedies: Remedy[] = [];
    for (const remedy of root.remedies) remedies.push(yield* withUsableName(remedy));
    roots.push({ ...root, remedies });
  }
  return { state, roots, blocked };
}
