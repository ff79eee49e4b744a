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
    if (!task.paused && task.lane === "acquired") task.lane = "lost";
    task.paused = true;
  }

  /** Does everything that is due: delayed jobs are queued, lapsed leases given back, pauses run out. */
  passTime(now: number): void {
    for (const job of this.jobs.values())
      if (job.at <= now && job.status === "delayed")
        job.status = this.takesNoJob(job.task, job.agent) ? "cancelled" : "queued";
      else if (job.at <= now && job.status === "running") this.endRun(job, this.#lapsed(job));
    for (const task of this.tasks.values()) if (task.pausedUntil <= now) this.resume(task);
  }

  #lapsed(job: ModelJob): ModelJob["status"] {
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

  /** Moves a task, whoever asks for it. */
  move(task: ModelTask, stage: string): void {
    if (isTerminal(stage) && isOpen(task))
      for (const job of this.jobs.values())
        if (job.task === task && job.status === "running") job.taskFinished = true;
    task.stage = stage;
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

  resume(task: ModelTask): void {
    task.paused = false;
    task.pausedUntil = Infinity;
  }
}
