/** serial-gate explain: why a work item does not start, and what to type. For a person at three in the morning. */

import type { Command } from "commander";
import type { Effect } from "../../contract/effect.ts";
import type { ExplainedJob, Explanation, Obstacle } from "../../contract/explanation.ts";
import type { Job } from "../../contract/jobs.ts";
import { isTerminal } from "../../contract/vocabulary.ts";
import { example } from "../arguments.ts";
import { effectLines } from "../output/effect.ts";
import { outputOption, print, say, type Printed } from "../output/format.ts";
import type { CliContext } from "../context.ts";
import { plain, type Screen } from "../output/terminal.ts";
import { about, connect } from "../service.ts";
import { shownTime, since } from "../output/time.ts";

const nameOf = ({ task }: Explanation): string => `${task.work_item_id ?? `task ${task.id}`} in ${task.repo}`;

/** The job that the verdict is about: one that is held, else the one that is furthest on. */
const foremost = (jobs: readonly ExplainedJob[]): ExplainedJob | undefined =>
  (["queued", "running", "delayed", "failed"] as const)
    .flatMap((status) => jobs.filter((job) => job.status === status))
    .sort((a, b) => Number(b.reason !== null) - Number(a.reason !== null))[0];

const VERDICTS: Partial<Readonly<Record<Job["status"], string>>> = {
  queued: "may start now: the next claim hands it out",
  running: "has started",
  delayed: "went wrong and is tried again later",
  failed: "has failed, and nothing tries it again by itself",
};

/** One line: what the matter is. */
const verdict = (explanation: Explanation, { paint }: Screen): string => {
  const { task, stuck } = explanation;
  const name = plain(nameOf(explanation));
  const job = foremost(explanation.jobs);
  if (isTerminal(task.stage)) return `${name} is ${task.stage}.`;
  if (!job) return `${name} has no job that waits (${plain(task.stage)}).`;
  if (job.reason === null)
    return paint(job.status === "failed" ? "red" : "green", `${name} ${VERDICTS[job.status] ?? job.status}.`);
  const reasons = [...new Set(job.reasons.map(({ reason }) => reason))].join(", ");
  return paint(stuck ? "red" : "yellow", `${name} ${stuck ? "is stuck" : "waits"}: ${reasons}.`);
};

/** Where the job stands, and when it may start. */
const placeOf = ({
  job_id,
  agent,
  status,
  position,
  estimate: { p50, p90, unavailable },
}: ExplainedJob): string =>
  [
    `job ${job_id} (${agent}) is ${status}`,
    ...(position === null ? [] : [`position ${position}`]),
    ...(p50 !== null ? [`may start ${since(p50)}`] : []),
    ...(p90 !== null ? [`most likely by ${shownTime(p90)}`] : []),
    ...(p50 === null && unavailable !== null && status === "queued" ? [`no estimate: ${unavailable}`] : []),
  ].join(", ");

/** What the job of a task that is in the way does, and who does it. */
const jobLine = ({ id, agent, status, lease, started_at, error }: Job): string =>
  [
    `its job ${id} (${agent}) is ${status}`,
    ...(lease === null ? [] : [`at ${lease.worker ?? "an unnamed worker"}`]),
    ...(started_at === null || status !== "running" ? [] : [`since ${since(started_at)}`]),
    ...(error === null ? [] : [`: ${error}`]),
  ]
    .join(" ")
    .replace(" : ", ": ");

/** What a way out comes to; one that leaves other reasons frees nothing by itself. */
const comesOf = (effect: Effect | null, screen: Screen): string[] => {
  const lines = effectLines(effect, screen);
  return lines.length === 0 && effect !== null
    ? [screen.paint("dim", "not enough by itself: no job may start for it")]
    : lines;
};

const indented = (lines: readonly string[], by: string): string[] => lines.map((line) => by + line);

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
        : [plain(`${from === null ? "" : `since ${since(from)}`}${by === null ? "" : ` by ${by}`}`)]),
      ...blocker.jobs.map((job) => plain(jobLine(job))),
      ...fix.flatMap(({ command, effect }) => [
        `to free it:  ${screen.paint("bold", plain(command))}`,
        ...indented(comesOf(effect, screen), "             "),
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
  const { jobs, stuck, stuck_because } = explanation;
  const chain = chainLines(explanation);
  const head = [
    verdict(explanation, screen),
    ...(stuck && stuck_because !== null ? [screen.paint("red", plain(stuck_because))] : []),
  ];
  if (isTerminal(explanation.task.stage)) return head;
  const isHeld = jobs.some(({ reasons }) => reasons.length > 0);
  // One step that is none of the gate's reasons says what the task itself does.
  if (!isHeld && chain.length === 1)
    return stuck ? head : [...head, ...explanation.chain.map(({ on }) => `  ${plain(on)}`)];
  return [
    ...head,
    ...jobs.flatMap((job) => [
      `  ${plain(placeOf(job))}`,
      ...job.reasons.flatMap((obstacle, index) => ["", ...obstacleLines(obstacle, index + 1, screen)]),
    ]),
    ...(chain.length > 0 ? ["", screen.paint("bold", "down to the root:"), ...indented(chain, "   ")] : []),
  ];
};

export const explainCommand = (program: Command, around: CliContext): void => {
  program
    .command("explain")
    .description("say why a work item does not start, what holds it, and what to type to free it")
    .argument("<work-item>", "a work item")
    .option("--repo <repo>", "the repository, where several have the work item")
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate explain WEB-8"))
    .action(async (work_item: string, { repo, output }: Printed & { readonly repo?: string }) => {
      const client = connect(around);
      const query = { work_item, ...(repo === undefined ? {} : { repo }) };
      const explanation = await about(client, query, () => client.explain(query));
      await print(around, output, {
        response: explanation,
        items: explanation.jobs,
        name: ({ job_id }) => job_id,
        lines: (screen) => linesOf(explanation, screen),
      });
      if (explanation.degraded)
        say(
          around,
          "The gate is degraded: a part of its database cannot be read, and this is what it knows.",
        );
    });
};
