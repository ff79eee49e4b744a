/** serial-gate queue: the state of every lane, and the reason why each job waits. */

import type { Command } from "commander";
import type { Lane, Queue } from "../../contract/queue.ts";
import { example, repeated } from "../arguments.ts";
import type { CliContext } from "../context.ts";
import { outputOption, print, say, type Answer, type OutputOptions } from "../output/format.ts";
import { labelInRepo } from "../output/label.ts";
import { tableOf, type Column } from "../output/table.ts";
import type { Style } from "../output/terminal.ts";
import { plain } from "../output/text.ts";
import { shownTime } from "../output/time.ts";
import { connect, isInForce, refuseUnknownRepo } from "../service.ts";
import { watch } from "../watch.ts";

type Waiting = Lane["waiting"][number];

/** A waiting job, a task without one, or a lane without tasks. */
interface Row {
  readonly repo: string;
  readonly state: "open" | "frozen" | "frozen (not in force)" | "degraded";
  readonly task_id?: number | null;
  readonly job_id?: number | undefined;
  readonly work_item_id?: string | null;
  readonly stage?: string | null;
  readonly role?: "active" | "waiting" | "paused";
  readonly position?: number | undefined;
  readonly status?: string | undefined;
  readonly since?: string | null;
  readonly by?: string | null;
  readonly why?: string | null;
}

const CAN_START = "can start";

const stateOf = (lane: Lane, degraded: boolean, inForce: boolean): Row["state"] => {
  if (lane.frozen && !inForce) return "frozen (not in force)";
  // Freezes that cannot be read count as frozen, without a time.
  if (lane.frozen) return lane.frozen_at === null && degraded ? "degraded" : "frozen";
  return degraded ? "degraded" : "open";
};

const waitingCells = (job: Waiting | undefined): Partial<Row> =>
  job ? { job_id: job.job_id, position: job.position, status: job.reason ?? CAN_START } : {};

/** The active task, then the waiting jobs in their order, then the paused tasks. A task has a row for each of its
 *  waiting jobs, or one row. */
const rowsOf = (repo: string, lane: Lane, degraded: boolean, inForce: boolean): Row[] => {
  const state = stateOf(lane, degraded, inForce);
  const freeze = lane.frozen ? { since: lane.frozen_at, why: lane.frozen_reason } : {};
  const jobs = [...lane.waiting].sort((a, b) => a.position - b.position);
  const jobsOf = (task_id: number): (Waiting | undefined)[] => {
    const own = jobs.filter((job) => job.task_id === task_id);
    return own.length > 0 ? own : [undefined];
  };
  const active = [lane.active_task ?? []].flat().flatMap((task) =>
    jobsOf(task.task_id).map((job): Row => ({
      ...{ repo, state, role: "active", ...freeze },
      ...task,
      ...waitingCells(job),
    })),
  );
  const paused = lane.paused.flatMap((task) =>
    jobsOf(task.task_id).map((job): Row => ({
      ...{ repo, state, role: "paused" },
      ...{ since: task.paused_at, by: task.paused_by, why: task.pause_reason },
      ...task,
      ...waitingCells(job),
    })),
  );
  const shown = new Set([...active, ...paused].map(({ job_id }) => job_id));
  const waiting = jobs
    .filter(({ job_id }) => !shown.has(job_id))
    .map((job): Row => ({ repo, state, role: "waiting", ...freeze, ...job, ...waitingCells(job) }));
  const rows = [...active, ...waiting, ...paused];
  return rows.length > 0 ? rows : [{ repo, state, ...freeze }];
};

const STATE_STYLE: Readonly<Record<Row["state"], Style>> = {
  open: "green",
  frozen: "red",
  "frozen (not in force)": "yellow",
  degraded: "magenta",
};

const statusStyle = ({ status }: Row): Style | undefined => {
  if (status === undefined) return undefined;
  return status === CAN_START ? "green" : status === "freeze" ? "red" : "yellow";
};

const COLUMNS: readonly Column<Row>[] = [
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

/** The lanes of a queue, by name. */
const answerOf = (queue: Queue): Answer<Lane & { repo: string }> => {
  const lanes = Object.entries(queue.serial_gate.per_repo);
  return {
    response: queue,
    items: lanes.map(([repo, lane]) => ({ repo, ...lane })),
    name: ({ repo }) => repo,
    lines: (screen, wide) =>
      lanes.length === 0
        ? []
        : tableOf(
            COLUMNS,
            lanes.flatMap(([repo, lane]) => rowsOf(repo, lane, queue.degraded, isInForce(queue, repo))),
            screen,
            wide,
          ),
  };
};

const MOST_STUCK = 5;

/** A sentence for each task that nothing moves without a person. */
export const stuckIn = ({ serial_gate: { per_repo } }: Queue): string[] =>
  Object.entries(per_repo).flatMap(([repo, lane]) =>
    lane.stuck.map((task) => plain(`${labelInRepo({ ...task, repo })} is stuck: ${task.because}`)),
  );

const stuckLines = (queue: Queue): string[] => {
  const stuck = stuckIn(queue);
  const more = stuck.length - MOST_STUCK;
  return [
    ...stuck.slice(0, MOST_STUCK),
    ...(more > 0 ? [more === 1 ? "1 more task is stuck." : `${more} more tasks are stuck.`] : []),
  ];
};

/** Notes that stand below the table. */
const notes = (queue: Queue): string[] => [
  ...stuckLines(queue),
  ...(Object.keys(queue.serial_gate.per_repo).length === 0 ? ["No tasks, jobs or freezes."] : []),
  ...(queue.degraded
    ? [
        "Degraded: part of the database cannot be read. A repository counts as frozen while its freezes are unknown.",
      ]
    : []),
  ...(queue.serial_gate.enabled
    ? []
    : ["The gate is switched off (SERIAL_GATE_ENABLED): only dependencies hold jobs."]),
];

interface Options extends OutputOptions {
  readonly repo?: readonly string[];
  readonly watch?: true;
}

export const queueCommand = (program: Command, context: CliContext): void => {
  program
    .command("queue")
    .description("show every lane: its active task, its waiting jobs and their reasons, its paused tasks")
    .option("--repo <repo>", "only this repository; may be repeated", repeated)
    .option("--watch", "redraw on every change (Ctrl-C to stop)")
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate queue --repo acme/web --watch"))
    .action(async ({ repo: repos, watch: isWatched, output }: Options) => {
      const client = connect(context);
      for (const repo of repos ?? []) await refuseUnknownRepo(client, repo);
      if (isWatched) {
        const read = async (signal: AbortSignal) => {
          const queue = await client.queue(repos, signal);
          return { ...answerOf(queue), words: notes(queue) };
        };
        const repo = repos?.length === 1 ? repos[0] : undefined;
        await watch(context, { client, format: output, repo, read });
        return;
      }
      const queue = await client.queue(repos);
      await print(context, output, answerOf(queue));
      say(context, ...notes(queue));
    });
};
