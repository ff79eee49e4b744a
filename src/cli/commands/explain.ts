/** serial-gate explain: why a work item does not start, and the commands that free it. */

import type { Command } from "commander";
import type { Effect } from "../../contract/effect.ts";
import type { ExplainedJob, Explanation, Obstacle } from "../../contract/explanation.ts";
import type { Job } from "../../contract/jobs.ts";
import { isTerminal } from "../../contract/vocabulary.ts";
import { example, idOption, repoOption, selectedTask, type TaskOptions } from "../arguments.ts";
import type { CliContext } from "../context.ts";
import { effectLines } from "../output/effect.ts";
import { outputOption, print, say, type OutputOptions } from "../output/format.ts";
import { labelInRepo } from "../output/label.ts";
import type { Screen } from "../output/terminal.ts";
import { harmless, phrase, plain } from "../output/text.ts";
import { shownTime, since } from "../output/time.ts";
import { connect, suggestingWorkItems } from "../service.ts";

/** The job that the verdict is about: a held one if there is one, else the one that is furthest on. */
const foremost = (jobs: readonly ExplainedJob[]): ExplainedJob | undefined =>
  (["queued", "running", "delayed", "failed"] as const)
    .flatMap((status) => jobs.filter((job) => job.status === status))
    .sort((a, b) => Number(b.reason !== null) - Number(a.reason !== null))[0];

const VERDICTS: Partial<Readonly<Record<Job["status"], string>>> = {
  queued: "can start now: the next claim hands it out",
  running: "has started",
  delayed: "failed and will be retried",
  failed: "has failed and will not be retried automatically",
};

/** The state of the work item in one line. */
const verdict = (explanation: Explanation, { paint }: Screen): string => {
  const { task, stuck } = explanation;
  const label = plain(labelInRepo(task));
  const job = foremost(explanation.jobs);
  if (isTerminal(task.stage)) return `${label} is ${task.stage}.`;
  if (!job) return `${label} has no waiting job (in ${plain(task.stage)}).`;
  if (job.reason === null)
    return paint(
      job.status === "failed" ? "red" : "green",
      `${label} ${VERDICTS[job.status] ?? job.status}.`,
    );
  const reasons = [...new Set(job.reasons.map(({ reason }) => reason))].join(", ");
  return paint(stuck ? "red" : "yellow", `${label} ${stuck ? "is stuck" : "waits"}: ${reasons}.`);
};

/** A job's status, its position in the lane and its estimated start. */
const placeOf = ({
  job_id,
  agent,
  status,
  position,
  estimate: { p50, p90, unavailable },
}: ExplainedJob): string =>
  [
    `job ${job_id} (${agent}) is ${status}`,
    position !== null && `position ${position}`,
    p50 !== null && `expected to start ${since(p50)}`,
    p90 !== null && `very likely by ${shownTime(p90)}`,
    p50 === null && unavailable !== null && status === "queued" && `no estimate: ${unavailable}`,
  ]
    .filter((part) => part !== false)
    .join(", ");

/** A job of the blocking task: its state, its worker, its error. */
const jobLine = ({ id, agent, status, lease, started_at, error }: Job): string => {
  const job = `job ${id} (${agent})`;
  switch (status) {
    case "running":
      return phrase([
        `${job} has been running`,
        lease !== null && `on ${lease.worker ?? "an unnamed worker"}`,
        started_at !== null && `since ${since(started_at)}`,
      ]);
    case "failed":
      return phrase([`${job} failed`], error);
    case "delayed":
      return phrase([`${job} failed and will be retried`], error);
    default:
      return `${job} is ${status}`;
  }
};

/** The effect of a fix. A fix that leaves other reasons starts nothing by itself. */
const fixEffect = (effect: Effect | null, screen: Screen): string[] => {
  const lines = effectLines(effect, screen, true);
  return lines.length === 0 && effect !== null
    ? [screen.paint("dim", "This alone would start nothing.")]
    : lines;
};

const indented = (lines: readonly string[], by: string): string[] => lines.map((line) => by + line);

const TO_FREE_IT = "to free it:  ";

const obstacleLines = (
  { reason, since: from, by, detail, blocker, fix }: Obstacle,
  number: number,
  screen: Screen,
): string[] => [
  `${number}. ${screen.paint("bold", reason)}: ${plain(detail)}`,
  ...indented(
    [
      ...(from === null && by === null
        ? []
        : [plain(phrase([from !== null && `since ${since(from)}`, by !== null && `by ${by}`]))]),
      ...blocker.jobs.map((job) => plain(jobLine(job))),
      ...fix.flatMap(({ command, effect }) => [
        `${TO_FREE_IT}${screen.paint("bold", harmless(command))}`,
        ...indented(fixEffect(effect, screen), " ".repeat(TO_FREE_IT.length)),
      ]),
    ],
    "   ",
  ),
];

const chainLines = ({ chain }: Explanation): string[] =>
  chain.map(({ work_item_id, repo, reason, on }) =>
    plain(`${work_item_id ?? "a task"} in ${repo}: ${reason}, on ${on}`),
  );

const linesOf = (explanation: Explanation, screen: Screen): string[] => {
  const { jobs, stuck, stuck_because, not_in_force } = explanation;
  const chain = chainLines(explanation);
  const head = [
    verdict(explanation, screen),
    ...(stuck && stuck_because !== null ? [screen.paint("red", plain(stuck_because))] : []),
    ...(not_in_force === null ? [] : [screen.paint("yellow", plain(not_in_force))]),
  ];
  if (isTerminal(explanation.task.stage)) return head;
  const isHeld = jobs.some(({ reasons }) => reasons.length > 0);
  // A chain of one step without a reason of the gate says what the task itself does.
  if (!isHeld && chain.length === 1)
    return stuck ? head : [...head, ...explanation.chain.map(({ on }) => `  ${plain(on)}`)];
  return [
    ...head,
    ...jobs.flatMap((job) => [
      `  ${plain(placeOf(job))}`,
      ...job.reasons.flatMap((obstacle, index) => ["", ...obstacleLines(obstacle, index + 1, screen)]),
    ]),
    ...(chain.length > 0 ? ["", screen.paint("bold", "Cause chain:"), ...indented(chain, "   ")] : []),
  ];
};

export const explainCommand = (program: Command, context: CliContext): void => {
  program
    .command("explain")
    .description("explain why a work item does not start, what holds it and which command frees it")
    .argument("[work-item]", "work item")
    .addOption(repoOption())
    .addOption(idOption())
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate explain WEB-8"))
    .action(async (workItem: string | undefined, { output, ...named }: OutputOptions & TaskOptions) => {
      const client = connect(context);
      const query = selectedTask("explain", workItem, named);
      const explanation = await suggestingWorkItems(client, query, () => client.explain(query));
      await print(context, output, {
        response: explanation,
        items: explanation.jobs,
        name: ({ job_id }) => job_id,
        lines: (screen) => linesOf(explanation, screen),
      });
      if (explanation.degraded)
        say(context, "Degraded: part of the database cannot be read, so this explanation is incomplete.");
    });
};
