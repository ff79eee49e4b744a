/** serial-gate explain: why a work item does not start, and the commands that free it. */

import type { Command } from "commander";
import type { Effect } from "../../contract/effect.ts";
import type { ExplainedJob, Explanation, Obstacle, Root } from "../../contract/explanation.ts";
import type { Job } from "../../contract/jobs.ts";
import { isTerminal, REASONS } from "../../contract/vocabulary.ts";
import { example, idOption, repoOption, selectedTask, type TaskOptions } from "../arguments.ts";
import type { CliContext } from "../context.ts";
import { effectLines } from "../output/effect.ts";
import { outputOption, print, say, type OutputOptions } from "../output/format.ts";
import { nameOf } from "../output/label.ts";
import type { Screen, Style } from "../output/terminal.ts";
import { countOf, harmless, phrase, plain } from "../output/text.ts";
import { shownTime, since } from "../output/time.ts";
import { connect, suggestingWorkItems } from "../service.ts";

/** The colour of the first line: red needs a person, green moves, yellow waits. */
const colourOf = ({ stuck, jobs, task }: Explanation): Style | undefined => {
  if (stuck) return "red";
  if (jobs.some(({ reason }) => reason !== null)) return "yellow";
  return isTerminal(task.stage) || jobs.length === 0 ? undefined : "green";
};

/** The root causes and the calls that end them, in the service's own words. */
const rootSentences = ({ root, jobs }: Explanation, { paint }: Screen): string[] => {
  const { causes, fix, also } = root;
  const isHeld = jobs.some(({ reason }) => reason !== null);
  const [cause, ...others] = causes.map(({ detail }) => `${plain(detail)}.`);
  const commands = fix?.commands.map((command) => paint("bold", harmless(command))) ?? [];
  const label = wayOutLabel(fix);
  return [
    ...(!isHeld || cause === undefined
      ? []
      : others.length === 0
        ? [`Root cause: ${cause}`]
        : ["Root causes, all of which must end:", ...[cause, ...others].map((each) => `  ${each}`)]),
    ...(commands.length > 1
      ? [label, ...commands.map((command) => `  ${command}`)]
      : commands.map((command) => `${label} ${command}`)),
    ...(typeof fix?.then === "string" ? [`  ${plain(fix.then)}`] : []),
    ...also.map((each) => `Also: ${plain(each)}.`),
  ];
};

const wayOutLabel = (fix: Root["fix"]): string => {
  if (typeof fix?.condition === "string") return `If ${fix.condition}:`;
  return fix && fix.commands.length > 1 ? "To end them:" : "To end it:";
};

/** A job's position in the lane and its estimated start: the last line of the answer. */
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
    p50 === null && unavailable !== null && `no estimate: ${unavailable}`,
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
        lease === null && "without a lease: another program started it",
      ]);
    case "failed":
      return phrase([`${job} failed`], error);
    case "delayed":
      return error === null ? `${job} is delayed` : phrase([`${job} failed and will be retried`], error);
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

const isReason = (reason: string): boolean => (REASONS as readonly string[]).includes(reason);

const chainLines = ({ chain }: Explanation): string[] =>
  chain.map(({ work_item_id, repo, reason, on }) =>
    plain(`${work_item_id ?? "a task"} in ${repo}: ${isReason(reason) ? `${reason}, on ${on}` : on}`),
  );

const linesOf = (explanation: Explanation, screen: Screen): string[] => {
  const { jobs, unlisted_jobs, root, not_in_force } = explanation;
  const colour = colourOf(explanation);
  const headline = plain(root.headline);
  const head = [
    colour === undefined ? headline : screen.paint(colour, headline),
    ...rootSentences(explanation, screen),
    ...(not_in_force === null ? [] : [screen.paint("yellow", plain(not_in_force))]),
  ];
  const held = jobs.filter(({ reasons }) => reasons.length > 0);
  if (held.length === 0) return head;
  return [
    ...head,
    ...held.flatMap((job) => [
      ...(held.length > 1 ? ["", `job ${job.job_id} (${job.agent}):`] : []),
      ...job.reasons.flatMap((obstacle, index) => ["", ...obstacleLines(obstacle, index + 1, screen)]),
    ]),
    "",
    screen.paint("bold", "Cause chain:"),
    ...indented(chainLines(explanation), "   "),
    "",
    ...jobs.map((job) => plain(placeOf(job))),
    ...(unlisted_jobs === undefined ? [] : [`and ${countOf(unlisted_jobs, "more job")} of the task`]),
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
        name: ({ job_id }) => nameOf("job", job_id),
        lines: (screen) => linesOf(explanation, screen),
      });
      if (explanation.degraded)
        say(context, "Degraded: part of the database cannot be read, so this explanation is incomplete.");
    });
};
