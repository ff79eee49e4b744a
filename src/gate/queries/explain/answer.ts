/** Explains why a work item waits: every blocker of its jobs, the chain of tasks down to the root cause, and the calls
 *  that would remove it. */

import type { Estimate, ExplainedJob, Explanation, Obstacle } from "../../../contract/explanation.ts";
import type { Job } from "../../../contract/jobs.ts";
import { labelOf } from "../../../contract/names/label.ts";
import type { TaskSelector } from "../../../contract/scalars.ts";
import type { Task } from "../../../contract/tasks.ts";
import { first, type Tx } from "../../../store/port.ts";
import { raw, sql } from "../../../store/sql.ts";
import { resolveTask } from "../../commands/lookup/work-item.ts";
import type { Reach } from "../../../contract/names/repo-pattern.ts";
import type { BatchContext } from "../../commands/context.ts";
import type { Policy } from "../../rule/policy.ts";
import { readTasksAhead } from "../../rule/reasons/active-task.ts";
import { readActiveFreezes } from "../../rule/reasons/freeze.ts";
import { asCommand, type Remedy } from "../../rule/remedy.ts";
import { isEntryJob, notInForceBecause } from "../../rule/scope.ts";
import type { Visibility } from "../../rule/visibility.ts";
import { estimateStart, noEstimate } from "./estimate.ts";
import {
  Investigation,
  unlistedJobs,
  withUsableName,
  type FoundObstacle,
  type TaskState,
} from "./investigation.ts";
import { mainRoot, MAX_AHEAD, waitOf, type Wait } from "./root.ts";
import { causeFor, type Cause } from "../stuck/causes.ts";
import { describeCause, isSeen, remediesFor } from "../stuck/words.ts";

/** An obstacle whose remedies have not been tried yet. */
export type DraftObstacle = Omit<Obstacle, "fix"> & { readonly remedies: readonly Remedy[] };

type DraftJob = Omit<ExplainedJob, "reasons"> & { readonly reasons: readonly DraftObstacle[] };

/** An explanation whose remedies have not been tried yet. */
export type ExplanationDraft = Omit<Explanation, "jobs" | "root" | "degraded"> & {
  readonly jobs: readonly DraftJob[];
  readonly wait: Wait;
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

function* usable(remedies: readonly Remedy[]): Tx<Remedy[]> {
  const named: Remedy[] = [];
  for (const remedy of remedies) named.push(yield* withUsableName(remedy));
  return named;
}

function* describeStuck(cause: Cause, task: Task, reach: Reach): Tx<string> {
  if (!isSeen(cause, reach)) return describeCause(cause, reach);
  const other = cause.task.task_id === task.id ? "" : `${labelOf(asNamed(cause.task), task.repo)}: `;
  const commands = (yield* usable(remediesFor(cause, reach))).map((remedy) => asCommand(remedy).command);
  return `${other}${describeCause(cause, reach)}${
    commands.length > 0 ? `. To free it: ${commands.join(", or ")}` : ""
  }`;
}

const withoutRepeats = (remedies: readonly Remedy[]): Remedy[] => [
  ...new Map(remedies.map((remedy) => [asCommand(remedy).command, remedy])).values(),
];

/** Explains the jobs of one task. */
class Explainer {
  readonly #policy: Policy;
  readonly #investigation: Investigation;
  readonly #task: TaskState;
  readonly #cause: Cause | undefined;

  constructor(investigation: Investigation, task: TaskState, cause: Cause | undefined) {
    this.#policy = investigation.policy;
    this.#investigation = investigation;
    this.#task = task;
    this.#cause = cause;
  }

  /** Adds the remedies at the root of each obstacle in front of its own. */
  *#withRootRemedies(obstacles: readonly FoundObstacle[]): Tx<DraftObstacle[]> {
    const stuck = this.#cause ? yield* usable(remediesFor(this.#cause, this.#investigation.reach)) : [];
    const found: DraftObstacle[] = [];
    for (const { reason, since, by, detail, blocker, end, remedies } of obstacles) {
      const other = end ? null : blocker.task;
      const atRoot = other
        ? (mainRoot((yield* waitOf(this.#investigation, other.id)).roots)?.remedies ?? [])
        : [];
      const all = [...atRoot, ...(other ? stuck : []), ...remedies];
      found.push({ reason, since, by, detail, blocker, remedies: withoutRepeats(all) });
    }
    return found;
  }

  *job(job: Job): Tx<DraftJob> {
    const obstacles = this.#task.held.get(job.id);
    const isWaiting =
      obstacles !== undefined && (job.agent === this.#policy.entryAgent || obstacles.length > 0);
    const reasons = yield* this.#withRootRemedies(obstacles ?? []);
    return {
      job_id: job.id,
      agent: job.agent,
      status: job.status,
      reason: reasons[0]?.reason ?? null,
      position: isWaiting ? yield* this.#position(job) : null,
      estimate: isWaiting ? yield* this.#estimate(reasons) : noEstimate(`the job is ${job.status}`),
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

  *#estimate(obstacles: readonly DraftObstacle[]): Tx<Estimate> {
    const { task } = this.#task;
    // A task between two jobs is idle for a moment: the estimate counts on the orchestrator, as the past did.
    if (this.#cause && this.#cause.kind !== "idle") return noEstimate("it is stuck");
    const [obstacle] = obstacles;
    if (!obstacle) return noEstimate("it can start now");
    const head = obstacle.blocker.task;
    if (obstacle.reason !== "active-task" || !head) return noEstimate(obstacle.detail);
    const { held } = yield* this.#investigation.state(head.id);
    const ahead = [...held.values()].flat()[0];
    if (ahead) return noEstimate(`the task ahead waits too: ${ahead.detail}`);
    return yield* estimateStart(
      this.#policy,
      task.repo,
      yield* readTasksAhead(this.#policy, task, MAX_AHEAD),
    );
  }
}

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
export function* explain(
  { rules: { policy }, lookup: { visible }, reach }: BatchContext,
  selector: TaskSelector,
): Tx<ExplanationDraft> {
  const { task_id } = yield* resolveTask(selector, reach);
  const investigation = new Investigation(policy, visible, reach);
  const wait = yield* waitOf(investigation, task_id);
  const { task, jobs } = wait.state;
  const cause = causeFor(wait.blocked, task_id);
  const explainer = new Explainer(investigation, wait.state, cause);
  const explained: DraftJob[] = [];
  for (const job of jobs) explained.push(yield* explainer.job(job));
  const unlisted_jobs = yield* unlistedJobs(wait.state);
  return {
    task,
    stuck: cause !== undefined,
    stuck_because: cause ? yield* describeStuck(cause, task, reach) : null,
    jobs: explained,
    ...(unlisted_jobs > 0 ? { unlisted_jobs } : {}),
    chain: [...(mainRoot(wait.roots)?.steps ?? [])],
    not_in_force: yield* describeIdleFreeze(policy, visible, task.repo),
    wait,
  };
}
