/** serial-gate queue: the state of every lane, one line each, or a row for each waiting job with its reason. */

import { Option, type Command } from "commander";
import type { Queue } from "../../../contract/queue.ts";
import { REASONS, type Reason } from "../../../contract/vocabulary.ts";
import { example, repeated } from "../../arguments.ts";
import type { CliContext } from "../../context.ts";
import { outputOption, print, say, type Answer, type OutputOptions } from "../../output/format.ts";
import { labelInRepo } from "../../output/label.ts";
import { tableOf } from "../../output/table.ts";
import { plain } from "../../output/text.ts";
import { connect, refuseUnknownRepo } from "../../service.ts";
import { watch } from "../../watch.ts";
import { LANE_COLUMNS, lanesOf, type NamedLane } from "./lanes.ts";
import { ROW_COLUMNS, rowsOf } from "./rows.ts";

interface View {
  readonly all?: true;
  readonly frozen?: true;
  readonly stuck?: true;
  readonly heldBy?: Reason;
}

const isChosen =
  ({ frozen, stuck, heldBy }: View) =>
  (lane: NamedLane): boolean =>
    (!frozen || lane.frozen || lane.freezes.length > 0) &&
    (!stuck || lane.stuck.length > 0) &&
    (heldBy === undefined || lane.waiting.some(({ reason }) => reason === heldBy));

/** The lanes of a queue that the view chooses. */
const answerOf = (queue: Queue, view: View): Answer<NamedLane> => {
  const lanes = lanesOf(queue);
  const chosen = lanes.filter(isChosen(view));
  const names = new Set(chosen.map(({ repo }) => repo));
  const { per_repo, ...gate } = queue.serial_gate;
  const shown = Object.entries(per_repo).filter(([repo]) => names.has(repo));
  return {
    response:
      chosen.length === lanes.length
        ? queue
        : { ...queue, serial_gate: { ...gate, per_repo: Object.fromEntries(shown) } },
    items: chosen,
    name: ({ repo }) => repo,
    lines: (screen, wide) => {
      if (chosen.length === 0) return [];
      if (!view.all) return tableOf(LANE_COLUMNS, chosen, screen, wide);
      const rows = chosen
        .flatMap(rowsOf)
        .filter(({ reason }) => view.heldBy === undefined || reason === view.heldBy);
      return tableOf(ROW_COLUMNS, rows, screen, wide);
    },
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
const notes = (queue: Queue, shown: number): string[] => [
  ...stuckLines(queue),
  ...(Object.keys(queue.serial_gate.per_repo).length === 0
    ? ["No tasks, jobs or freezes."]
    : shown === 0
      ? ["No matching lanes."]
      : []),
  ...(queue.degraded
    ? [
        "Degraded: part of the database cannot be read. A repository counts as frozen while its freezes are unknown.",
      ]
    : []),
  ...(queue.serial_gate.enabled
    ? []
    : ["The gate is switched off (SERIAL_GATE_ENABLED): only dependencies hold jobs."]),
];

interface Options extends OutputOptions, View {
  readonly repo?: readonly string[];
  readonly watch?: true;
}

export const queueCommand = (program: Command, context: CliContext): void => {
  program
    .command("queue")
    .description(
      "show every lane in a line: its active task, that task's job, and how many wait; trouble first",
    )
    .option("--repo <repo>", "only this repository; may be repeated", repeated)
    .option("--all", "a row for each waiting job with its reason, and for each paused task")
    .option("--frozen", "only frozen repositories")
    .option("--stuck", "only lanes with a task that is stuck")
    .addOption(new Option("--held-by <reason>", "only lanes with a job held by this reason").choices(REASONS))
    .option("--watch", "redraw on every change (Ctrl-C to stop)")
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate queue", "serial-gate queue --repo acme/web --all --watch"))
    .action(async ({ repo: repos, watch: isWatched, output, ...view }: Options) => {
      const client = connect(context);
      for (const repo of repos ?? []) await refuseUnknownRepo(client, repo);
      const viewOf = (queue: Queue) => {
        const answer = answerOf(queue, view);
        return { ...answer, words: notes(queue, answer.items.length) };
      };
      if (isWatched) {
        const read = async (signal: AbortSignal) => viewOf(await client.queue(repos, signal));
        const repo = repos?.length === 1 ? repos[0] : undefined;
        await watch(context, { client, format: output, repo, read });
        return;
      }
      const answer = viewOf(await client.queue(repos));
      await print(context, output, answer);
      say(context, ...answer.words);
    });
};
