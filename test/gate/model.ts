/** The gate as a plain model: what the rules say, in as few lines as they need. No SQL, no store. */

import type { Policy } from "../../src/gate/rule/policy.ts";

export interface ModelTask {
  readonly id: number;
  repo: string;
  readonly dependsOn: Set<number>;
  stage: string;
  paused: boolean;
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
  /** When a delayed job is due, or a running one's lease expires. */
  at: number;
  token: string;
}

export class Model {
  readonly tasks = new Map<number, ModelTask>();
  readonly jobs = new Map<number, ModelJob>();
  /** Active freezes a repository. */
  readonly freezes = new Map<string, number>();
  readonly policy: Policy;

  constructor(policy: Policy) {
    this.policy = policy;
  }

  reason({ agent, repo, task }: ModelJob): string | null {
    const { enabled, repos, freeze, pause, dependencies, entryAgent } = this.policy;
    if (agent !== entryAgent) return null;
    const serial = enabled && (repos?.includes(repo) ?? true);
    const open = (each: ModelTask | undefined): boolean =>
      each !== undefined && each.stage !== "done" && each.stage !== "cancelled";
    if (serial && freeze && (this.freezes.get(repo) ?? 0) > 0) return "freeze";
    if (task && dependencies && [...task.dependsOn].some((id) => open(this.tasks.get(id))))
      return "dependency";
    const ahead = [...this.tasks.values()].some(
      (each) => each.repo === repo && task && each.id < task.id && open(each) && !(pause && each.paused),
    );
    return serial && ahead ? "active-task" : null;
  }

  /** What is due happens: delayed jobs are queued, lapsed leases given back, pauses run out. */
  passTime(now: number): void {
    for (const job of this.jobs.values())
      if (job.at <= now && job.status === "delayed") job.status = "queued";
      else if (job.at <= now && job.status === "running") job.status = this.lapsed(job);
    for (const task of this.tasks.values()) if (task.pausedUntil <= now) this.resume(task);
  }

  lapsed(job: ModelJob): ModelJob["status"] {
    if (job.task?.stage === "cancelled") return "cancelled";
    return job.attempts < job.maxAttempts ? "queued" : "failed";
  }

  resume(task: ModelTask): void {
    task.paused = false;
    task.pausedUntil = Infinity;
  }
}
