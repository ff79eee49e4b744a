/** serial-gate pause and resume: lets later tasks of a repository overtake a task, and ends that. */

import type { Command } from "commander";
import { ProblemError, type Client } from "../../client/client.ts";
import type { LanePauseState, PauseNote, PauseState, ResumeNote } from "../../contract/operations.ts";
import { advisedCommand } from "../../contract/shell.ts";
import { example, reasonOption, repoOption } from "../arguments.ts";
import { confirm, yesOption } from "../confirm.ts";
import type { CliContext } from "../context.ts";
import { changeLines, dryRunOption, sayDryRun } from "../output/effect.ts";
import { describeError } from "../output/errors.ts";
import { EXIT, ExitError } from "../output/exit-codes.ts";
import { outputOption, print, say, type OutputOptions } from "../output/format.ts";
import { labelInRepo, labelOf } from "../output/label.ts";
import { countOf, harmless, listed } from "../output/text.ts";
import { instant, shownTime } from "../output/time.ts";
import { connect, noteOf, refuseUnknownRepo, suggestingWorkItems } from "../service.ts";

interface Options extends OutputOptions {
  readonly repo?: string;
  readonly all?: true;
  readonly reason?: string;
  readonly until?: string;
  readonly answer?: string;
  readonly dryRun?: true;
  readonly yes?: true;
}

/** The two directions. */
interface Verb {
  readonly name: "pause" | "resume";
  readonly title: "Pause" | "Resume";
  readonly one: (
    client: Client,
    query: { work_item: string; repo?: string | undefined; dry_run?: true | undefined },
    note: PauseNote & ResumeNote,
  ) => Promise<PauseState>;
  readonly lane: (
    client: Client,
    query: { repo: string; dry_run?: true | undefined },
    note: PauseNote & ResumeNote,
  ) => Promise<LanePauseState>;
}

const PAUSE: Verb = {
  name: "pause",
  title: "Pause",
  one: (client, query, note) => client.pause(query, note),
  lane: (client, query, note) => client.pauseLane(query, note),
};

const RESUME: Verb = {
  name: "resume",
  title: "Resume",
  one: (client, query, note) => client.resume(query, note),
  lane: (client, query, note) => client.resumeLane(query, note),
};

const taskSentence = (state: PauseState, dryRun: true | undefined): string => {
  const task = `${labelInRepo(state)} (${state.stage})`;
  if (dryRun && state.changed)
    return `${task} would be ${state.paused_at !== null ? "paused" : "back in its lane"}.`;
  if (state.paused_at !== null)
    return `${task} is paused since ${shownTime(state.paused_at)}${state.changed ? "" : ", as before"}.`;
  return state.changed ? `${task} is back in its lane.` : `${task} was not paused.`;
};

const laneSentence = ({ repo, paused, tasks }: LanePauseState, dryRun: true | undefined): string => {
  if (tasks.length === 0)
    return paused
      ? `No task of ${repo} was left to pause.`
      : `No task of ${repo} was paused together with others.`;
  const names = listed(tasks.map(labelOf));
  const count = `${countOf(tasks.length, "task")} of ${repo}`;
  return `${count} ${dryRun ? "would be " : ""}${paused ? "paused" : "back in the lane"}: ${names}.`;
};

/** The tasks that were paused one by one, which a resume of the repository leaves alone, and how to resume each. */
const pausedAlone = async (client: Client, repo: string): Promise<string[]> => {
  const { paused = [] } = (await client.queue([repo])).serial_gate.per_repo[repo] ?? {};
  const commands = paused.flatMap(({ work_item_id }) =>
    work_item_id === null
      ? []
      : [harmless(advisedCommand({ verb: ["resume"], options: { repo }, operands: [work_item_id] }))],
  );
  return commands.length === 0
    ? []
    : [
        `Paused one by one: ${listed(paused.map(labelOf))}. To resume:`,
        ...commands.map((each) => `  ${each}`),
      ];
};

/** Pauses every unfinished task of a repository, or resumes the tasks that were paused together. */
const wholeLane = async (
  context: CliContext,
  { title, lane }: Verb,
  repo: string,
  { dryRun, yes, output, ...note }: Options,
): Promise<void> => {
  const client = connect(context);
  const why = { ...noteOf(context, note), answer: note.answer };
  const trial = await lane(client, { repo, dry_run: true }, why);
  if (trial.tasks.length === 0) await refuseUnknownRepo(client, repo);
  if (!dryRun && !yes && trial.tasks.length > 1)
    await confirm(
      context,
      `${title} ${trial.tasks.length} tasks of ${repo}: ${listed(trial.tasks.map(labelOf))}?`,
    );
  const state = dryRun ? trial : await lane(client, { repo }, why);
  await print(context, output, {
    response: state,
    items: state.tasks,
    name: labelOf,
    lines: (screen) => changeLines(laneSentence(state, dryRun), { effect: state.effect, dryRun }, screen),
  });
  if (!state.paused && state.tasks.length === 0) say(context, ...(await pausedAlone(client, repo)));
  sayDryRun(context, dryRun);
};

/** Pauses or resumes each task by itself. A refusal of one does not stop the others; the first refusal's exit code is
 *  the verb's. */
const oneByOne = async (
  context: CliContext,
  { name, title, one }: Verb,
  workItems: readonly string[],
  { repo, dryRun, yes, output, ...note }: Options,
): Promise<void> => {
  if (workItems.length > 1 && !yes && !dryRun)
    await confirm(context, `${title} ${workItems.length} tasks: ${listed(workItems)}?`);
  const client = connect(context);
  const why = { ...noteOf(context, note), answer: note.answer };
  let refused: number | undefined;
  for (const work_item of workItems) {
    const query = { work_item, repo, dry_run: dryRun };
    try {
      const state = await suggestingWorkItems(client, query, () => one(client, query, why));
      await print(context, output, {
        response: state,
        items: [state],
        name: labelOf,
        lines: (screen) => changeLines(taskSentence(state, dryRun), { effect: state.effect, dryRun }, screen),
      });
    } catch (error) {
      if (workItems.length === 1 || !(error instanceof ProblemError || error instanceof ExitError))
        throw error;
      const argv = work_item.startsWith("-") ? [name, "--", work_item] : [name, work_item];
      const { lines, exit } = describeError(error, argv, context);
      say(context, ...lines);
      refused ??= exit;
    }
  }
  sayDryRun(context, dryRun);
  if (refused !== undefined) throw new ExitError(refused, "");
};

const run = (
  context: CliContext,
  verb: Verb,
  workItems: readonly string[],
  options: Options,
): Promise<void> => {
  const { repo, all } = options;
  if (all && repo !== undefined && workItems.length === 0) return wholeLane(context, verb, repo, options);
  if (all || workItems.length === 0)
    throw new ExitError(
      EXIT.usage,
      `Name work items (\`serial-gate ${verb.name} WORK_ITEM\`) or a repository (\`serial-gate ${verb.name} --repo REPO --all\`).`,
    );
  return oneByOne(context, verb, workItems, options);
};

export const pauseCommands = (program: Command, context: CliContext): void => {
  program
    .command("pause")
    .description("pause tasks, so that later tasks of their repository can overtake them")
    .argument("[work-item...]", "work items")
    .addOption(repoOption())
    .option("--all", "every unfinished task of the repository (needs --repo)")
    .addOption(reasonOption())
    .option("--until <time>", "resume automatically: 30m from now, or an ISO 8601 time", instant)
    .addOption(dryRunOption())
    .addOption(yesOption())
    .addOption(outputOption())
    .addHelpText("after", example('serial-gate pause WEB-7 --reason "waits for a human" --until 2h'))
    .action((workItems: string[], options: Options) => run(context, PAUSE, workItems, options));
  program
    .command("resume")
    .description("resume paused tasks: they return to their lanes")
    .argument("[work-item...]", "work items")
    .addOption(repoOption())
    .option("--all", "every task that was paused with --all (needs --repo)")
    .option("--answer <text>", "answer for the workers of the task: its next claim hands it out")
    .addOption(reasonOption())
    .addOption(dryRunOption())
    .addOption(yesOption())
    .addOption(outputOption())
    .addHelpText("after", example('serial-gate resume WEB-7 --answer "use the second design"'))
    .action((workItems: string[], options: Options) => run(context, RESUME, workItems, options));
};
