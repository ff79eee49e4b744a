/** Explains why a work item waits: every blocker of its jobs, the chain of tasks down to the root cause, and the calls
 *  that would remove it. Whether a job is held is asked of the rule; the reasons describe their own blockers. */

import type { Estimate, ExplainedJob, Explanation, Obstacle } from "../../contract/explanation.ts";
import type { Job } from "../../contract/jobs.ts";
import { labelOf } from "../../contract/label.ts";
import type { TaskSelector } from "../../contract/scalars.ts";
import type { Task } from "../../contract/tasks.ts";
import type { Reason } from "../../contract/vocabulary.ts";
import { OPEN_STATUSES } from "../../contract/vocabulary.ts";
import { first, type Tx } from "../../store/port.ts";
import { list, raw, sql } from "../../store/sql.ts";
import { readJobs } from "../commands/job.ts";
import { readTask } from "../commands/task.ts";
import { resolveTask } from "../commands/work-item.ts";
import type { Policy } from "../rule/policy.ts";
import { conditions } from "../rule/predicate.ts";
import { readTasksAhead } from "../rule/reasons/active-task.ts";
import { readActiveFreezes } from "../rule/reasons/freeze.ts";
import { HOLD_REASONS } from "../rule/reasons/index.ts";
import { asCommand, pauseRemedy, type Remedy } from "../rule/remedy.ts";
import { isEntryJob, notInForceBecause } from "../rule/scope.ts";
import type { Visibility } from "../rule/visibility.ts";
import { estimateStart, noEstimate } from "./estimate.ts";
import { blockedTasksFrom, causeFor, describeCause, remediesFor, slowIn, type Cause } from "./stuck.ts";

/** An obstacle whose remedies have not been tried yet. */
export type DraftObstacle = Omit<Obstacle, "fix"> & { readonly remedies: readonly Remedy[] };

type DraftJob = Omit<ExplainedJob, "reasons"> & { readonly reasons: readonly DraftObstacle[] };

export type ExplanationDraft = Omit<Explanation, "jobs" | "degraded"> & {
  readonly jobs: readonly DraftJob[];
};

type ChainStep = Explanation["chain"][number];

/** A task with the jobs that are not over, or failed. */
interface TaskState {
  readonly task: Task;
  readonly jobs: readonly Job[];
  /** The blockers of each held job, with the remedies for this task only. */
  readonly held: ReadonlyMap<number, readonly DraftObstacle[]>;
}

const MAX_CHAIN = 100;
/** How many of the tasks ahead count into an estimate. */
const MAX_AHEAD = 10_000;

const readOpenJobs = (task: number): Tx<Job[]> =>
  readJobs(sql`SELECT o.id FROM jobs o WHERE o.task_id = ${task}
    AND o.status IN ${list([...OPEN_STATUSES, "failed"])}`);

const describeJob = ({ agent, id, status, lease, started_at, run_after }: Job): string => {
  const job = `job ${id} (${agent})`;
  switch (status) {
    case "running":
      return `${job} has been running on ${lease?.worker ?? "an unnamed worker"} since ${started_at ?? "an unknown time"}`;
    case "delayed":
      return `${job} is retried at ${run_after ?? "an unknown time"}`;
    case "queued":
      return `${job} can start; no worker has claimed it yet`;
    default:
      return `${job} failed`;
  }
};

interface Activity {
  readonly reason: string;
  readonly on: string;
  readonly remedies: readonly Remedy[];
}

/** The state of a task that nothing holds. */
const activityOf = ({ task, jobs }: TaskState): Activity => {
  if (task.paused_at !== null)
    return {
      reason: "paused",
      on: `${task.paused_by ?? "someone"} paused it at ${task.paused_at}${
        task.pause_until === null ? "" : `, until ${task.pause_until}`
      }`,
      remedies: pauseRemedy("resume", task),
    };
  const job = (["running", "queued", "delayed"] as const)
    .map((status) => jobs.find((each) => each.status === status))
    .find((each) => each !== undefined);
  if (job) return { reason: job.status, on: describeJob(job), remedies: [] };
  const failed = jobs.at(-1);
  if (failed)
    return { reason: "failed", on: describeJob(failed), remedies: [{ action: "retry", job_id: failed.id }] };
  return {
    reason: "idle",
    on: "it has no job: the orchestrator must add one or finish the task",
    remedies: [],
  };
};

const describeStuck = (cause: Cause, task: Task): string => {
  const other = cause.task.task_id === task.id ? "" : `${labelOf(asNamed(cause.task), task.repo)}: `;
  const commands = remediesFor(cause).map((remedy) => asCommand(remedy).command);
  return `${other}${describeCause(cause)}${
    commands.length > 0 ? `. To free it: ${commands.join(", or ")}` : ""
  }`;
};

const asNamed = ({
  task_id,
  work_item_id,
  repo,
}: Cause["task"]): Pick<Task, "id" | "work_item_id" | "repo"> => ({
  id: task_id,
  work_item_id,
  repo,
});

const withoutRepeats = (remedies: readonly Remedy[]): Remedy[] => [
  ...new Map(remedies.map((remedy) => [asCommand(remedy).command, remedy])).values(),
];

/** One reading of the database, in which each task is read once. */
class Investigation {
  readonly #policy: Policy;
  readonly #visible: Visibility;
  readonly #states = new Map<number, TaskState>();

  constructor(policy: Policy, visible: Visibility) {
    this.#policy = policy;
    this.#visible = visible;
  }

  *state(taskId: number): Tx<TaskState> {
    const known = this.#states.get(taskId);
    if (known) return known;
    const task = yield* readTask(taskId);
    const jobs = yield* readOpenJobs(taskId);
    const held = new Map<number, DraftObstacle[]>();
    for (const job of jobs) if (job.status === "queued") held.set(job.id, yield* this.#obstacles(job, task));
    const state = { task, jobs, held };
    this.#states.set(taskId, state);
    return state;
  }

  /** Reads everything that holds a queued job, the first reason first. */
  *#obstacles(job: Job, task: Task): Tx<DraftObstacle[]> {
    const holding = yield* this.#reasonsOf(job);
    const obstacles: DraftObstacle[] = [];
    for (const { name, blockers } of HOLD_REASONS) {
      if (!holding.has(name)) continue;
      const found = yield* blockers({
        policy: this.#policy,
        visible: this.#visible,
        job,
        task,
        readTask,
        readOpenJobs,
      });
      for (const each of found) obstacles.push({ reason: name, ...each });
    }
    return obstacles;
  }

  *#reasonsOf(job: Job): Tx<ReadonlySet<Reason>> {
    const asked = conditions(this.#policy, this.#visible);
    const columns = asked.reduce(
      (before, { reason, holds }) =>
        sql`${before}, CASE WHEN ${holds} THEN 1 ELSE 0 END AS ${raw(`"${reason}"`)}`,
      raw("j.id"),
    );
    const row = yield* first<Partial<Record<Reason, number>>>(
      sql`SELECT ${columns} FROM jobs j WHERE j.id = ${job.id}`,
    );
    return new Set(asked.map(({ reason }) => reason).filter((reason) => row?.[reason] === 1));
  }

  /** Follows the first blocker of each task down to the root cause.
   *  @returns the steps, and the remedies at the root */
  *chain(taskId: number): Tx<{ steps: ChainStep[]; remedies: readonly Remedy[] }> {
    const steps: ChainStep[] = [];
    const passed = new Set<number>();
    for (let at = taskId; steps.length < MAX_CHAIN;) {
      if (passed.has(at)) return { steps, remedies: [] };
      passed.add(at);
      const state = yield* this.state(at);
      const { work_item_id, repo } = state.task;
      const obstacle = [...state.held.values()].find((all) => all.length > 0)?.[0];
      if (!obstacle) {
        const { reason, on, remedies } = activityOf(state);
        return { steps: [...steps, { work_item_id, repo, reason, on }], remedies };
      }
      const { reason, remedies, blocker } = obstacle;
      const needed = blocker.task;
      if (!needed || needed.id === at)
        return { steps: [...steps, { work_item_id, repo, reason, on: describeEnd(obstacle) }], remedies };
      steps.push({ work_item_id, repo, reason, on: labelOf(needed, needed.repo) });
      if (reason === "dependency" && needed.paused_at !== null) {
        const { on } = activityOf(yield* this.state(needed.id));
        steps.push({ work_item_id: needed.work_item_id, repo: needed.repo, reason: "paused", on });
        return { steps, remedies: pauseRemedy("resume", needed) };
      }
      at = needed.id;
    }
    return { steps, remedies: [] };
  }

  /** Adds the remedies at the root of each obstacle in front of its own. */
  *#withRootRemedies(obstacles: readonly DraftObstacle[], stuck: readonly Remedy[]): Tx<DraftObstacle[]> {
    const found: DraftObstacle[] = [];
    for (const obstacle of obstacles) {
      const { task } = obstacle.blocker;
      const atRoot = task ? (yield* this.chain(task.id)).remedies : [];
      found.push({
        ...obstacle,
        remedies: withoutRepeats([...atRoot, ...(task ? stuck : []), ...obstacle.remedies]),
      });
    }
    return found;
  }

  *job(job: Job, task: Task, cause: Cause | undefined): Tx<DraftJob> {
    const { held } = yield* this.state(task.id);
    const obstacles = held.get(job.id);
    const isWaiting =
      obstacles !== undefined && (job.agent === this.#policy.entryAgent || obstacles.length > 0);
    const reasons = obstacles
      ? yield* this.#withRootRemedies(obstacles, cause ? remediesFor(cause) : [])
      : [];
    return {
      job_id: job.id,
      agent: job.agent,
      status: job.status,
      reason: reasons[0]?.reason ?? null,
      position: isWaiting ? yield* this.#position(job) : null,
      estimate: isWaiting
        ? yield* this.#estimate(task, reasons, cause)
        : noEstimate(`the job is ${job.status}`),
      reasons,
    };
  }

  *#position({ id, repo, task_id }: Job): Tx<number> {
    let place = 1;
    // Held or ready, in the order of the index of each.
    for (const flag of ["j.ready = 0", "j.ready = 1"]) {
      const before = sql`SELECT COUNT(*) AS many FROM jobs j WHERE j.repo = ${repo} AND ${raw(flag)}
        AND j.status = 'queued' AND ${isEntryJob(this.#policy, "j")}
        AND (j.task_id, j.id) < (${task_id}, ${id})`;
      place += (yield* first<{ many: number }>(before))?.many ?? 0;
    }
    return place;
  }

  *#estimate(task: Task, obstacles: readonly DraftObstacle[], cause: Cause | undefined): Tx<Estimate> {
    if (cause) return noEstimate("it is stuck");
    const [obstacle] = obstacles;
    if (!obstacle) return noEstimate("it can start now");
    const head = obstacle.blocker.task;
    if (obstacle.reason !== "active-task" || !head) return noEstimate(obstacle.detail);
    const { held } = yield* this.state(head.id);
    const ahead = [...held.values()].flat()[0];
    if (ahead) return noEstimate(`the task ahead waits too: ${ahead.detail}`);
    return yield* estimateStart(
      this.#policy,
      task.repo,
      yield* readTasksAhead(this.#policy, task, MAX_AHEAD),
    );
  }
}

/** The last step of a chain that ends at a blocker which is no other task. */
const describeEnd = ({ detail, since, by }: DraftObstacle): string =>
  `${detail}${since === null ? "" : `, since ${since}`}${by === null ? "" : ` by ${by}`}`;

/** Says that a freeze of the repository holds nothing, and why; null where there is none or it does. */
function* describeIdleFreeze(policy: Policy, { freezes }: Visibility, repo: string): Tx<string | null> {
  const because = policy.freeze ? notInForceBecause(policy, repo) : "SERIAL_GATE_FREEZE_ENABLED is false";
  if (because === null || !freezes) return null;
  const [freeze] = yield* readActiveFreezes(repo);
  return freeze
    ? `${repo} is frozen (freeze ${freeze.freeze_id}), but the freeze is not in force: ${because}.`
    : null;
}

/** Answers `GET /queue/explain`, its remedies not tried yet.
 *  @throws GateError unknown_task, unknown_work_item, ambiguous_work_item */
export function* explain(policy: Policy, visible: Visibility, selector: TaskSelector): Tx<ExplanationDraft> {
  const { task_id } = yield* resolveTask(selector);
  const investigation = new Investigation(policy, visible);
  const { task, jobs } = yield* investigation.state(task_id);
  const blocked = yield* blockedTasksFrom(policy, [task_id], (repo) => slowIn(policy, repo));
  const cause = causeFor(blocked, task_id);
  const explained: DraftJob[] = [];
  for (const job of jobs) explained.push(yield* investigation.job(job, task, cause));
  return {
    task,
    stuck: cause !== undefined,
    stuck_because: cause ? describeStuck(cause, task) : null,
    jobs: explained,
    chain: (yield* investigation.chain(task_id)).steps,
    not_in_force: yield* describeIdleFreeze(policy, visible, task.repo),
  };
}
