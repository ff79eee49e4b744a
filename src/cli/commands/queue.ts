/** serial-gate queue: what every lane does, what waits in it and why. */

import type { Command } from "commander";
import type { Lane, Queue } from "../../contract/queue.ts";
import { example, repeated } from "../arguments.ts";
import { outputOption, print, say, type Answer, type Printed } from "../output/format.ts";
import type { CliContext } from "../context.ts";
import { plain, tableOf, type Column, type Style } from "../output/terminal.ts";
import { connect, refuseUnknownRepo } from "../service.ts";
import { shownTime } from "../output/time.ts";
import { watch } from "../watch.ts";

/** A task of a lane, or one of its waiting jobs; a lane that has neither is a row by itself. */
interface Row {
  readonly repo: string;
  readonly state: "open" | "frozen" | "degraded";
  readonly task_id?: number | null;
  readonly job_id?: number;
  readonly work_item_id?: string | null;
  readonly stage?: string | null;
  readonly place?: string;
  readonly held?: string;
  readonly since?: string | null;
  readonly by?: string | null;
  readonly why?: string | null;
}

const MAY_START = "may start";

const stateOf = (lane: Lane, degraded: boolean): Row["state"] => {
  // What cannot be read counts as frozen, and no one froze it.
  if (lane.frozen) return lane.frozen_at === null && degraded ? "degraded" : "frozen";
  return degraded ? "degraded" : "open";
};

/** The head of the lane, what waits in its order, what is parked; each task once for each of its waiting jobs. */
const rowsOf = (repo: string, lane: Lane, degraded: boolean): Row[] => {
  const state = stateOf(lane, degraded);
  const freeze = lane.frozen ? { since: lane.frozen_at, why: lane.frozen_reason } : {};
  const jobs = [...lane.waiting].sort((a, b) => a.position - b.position);
  const jobsOf = (task_id: number): (Lane["waiting"][number] | undefined)[] => {
    const own = jobs.filter((job) => job.task_id === task_id);
    return own.length > 0 ? own : [undefined];
  };
  const waitingAs = (job: Lane["waiting"][number] | undefined, role: string | undefined): Partial<Row> => ({
    ...(job ? { job_id: job.job_id, held: job.reason ?? MAY_START } : {}),
    place: [role, job && `waiting ${job.position}`].filter((each) => each !== undefined).join(", "),
  });
  const { active_task, paused } = lane;
  const active = active_task
    ? jobsOf(active_task.task_id).map((job): Row => ({
        ...{ repo, state, ...freeze, ...active_task },
        ...waitingAs(job, "active"),
      }))
    : [];
  const parked = paused.flatMap((task) =>
    jobsOf(task.task_id).map((job): Row => ({
      ...{ repo, state, ...task, ...waitingAs(job, "paused") },
      ...{ since: task.paused_at, by: task.paused_by, why: task.pause_reason },
    })),
  );
  const shown = new Set([...active, ...parked].map(({ job_id }) => job_id));
  const waiting = jobs
    .filter(({ job_id }) => !shown.has(job_id))
    .map((job): Row => ({ repo, state, ...freeze, ...job, ...waitingAs(job, undefined) }));
  const rows = [...active, ...waiting, ...parked];
  return rows.length > 0 ? rows : [{ repo, state, ...freeze }];
};

const STATE_STYLE: Readonly<Record<Row["state"], Style>> = {
  open: "green",
  frozen: "red",
  degraded: "magenta",
};

const heldStyle = ({ held }: Row): Style | undefined => {
  if (held === undefined) return undefined;
  return held === MAY_START ? "green" : held === "freeze" ? "red" : "yellow";
};

const COLUMNS: readonly Column<Row>[] = [
  { head: "REPO", cell: ({ repo }) => repo },
  { head: "STATE", cell: ({ state }) => state, style: ({ state }) => STATE_STYLE[state] },
  { head: "WORK ITEM", cell: ({ work_item_id }) => work_item_id },
  { head: "STAGE", cell: ({ stage }) => stage },
  { head: "PLACE", cell: ({ place }) => place },
  { head: "HELD BY", cell: ({ held }) => held, style: heldStyle },
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
            lanes.flatMap(([repo, lane]) => rowsOf(repo, lane, queue.degraded)),
            screen,
            wide,
          ),
  };
};

/** So many are told by themselves. */
const MOST_STUCK = 5;

/** Tasks that nothing moves without a person, a sentence each. */
export const stuckIn = ({ serial_gate: { per_repo } }: Queue): string[] =>
  Object.entries(per_repo).flatMap(([repo, lane]) =>
    lane.stuck.map(({ work_item_id, task_id, because }) =>
      plain(`${work_item_id ?? `task ${task_id}`} in ${repo} cannot go on by itself: ${because}`),
    ),
  );

const stuckWords = (queue: Queue): string[] => {
  const stuck = stuckIn(queue);
  const more = stuck.length - MOST_STUCK;
  return [...stuck.slice(0, MOST_STUCK), ...(more > 0 ? [`${more} more cannot go on by themselves.`] : [])];
};

/** What the lanes do not tell. */
const words = (queue: Queue): string[] => [
  ...stuckWords(queue),
  ...(Object.keys(queue.serial_gate.per_repo).length === 0 ? ["Nothing goes on."] : []),
  ...(queue.degraded
    ? ["The gate is degraded: a part of its database cannot be read, and what is not known counts as frozen."]
    : []),
  ...(queue.serial_gate.enabled
    ? []
    : ["The gate is switched off (SERIAL_GATE_ENABLED): only dependencies hold a job."]),
];

interface Options extends Printed {
  readonly repo?: readonly string[];
  readonly watch?: true;
}

export const queueCommand = (program: Command, around: CliContext): void => {
  program
    .command("queue")
    .description("show every lane: its active task, what waits in it and why, what is parked")
    .option("--repo <repo>", "only this repository; may be repeated", repeated)
    .option("--watch", "show it anew whenever something changes, until ctrl-C")
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate queue --repo acme/web --watch"))
    .action(async ({ repo: repos, watch: watching, output }: Options) => {
      const client = connect(around);
      for (const repo of repos ?? []) await refuseUnknownRepo(client, repo);
      if (watching) {
        await watch(around, client, output, async (signal) => {
          const queue = await client.queue(repos, signal);
          return { ...answerOf(queue), words: words(queue) };
        });
        return;
      }
      const queue = await client.queue(repos);
      await print(around, output, answerOf(queue));
      say(around, ...words(queue));
    });
};
