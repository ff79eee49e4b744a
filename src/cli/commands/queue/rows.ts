/** The queue as a row for each waiting job, for each running job that waits for nothing, and for each other task or lane
 *  that is shown. */

import type { Lane } from "../../../contract/queue.ts";
import type { Column } from "../../output/table.ts";
import type { Style } from "../../output/terminal.ts";
import { phrase } from "../../output/text.ts";
import { shownTime } from "../../output/time.ts";
import { jobOf, STATE_STYLE, workerOf, type NamedLane, type State } from "./lanes.ts";

type Waiting = Lane["waiting"][number];
type Running = Lane["running"][number];

interface Row {
  readonly repo: string;
  readonly state: State;
  readonly task_id?: number | null;
  readonly job_id?: number | undefined;
  readonly work_item_id?: string | null;
  readonly stage?: string | null;
  readonly role?: "active" | "waiting" | "paused" | "running";
  readonly position?: number | undefined;
  readonly status?: string | undefined;
  /** The reason that holds the waiting job of the row; null for one that can start. */
  readonly reason?: string | null;
  readonly since?: string | null;
  readonly by?: string | null;
  readonly why?: string | null;
}

const CAN_START = "can start";

const runningCells = (job: Running): Partial<Row> => ({
  job_id: job.job_id,
  status: phrase(["running", workerOf(job)]),
});

const waitingCells = ({ job_id, position, reason }: Waiting): Partial<Row> => ({
  job_id,
  position,
  reason,
  status: reason ?? CAN_START,
});

/** The active task, then the waiting jobs in their order, then the paused tasks, then the running jobs of any other
 *  task. A task has a row for each of its waiting and running jobs, or one row. */
export const rowsOf = (lane: NamedLane): Row[] => {
  const { repo, state } = lane;
  const newest = lane.freezes.at(-1);
  const freeze = newest ? { since: newest.frozen_at, by: newest.by, why: newest.reason } : {};
  const waiting = [...lane.waiting].sort((a, b) => a.position - b.position);
  const cellsOf = (task_id: number, none: Partial<Row>): Partial<Row>[] => {
    const own = [
      ...lane.running.filter((job) => job.task_id === task_id).map(runningCells),
      ...waiting.filter((job) => job.task_id === task_id).map(waitingCells),
    ];
    return own.length > 0 ? own : [none];
  };
  const { active_task } = lane;
  const active =
    active_task === null
      ? []
      : cellsOf(active_task.task_id, {
          job_id: active_task.job?.job_id,
          status: jobOf({ ...lane, running: [] }),
        }).map((cells): Row => {
          const { task_id, work_item_id, stage } = active_task;
          return { repo, state, role: "active", task_id, work_item_id, stage, ...freeze, ...cells };
        });
  const paused = lane.paused.flatMap((task) =>
    cellsOf(task.task_id, {}).map((cells): Row => {
      const { task_id, work_item_id, stage, paused_at: since, paused_by: by, pause_reason: why } = task;
      return { repo, state, role: "paused", task_id, work_item_id, stage, since, by, why, ...cells };
    }),
  );
  const shown = new Set([...active, ...paused].map(({ job_id }) => job_id));
  const isLeft = ({ job_id }: { readonly job_id: number }): boolean => !shown.has(job_id);
  const others = waiting.filter(isLeft).map((job): Row => {
    const { task_id, work_item_id, stage } = job;
    return { repo, state, role: "waiting", task_id, work_item_id, stage, ...freeze, ...waitingCells(job) };
  });
  const beside = lane.running.filter(isLeft).map((job): Row => {
    const { task_id, work_item_id, since } = job;
    return { repo, state, role: "running", task_id, work_item_id, since, ...runningCells(job) };
  });
  const rows = [...active, ...others, ...paused, ...beside];
  return rows.length > 0 ? rows : [{ repo, state, ...freeze }];
};

const statusStyle = ({ status, reason }: Row): Style | undefined => {
  if (reason === "freeze") return "red";
  if (reason) return "yellow";
  return status === CAN_START || status?.startsWith("running") ? "green" : undefined;
};

export const ROW_COLUMNS: readonly Column<Row>[] = [
  { head: "REPO", cell: ({ repo }) => repo },
  { head: "STATE", cell: ({ state }) => state, style: ({ state }) => STATE_STYLE[state] },
  { head: "WORK ITEM", cell: ({ work_item_id }) => work_item_id },
  { head: "STAGE", cell: ({ stage }) => stage },
  { head: "ROLE", cell: ({ role }) => role },
  { head: "POSITION", cell: ({ position }) => position },
  { head: "STATUS", cell: ({ status }) => status, style: statusStyle },
  { head: "TASK", cell: ({ task_id }) => task_id, wide: true },
  { head: "JOB", cell: ({ job_id }) => job_id, wide: true },
  { head: "SINCE", cell: ({ since }) => (since ? shownTime(since) : null), wide: true },
  { head: "WHO", cell: ({ by }) => by, wide: true },
  { head: "WHY", cell: ({ why }) => why, wide: true },
];
