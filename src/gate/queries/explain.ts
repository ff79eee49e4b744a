/** Why a work item waits: everything that holds it, what that waits for in turn, down to what has to happen first,
 *  and the calls that would free it.
 *  Whether a job is held, and for which reason, is asked of the one rule; here is what stands behind it. */

import { all, first, type Tx } from "../../store/port.ts";
import { raw, sql, inlineInteger } from "../../store/sql.ts";
import { estimateStart, noEstimate } from "./estimate.ts";
import { readFreezes } from "../commands/freeze.ts";
import { readJobs } from "../commands/job.ts";
import type { Blocker, Estimate, ExplainedJob, Explanation, Obstacle } from "../../contract/explanation.ts";
import type { Job } from "../../contract/jobs.ts";
import type { Reason, WorkItemQuery } from "../../contract/scalars.ts";
import type { Task } from "../../contract/tasks.ts";
import type { Policy } from "../rule/policy.ts";
import { tasksAhead, conditions, unfinishedDependencies } from "../rule/predicate.ts";
import { type Visibility } from "../rule/visibility.ts";
import { describeCause, causeFor, slowIn, labelOf, blockedTasksFrom, type Cause } from "./stuck.ts";
import { readTask } from "../commands/task.ts";
import { toIsoOrNull } from "../../store/timestamps.ts";
import { asCommand, type Remedy } from "./remedy.ts";
import { resolveTask } from "../commands/work-item.ts";

/** An obstacle before its ways out are tried. */
export type DraftObstacle = Omit<Obstacle, "fix"> & { readonly ways: readonly Remedy[] };

type Explained = Omit<ExplainedJob, "reasons"> & { readonly reasons: readonly DraftObstacle[] };

export type ExplanationDraft = Omit<Explanation, "jobs" | "degraded"> & {
  readonly jobs: readonly Explained[];
};

type Step = Explanation["chain"][number];

/** A task and those of its jobs that are not over, or failed. */
interface TaskState {
  readonly task: Task;
  readonly jobs: readonly Job[];
  /** What holds each of its waiting entry jobs; the ways out only of this task, not of what it waits for. */
  readonly held: ReadonlyMap<number, readonly DraftObstacle[]>;
}

/** How far a chain is followed. */
const LONGEST_CHAIN = 100;
/** How many of the tasks ahead are counted into an estimate. */
const FAR_AHEAD = 10_000;

const nameTask = ({ id, work_item_id, repo }: Task, among?: string): string =>
  labelOf({ task_id: id, work_item_id, repo }, among);

const openJobs = (task: number): Tx<Job[]> =>
  readJobs(sql`SELECT o.id FROM jobs o WHERE o.task_id = ${task}
    AND o.status IN ('queued', 'delayed', 'running', 'failed')`);

const cancelOf = ({ id, repo, work_item_id }: Task): Remedy => ({
  to: "cancel",
  task_id: id,
  repo,
  work_item: work_item_id,
});

const pauseRemedy = (to: "pause" | "resume", { repo, work_item_id }: Task): Remedy[] =>
  work_item_id === null ? [] : [{ to, repo, work_item: work_item_id }];

const later = (a: string | null, b: string | null): string | null => (a === null || (b ?? "") > a ? b : a);

const atWork = ({ agent, id, status, lease, started_at, run_after }: Job): string => {
  const job = `job ${id} (${agent})`;
  if (status === "running") return `${job} runs at ${lease?.worker ?? "a worker"} since ${started_at ?? "?"}`;
  if (status === "delayed") return `${job} is tried again at ${run_after ?? "?"}`;
  return status === "queued" ? `${job} waits for a worker` : `${job} failed`;
};

/** What the task does when nothing holds it. */
const activityOf = ({ task, jobs }: TaskState): { reason: string; on: string; ways: Remedy[] } => {
  if (task.paused_at !== null)
    return {
      reason: "paused",
      on: `${task.paused_by ?? "someone"} paused it at ${task.paused_at}${
        task.pause_until === null ? "" : `, until ${task.pause_until}`
      }`,
      ways: pauseRemedy("resume", task),
    };
  const job = (["running", "queued", "delayed"] as const)
    .map((status) => jobs.find((each) => each.status === status))
    .find((each) => each !== undefined);
  if (job) return { reason: job.status, on: atWork(job), ways: [] };
  const failed = jobs.at(-1);
  if (failed) return { reason: "failed", on: atWork(failed), ways: [{ to: "retry", job_id: failed.id }] };
  return { reason: "idle", on: "whoever gives it its next job, or moves its stage", ways: [] };
};

const remediesFor = (cause: Cause): Remedy[] => {
  switch (cause.kind) {
    case "failed":
      return cause.task.failed ? [{ to: "retry", job_id: cause.task.failed.job_id }] : [];
    case "parked": {
      const { repo, work_item_id: work_item } = cause.needed;
      return work_item === null ? [] : [{ to: "resume", repo, work_item }];
    }
    case "circle": {
      const [task, ...rest] = cause.path;
      let before = task;
      for (const next of rest) {
        // Who is ahead in a lane lets the others pass when it is parked.
        if (before?.behind === next.task_id && next.work_item_id !== null)
          return [{ to: "pause", repo: next.repo, work_item: next.work_item_id }];
        before = next;
      }
      const needed = rest[0];
      return needed
        ? [{ to: "cancel", task_id: needed.task_id, repo: needed.repo, work_item: needed.work_item_id }]
        : [];
    }
  }
};

const sentence = (cause: Cause, task: Task): string => {
  const whose = cause.task.task_id === task.id ? "" : `${labelOf(cause.task, task.repo)}: `;
  const ways = remediesFor(cause).map((way) => asCommand(way).command);
  return `${whose}${describeCause(cause)}${ways.length > 0 ? `. The way out: ${ways.join(", or ")}` : ""}`;
};

const unique = (ways: readonly Remedy[]): Remedy[] => [
  ...new Map(ways.map((way) => [asCommand(way).command, way])).values(),
];

/** One reading of the database, each task in it looked at once. */
class Investigation {
  readonly #policy: Policy;
  readonly #sight: Visibility;
  readonly #situations = new Map<number, TaskState>();

  constructor(policy: Policy, sight: Visibility) {
    this.#policy = policy;
    this.#sight = sight;
  }

  *situation(taskId: number): Tx<TaskState> {
    const known = this.#situations.get(taskId);
    if (known) return known;
    const task = yield* readTask(taskId);
    const jobs = yield* openJobs(taskId);
    const held = new Map<number, DraftObstacle[]>();
    for (const job of jobs)
      if (job.status === "queued" && job.agent === this.#policy.entryAgent)
        held.set(job.id, yield* this.#hindrances(job, task));
    const situation = { task, jobs, held };
    this.#situations.set(taskId, situation);
    return situation;
  }

  /** All that holds a queued entry job, the first reason first. */
  *#hindrances(job: Job, task: Task): Tx<DraftObstacle[]> {
    const asked = conditions(this.#policy, this.#sight);
    if (asked.length === 0) return [];
    const columns = asked.reduce(
      (before, { reason, holds }) =>
        sql`${before}, CASE WHEN ${holds} THEN 1 ELSE 0 END AS ${raw(`"${reason}"`)}`,
      raw("j.id"),
    );
    const row = yield* first<Partial<Record<Reason, number>>>(
      sql`SELECT ${columns} FROM jobs j WHERE j.id = ${job.id}`,
    );
    const found: DraftObstacle[] = [];
    for (const { reason } of asked)
      if (row?.[reason] === 1) found.push(...(yield* this.#behind(reason, job, task)));
    return found;
  }

  *#behind(reason: Reason, job: Job, task: Task): Tx<DraftObstacle[]> {
    switch (reason) {
      case "freeze":
        return yield* this.#freezes(task.repo);
      case "dependency":
        return yield* this.#needed(job, task);
      case "active-task":
        return yield* this.#ahead(job, task);
    }
  }

  *#freezes(repo: string): Tx<DraftObstacle[]> {
    if (!this.#sight.freezes)
      return [
        {
          reason: "freeze",
          since: null,
          by: null,
          detail: `the freezes cannot be read, so ${repo} counts as frozen`,
          blocker: { kind: "unreadable", task: null, jobs: [], freeze: null },
          ways: [],
        },
      ];
    const freezes = yield* readFreezes(repo);
    return freezes.map((freeze) => ({
      reason: "freeze",
      since: freeze.frozen_at,
      by: freeze.frozen_by,
      detail: `${repo} is frozen${freeze.reason === null ? "" : `: ${freeze.reason}`}${
        freeze.work_item_id === null ? "" : ` (after ${freeze.work_item_id})`
      }`,
      blocker: { kind: "freeze", task: null, jobs: [], freeze },
      ways: [{ to: "unfreeze", repo, id: freeze.freeze_id }],
    }));
  }

  *#needed(job: Job, task: Task): Tx<DraftObstacle[]> {
    const rows = yield* all<{ id: number; created_at: string | null }>(
      sql`SELECT needed.id, d.created_at FROM ${unfinishedDependencies(sql`${task.id}`)} ORDER BY needed.id`,
    );
    const found: DraftObstacle[] = [];
    for (const { id, created_at } of rows) {
      const needed = yield* readTask(id);
      const paused = needed.paused_at === null ? "" : `, paused since ${needed.paused_at}`;
      found.push({
        reason: "dependency",
        since: later(job.created_at, toIsoOrNull(created_at)),
        by: needed.paused_by,
        detail: `${nameTask(needed, task.repo)} is unfinished (${needed.stage}${paused})`,
        blocker: yield* blockedBy(needed),
        ways: [...(needed.paused_at === null ? [] : pauseRemedy("resume", needed)), cancelOf(needed)],
      });
    }
    return found;
  }

  *#ahead(job: Job, task: Task): Tx<DraftObstacle[]> {
    const ahead = yield* this.#tasksAhead(task, 2);
    if (ahead[0] === undefined) return [];
    const head = yield* readTask(ahead[0]);
    const blocker = yield* blockedBy(head);
    const others = ahead.length > 1 ? ", first of several" : "";
    return [
      {
        reason: "active-task",
        since: job.created_at,
        by: blocker.jobs.find(({ lease }) => lease !== null)?.lease?.worker ?? null,
        detail: `${nameTask(head, task.repo)} is ahead in the lane (${head.stage}${others})`,
        blocker,
        ways: this.#policy.pause ? pauseRemedy("pause", head) : [],
      },
    ];
  }

  *#tasksAhead(task: Task, limit: number): Tx<number[]> {
    const rows = yield* all<{ id: number }>(
      sql`SELECT ahead.id FROM ${tasksAhead(this.#policy, sql`${task.repo}`, sql`${task.id}`)}
        ORDER BY ahead.id LIMIT ${inlineInteger(limit)}`,
    );
    return rows.map(({ id }) => id);
  }

  /** From a task to what has to happen first, and the ways to that. */
  *chain(taskId: number): Tx<{ steps: Step[]; ways: readonly Remedy[] }> {
    const steps: Step[] = [];
    const passed = new Set<number>();
    for (let at = taskId; steps.length < LONGEST_CHAIN;) {
      if (passed.has(at)) return { steps, ways: [] };
      passed.add(at);
      const situation = yield* this.situation(at);
      const { work_item_id, repo } = situation.task;
      const hindrance = [...situation.held.values()].find((all) => all.length > 0)?.[0];
      const needed = hindrance?.blocker.task;
      if (!hindrance) {
        const { reason, on, ways } = activityOf(situation);
        return { steps: [...steps, { work_item_id, repo, reason, on }], ways };
      }
      const { reason, since, ways } = hindrance;
      if (!needed) {
        const by = hindrance.by === null ? "" : ` by ${hindrance.by}`;
        const on = `${repo} frozen since ${since ?? "nobody knows when"}${by}`;
        return { steps: [...steps, { work_item_id, repo, reason, on }], ways };
      }
      steps.push({ work_item_id, repo, reason, on: nameTask(needed, needed.repo) });
      if (reason === "dependency" && needed.paused_at !== null) {
        const { on } = activityOf(yield* this.situation(needed.id));
        steps.push({ work_item_id: needed.work_item_id, repo: needed.repo, reason: "paused", on });
        return { steps, ways: pauseRemedy("resume", needed) };
      }
      at = needed.id;
    }
    return { steps, ways: [] };
  }

  /** The obstacles of a job with all the ways to take them away: those at the root first. */
  *#toRoots(hindrances: readonly DraftObstacle[], stuck: readonly Remedy[]): Tx<DraftObstacle[]> {
    const found: DraftObstacle[] = [];
    for (const hindrance of hindrances) {
      const task = hindrance.blocker.task;
      const atRoot = task ? (yield* this.chain(task.id)).ways : [];
      const ways = unique([...atRoot, ...(task ? stuck : []), ...hindrance.ways]);
      found.push({ ...hindrance, ways });
    }
    return found;
  }

  *job(job: Job, task: Task, cause: Cause | undefined): Tx<Explained> {
    const { held } = yield* this.situation(task.id);
    const mine = held.get(job.id);
    const reasons = mine ? yield* this.#toRoots(mine, cause ? remediesFor(cause) : []) : [];
    return {
      job_id: job.id,
      agent: job.agent,
      status: job.status,
      reason: reasons[0]?.reason ?? null,
      position: mine ? yield* this.#position(job) : null,
      estimate: mine ? yield* this.#estimate(task, reasons, cause) : noEstimate(`the job is ${job.status}`),
      reasons,
    };
  }

  *#position({ id, repo, task_id }: Job): Tx<number> {
    let place = 1;
    // Held or not, in the order of the index that finds them.
    for (const mark of ["j.ready = 0", "j.ready = 1"]) {
      const before = sql`SELECT COUNT(*) AS many FROM jobs j WHERE j.repo = ${repo} AND ${raw(mark)}
        AND j.status = 'queued' AND j.agent = ${this.#policy.entryAgent}
        AND (j.task_id, j.id) < (${task_id}, ${id})`;
      place += (yield* first<{ many: number }>(before))?.many ?? 0;
    }
    return place;
  }

  *#estimate(task: Task, reasons: readonly DraftObstacle[], cause: Cause | undefined): Tx<Estimate> {
    if (cause) return noEstimate("it is stuck");
    const [reason] = reasons;
    if (!reason) return noEstimate("it may start now");
    if (reason.reason === "freeze") return noEstimate(`${task.repo} is frozen until someone opens it`);
    const head = reason.blocker.task;
    if (reason.reason === "dependency" || !head) return noEstimate("it waits for a dependency");
    const { held } = yield* this.situation(head.id);
    const inTheWay = [...held.values()].flat()[0];
    if (inTheWay) return noEstimate(`the task ahead waits itself: ${inTheWay.detail}`);
    return yield* estimateStart(this.#policy, task.repo, yield* this.#tasksAhead(task, FAR_AHEAD));
  }
}

function* blockedBy(task: Task): Tx<Blocker> {
  return { kind: "task", task, jobs: yield* openJobs(task.id), freeze: null };
}

/** What `GET /queue/explain` answers, its ways out not tried yet.
 *  @throws GateError unknown_work_item, ambiguous_work_item */
export function* explain(policy: Policy, sight: Visibility, query: WorkItemQuery): Tx<ExplanationDraft> {
  const { task_id } = yield* resolveTask(query);
  const investigation = new Investigation(policy, sight);
  const { task, jobs } = yield* investigation.situation(task_id);
  const waiters = yield* blockedTasksFrom(policy, [task_id], (repo) => slowIn(policy, repo));
  const cause = causeFor(waiters, task_id);
  const explained: Explained[] = [];
  for (const job of jobs) explained.push(yield* investigation.job(job, task, cause));
  return {
    task,
    stuck: cause !== undefined,
    stuck_because: cause ? sentence(cause, task) : null,
    jobs: explained,
    chain: (yield* investigation.chain(task_id)).steps,
  };
}
