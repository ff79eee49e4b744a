/** The gate as a plain model: what the rules say, in as few lines as they need. No SQL, no store. */

import type { Policy } from "../../src/gate/rule/policy.ts";

export interface ModelTask {
  readonly id: number;
  repo: string;
  readonly dependsOn: Set<number>;
  stage: string;
  paused: boolean;
  /** Its place in strict lanes: none until a job of it is claimed, lost once it is paused after that. */
  lane: "none" | "acquired" | "lost";
  pausedUntil: number;
  /** True once it was paused with all others of its repository, until it is resumed. */
  together: boolean;
  /** The finish after which it is told of those that ran beside it; null until it starts. */
  baseFrom: number | null;
  /** It is told of every finish after the first and up to the second, or all while it is paused. */
  pausedFrom: number | null;
  pausedTo: number | null;
  told: { readonly job: number; readonly upTo: number } | null;
}

export const newTask = (id: number, repo: string, dependsOn: Set<number> = new Set()): ModelTask => ({
  id,
  repo,
  dependsOn,
  stage: "analysis",
  paused: false,
  pausedUntil: Infinity,
  lane: "none",
  together: false,
  baseFrom: null,
  pausedFrom: null,
  pausedTo: null,
  told: null,
});

/** A task that finished while another of its lane was paused or in progress. */
interface Finish {
  readonly id: number;
  readonly repo: string;
  readonly task: number;
  readonly started: boolean;
}

export interface ModelJob {
  readonly id: number;
  readonly task: ModelTask | null;
  repo: string;
  readonly agent: string;
  status: "queued" | "delayed" | "running" | "done" | "failed" | "cancelled";
  attempts: number;
  maxAttempts: number;
  /** Its task finished while it ran. */
  taskFinished: boolean;
  /** When a delayed job is due, or a running one's lease expires. */
  at: number;
  token: string;
}

export const isTerminal = (stage: string): boolean => stage === "done" || stage === "cancelled";

const isOpen = (task: ModelTask | undefined): boolean => task !== undefined && !isTerminal(task.stage);

export class Model {
  readonly tasks = new Map<number, ModelTask>();
  readonly jobs = new Map<number, ModelJob>();
  /** Active freezes a repository. */
  readonly freezes = new Map<string, number>();
  readonly policy: Policy;
  #finishes: Finish[] = [];
  #lastFinish = 0;

  constructor(policy: Policy) {
    this.policy = policy;
  }

  reason(job: ModelJob): string | null {
    const { agent, repo, task } = job;
    const { enabled, repos, freeze, pause, dependencies, entryAgent, strictLanes } = this.policy;
    const serial = enabled && (repos?.includes(repo) ?? true);
    const strict = serial && strictLanes && task !== null;
    const isEntry = agent === entryAgent;
    if (strict && pause && task.paused) return "paused";
    if (strict && isEntry && !isOpen(task)) return "finished";
    if (isEntry && serial && freeze && (this.freezes.get(repo) ?? 0) > 0) return "freeze";
    if (isEntry && task && dependencies && [...task.dependsOn].some((id) => isOpen(this.tasks.get(id))))
      return "dependency";
    if (!serial || !task) return null;
    const others = [...this.tasks.values()].filter(
      (each) => each.repo === repo && each !== task && isOpen(each) && !(pause && each.paused),
    );
    const ahead = others.some((each) => each.id < task.id);
    if (!strict) return isEntry && ahead ? "active-task" : null;
    const beside = others.some((each) => each.lane === "acquired" || this.#isRunning(each));
    const held = isEntry ? task.lane !== "acquired" && (ahead || beside) : task.lane === "lost" && beside;
    return held ? "active-task" : null;
  }

  #isRunning(task: ModelTask): boolean {
    return [...this.jobs.values()].some((job) => job.task === task && job.status === "running");
  }

  /** True when the first task is the second, or depends on it, however far. */
  leadsTo(from: number, to: number, seen = new Set<number>()): boolean {
    if (from === to) return true;
    const task = this.tasks.get(from);
    if (!task || seen.has(from)) return false;
    seen.add(from);
    return [...task.dependsOn].some((id) => this.leadsTo(id, to, seen));
  }

  /** The jobs that one claim hands out, oldest first, at most `max`; each may hold the ones behind it. Changes nothing. */
  claimable(isWanted: (job: ModelJob) => boolean, max: number): ModelJob[] {
    const claimed: ModelJob[] = [];
    const before = new Map([...this.tasks.values()].map((task) => [task, task.lane]));
    for (const job of [...this.jobs.values()].sort((a, b) => a.id - b.id)) {
      if (claimed.length === max) break;
      if (job.status !== "queued" || !isWanted(job) || this.reason(job) !== null) continue;
      claimed.push(job);
      job.status = "running";
      if (job.task) job.task.lane = "acquired";
    }
    for (const job of claimed) job.status = "queued";
    for (const [task, lane] of before) task.lane = lane;
    return claimed;
  }

  pause(task: ModelTask): void {
    if (task.paused) return;
    if (task.lane === "acquired") task.lane = "lost";
    task.paused = true;
    const { pausedFrom, pausedTo } = task;
    const isPending =
      pausedFrom !== null && this.#since(task, pausedFrom).some(({ id }) => id <= (pausedTo ?? 0));
    task.pausedFrom = isPending ? pausedFrom : this.#latest;
    task.pausedTo = null;
  }

  /** A job of the task begins to run. */
  start(task: ModelTask): void {
    task.lane = "acquired";
    task.baseFrom ??= this.#latest;
  }

  /** Moves the task to a stage, and logs its finish for those whose base it may have moved. */
  move(task: ModelTask, stage: string): void {
    const finishes = isOpen(task) && isTerminal(stage);
    task.stage = stage;
    if (!finishes) return;
    for (const job of this.jobs.values())
      if (job.task === task && job.status === "running") job.taskFinished = true;
    const others = [...this.tasks.values()].filter((each) => each.repo === task.repo && isOpen(each));
    const paused = others.some((each) => each.pausedFrom !== null);
    const inProgress = others.some((each) => each.lane !== "none");
    const started = task.lane !== "none";
    if (paused || (started && inProgress))
      this.#finishes.push({ id: (this.#lastFinish += 1), repo: task.repo, task: task.id, started });
    if (!paused && !inProgress) this.#finishes = this.#finishes.filter(({ repo }) => repo !== task.repo);
  }

  /** The tasks that the claimed job must be told of, by their finish. */
  overtakers(task: ModelTask, job: ModelJob): number[] {
    if (!isOpen(task)) return [];
    const { baseFrom, pausedFrom, pausedTo } = task;
    const finishes = this.#finishes.filter(
      (each) =>
        each.repo === task.repo &&
        each.task !== task.id &&
        ((baseFrom !== null && each.started && each.id > baseFrom) ||
          (pausedFrom !== null && each.id > pausedFrom && each.id <= (pausedTo ?? Infinity))),
    );
    const last = finishes.at(-1);
    if (last) task.told = { job: job.id, upTo: last.id };
    return [...new Set(finishes.map((each) => each.task))];
  }

  /** A job that was told of a stale base completes. */
  rebased(task: ModelTask, job: ModelJob): void {
    if (task.told?.job !== job.id) return;
    const { upTo } = task.told;
    task.told = null;
    task.baseFrom = Math.max(task.baseFrom ?? 0, upTo);
    if (task.pausedFrom === null || task.pausedFrom > upTo) return;
    task.pausedFrom = (task.pausedTo ?? Infinity) > upTo ? upTo : null;
  }

  get #latest(): number {
    return this.#finishes.at(-1)?.id ?? 0;
  }

  #since({ repo }: ModelTask, after: number): Finish[] {
    return this.#finishes.filter((each) => each.repo === repo && each.id > after);
  }

  /** Does everything that is due: delayed jobs are queued, expired leases given back, pauses run out. */
  passTime(now: number): void {
    for (const job of this.jobs.values())
      if (job.at <= now && job.status === "delayed")
        job.status = this.takesNoJob(job.task, job.agent) ? "cancelled" : "queued";
      else if (job.at <= now && job.status === "running") this.endRun(job, this.#expired(job));
    for (const task of this.tasks.values()) if (task.pausedUntil <= now) this.resume(task);
  }

  #expired(job: ModelJob): ModelJob["status"] {
    return job.attempts < job.maxAttempts ? "queued" : "failed";
  }

  /** A finished task takes no entry job, a cancelled one no job at all. */
  takesNoJob(task: ModelTask | null, agent: string): boolean {
    if (!task || isOpen(task)) return false;
    return task.stage === "cancelled" || agent === this.policy.entryAgent;
  }

  /** The worker of the job may complete it, and nothing more comes of it. */
  endsWithTask({ task, taskFinished }: ModelJob): boolean {
    return task !== null && (task.stage === "cancelled" || (taskFinished && isTerminal(task.stage)));
  }

  /** Cancels the jobs that wait for a task that the gate finishes; gives back their ids and those of the others. */
  endWaiting(task: ModelTask, cancelJobs: boolean): { cancelled: number[]; left: number[] } {
    const waiting = [...this.jobs.values()]
      .filter((job) => job.task === task && (job.status === "queued" || job.status === "delayed"))
      .sort((a, b) => a.id - b.id);
    const over = waiting.filter(({ agent }) => cancelJobs || this.takesNoJob(task, agent));
    for (const job of over) job.status = "cancelled";
    return {
      cancelled: over.map(({ id }) => id),
      left: waiting.filter((job) => !over.includes(job)).map(({ id }) => id),
    };
  }

  /** Ends the run of a job that did not complete. */
  endRun(job: ModelJob, status: ModelJob["status"]): void {
    job.status = this.endsWithTask(job) ? "cancelled" : status;
    job.taskFinished = false;
  }

  /** With its pause, whoever ends it, a task is no longer one that was paused with its repository. */
  resume(task: ModelTask): void {
    task.pausedUntil = Infinity;
    if (!task.paused) return;
    task.paused = false;
    task.together = false;
    if (task.pausedFrom !== null && this.#since(task, task.pausedFrom).length === 0) task.pausedFrom = null;
    task.pausedTo = this.#latest;
  }
}
