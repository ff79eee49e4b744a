/** The queue as one line a lane: its state, its active task and that task's job, and how much waits behind it. The lanes
 *  that need a person stand first. */

import type { ActiveJob, Lane, Queue } from "../../../contract/queue.ts";
import { labelOf } from "../../output/label.ts";
import type { Column } from "../../output/table.ts";
import type { Style } from "../../output/terminal.ts";
import { phrase } from "../../output/text.ts";
import { shortLengthOf } from "../../output/time.ts";
import { isInForce } from "../../service.ts";

export const STATES = ["stuck", "frozen", "frozen (not in force)", "degraded", "open"] as const;
export type State = (typeof STATES)[number];

export interface NamedLane extends Lane {
  readonly repo: string;
  readonly state: State;
}

export const STATE_STYLE: Readonly<Record<State, Style>> = {
  stuck: "red",
  frozen: "red",
  "frozen (not in force)": "yellow",
  degraded: "magenta",
  open: "green",
};

/** Freezes that cannot be read count as frozen, without a time. */
const stateOf = (queue: Queue, repo: string, lane: Lane): State => {
  if (queue.degraded && lane.frozen && lane.freezes.length === 0) return "degraded";
  if (lane.frozen && isInForce(queue, repo)) return "frozen";
  if (lane.stuck.length > 0) return "stuck";
  if (lane.freezes.length > 0) return "frozen (not in force)";
  return queue.degraded ? "degraded" : "open";
};

/** A lane is as troubled as its state, and one that is frozen may also be stuck. */
const trouble = ({ state, stuck }: NamedLane): number => (stuck.length > 0 ? 0 : STATES.indexOf(state));

/** The lanes of a queue: those that need a person first, then by name. */
export const lanesOf = (queue: Queue): NamedLane[] =>
  Object.entries(queue.serial_gate.per_repo)
    .map(([repo, lane]) => ({ repo, state: stateOf(queue, repo, lane), ...lane }))
    .sort((a, b) => trouble(a) - trouble(b) || (a.repo < b.repo ? -1 : 1));

/** `3h`; undefined for a time that is not known */
const age = (since: string | null): string | undefined => {
  const ms = Date.now() - Date.parse(since ?? "");
  return Number.isNaN(ms) ? undefined : shortLengthOf(Math.max(ms, 0));
};

const attempts = ({ attempt, max_attempts }: ActiveJob): string => `${attempt}/${max_attempts}`;

/** `in 4m`, or `now` */
const dueIn = (at: string | null): string | undefined => {
  const ms = Date.parse(at ?? "") - Date.now();
  return Number.isNaN(ms) ? undefined : ms > 0 ? `in ${shortLengthOf(ms)}` : "now";
};

/** The worker of a running job, if it has a name. */
export const workerOf = (job: {
  readonly worker: string | null;
  readonly lease_expires_at?: string | null;
}): string | null => job.worker ?? (job.lease_expires_at === null ? "(another program)" : null);

const jobPhrase = (job: ActiveJob, { running, waiting }: Lane): string => {
  switch (job.status) {
    case "running": {
      const run = running.find(({ job_id }) => job_id === job.job_id);
      return phrase(["running", workerOf(run ?? job), age(job.since)]);
    }
    case "queued": {
      const reason = waiting.find(({ job_id }) => job_id === job.job_id)?.reason ?? null;
      const tried = job.attempt > 0 && attempts(job);
      return phrase([reason === null ? "unclaimed" : `held (${reason})`, age(job.since), tried]);
    }
    case "delayed":
      return phrase(["delayed", attempts(job), dueIn(job.run_after)]);
    case "failed":
      return phrase(["failed", attempts(job), age(job.since)]);
  }
};

/** `running w1 3h`, `failed 2/2 3h`, `unclaimed 163d`, `no job`; then the running jobs of other tasks. */
export const jobOf = (lane: Lane): string => {
  const { active_task, running } = lane;
  const job = active_task?.job ?? null;
  const own = active_task === null ? undefined : job === null ? "no job" : jobPhrase(job, lane);
  const others = running.filter(({ job_id }) => job_id !== job?.job_id).length;
  return phrase([own, others > 0 && `${own === undefined ? "" : "+"}${others} running`]);
};

/** A paused task runs on until its jobs end. */
const pausedOf = ({ paused, running }: Lane): string | number => {
  const works = paused.filter((task) => running.some(({ task_id }) => task_id === task.task_id)).length;
  return works === 0 ? paused.length : `${paused.length} (${works} running)`;
};

const waitingBehind = ({ waiting, active_task }: Lane): Lane["waiting"] =>
  waiting.filter(({ task_id }) => task_id === null || task_id !== active_task?.task_id);

/** `2 active-task, 1 freeze` */
const reasonsOf = (lane: Lane): string => {
  const counts = new Map<string, number>();
  for (const { reason } of waitingBehind(lane))
    counts.set(reason ?? "can start", (counts.get(reason ?? "can start") ?? 0) + 1);
  return [...counts].map(([reason, count]) => `${count} ${reason}`).join(", ");
};

const jobStyle = ({ active_task }: Lane): Style | undefined => {
  const status = active_task?.job?.status;
  return status === "running" ? "green" : status === "failed" ? "red" : undefined;
};

export const LANE_COLUMNS: readonly Column<NamedLane>[] = [
  { head: "REPO", cell: ({ repo }) => repo },
  { head: "STATE", cell: ({ state }) => state, style: ({ state }) => STATE_STYLE[state] },
  { head: "ACTIVE", cell: ({ active_task }) => active_task && labelOf(active_task) },
  { head: "STAGE", cell: ({ active_task }) => active_task?.stage },
  { head: "JOB", cell: jobOf, style: jobStyle },
  { head: "WAITING", cell: (lane) => waitingBehind(lane).length },
  { head: "PAUSED", cell: pausedOf },
  { head: "REASONS", cell: reasonsOf, wide: true },
  { head: "TASK", cell: ({ active_task }) => active_task?.task_id, wide: true },
  { head: "JOB ID", cell: ({ active_task }) => active_task?.job?.job_id, wide: true },
  { head: "AGENT", cell: ({ active_task }) => active_task?.job?.agent, wide: true },
  { head: "PROGRESS", cell: ({ active_task }) => active_task?.job?.progress, wide: true },
  { head: "ERROR", cell: ({ active_task }) => active_task?.job?.error, wide: true },
  {
    head: "FREEZES",
    cell: ({ freezes }) => freezes.map(({ freeze_id }) => freeze_id).join(", "),
    wide: true,
  },
];
