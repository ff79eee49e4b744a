/** serial-gate pause and resume: lets later tasks of a repository overtake a task, and ends that. */

import type { Command } from "commander";
import { ProblemError, type Client } from "../../client/client.ts";
import type { LanePauseState, PauseNote, PauseState, ResumeNote } from "../../contract/operations.ts";
import type { OneTaskQuery } from "../../contract/scalars.ts";
import { advisedCommand } from "../../contract/shell.ts";
import { example, idOption, reasonOption, repoOption, selectedTask, type TaskOptions } from "../arguments.ts";
import { confirm, yesOption } from "../confirm.ts";
import type { CliContext } from "../context.ts";
import { changeLines, dryRunOption, notInForceLines, sayDryRun } from "../output/effect.ts";
import { describeError } from "../output/errors.ts";
import { EXIT, ExitError } from "../output/exit-codes.ts";
import { outputOption, print, say, type OutputOptions } from "../output/format.ts";
import { labelInRepo, labelOf, nameOf } from "../output/label.ts";
import { countOf, harmless, listed, plain } from "../output/text.ts";
import { instant, shownTime } from "../output/time.ts";
import { connect, noteOf, suggestingWorkItems, unknownRepoLines } from "../service.ts";

interface Options extends OutputOptions, TaskOptions {
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
    query: OneTaskQuery & { dry_run?: true | undefined },
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

/** The limits of a pause: it is not in force, or the task's own entry job can still start. */
const limitLines = (state: PauseState, dryRun: true | undefined): string[] => {
  if (!state.paused) return [];
  const claimable = `The entry job of ${labelOf(state)} has not started: it can still be claimed.`;
  return [...notInForceLines(state, dryRun), ...(state.still_claimable ? [plain(claimable)] : [])].map(
    (line) => `  ${line}`,
  );
};

/** Says which tasks a change of a whole lane starts. */
const consequence = ({ repo, paused, effect }: LanePauseState): string => {
  const started = new Set(effect.now_claimable.map(({ task_id, job_id }) => task_id ?? `job ${job_id}`)).size;
  if (started === 0)
    return effect.cut
      ? "None of the first waiting jobs starts because of it; not all were looked at."
      : "Nothing starts because of it.";
  const count = `${effect.cut ? "at least " : ""}${countOf(started, "task")}`;
  const start = `This lets ${count} of ${repo} start${started > 1 ? " at once" : ""}.`;
  const freeze = harmless(advisedCommand({ verb: ["freeze"], operands: [repo] }));
  return paused ? `${start} To keep the repository still instead: ${freeze}.` : start;
};

const laneSentence = ({ repo, paused, changed, tasks }: LanePauseState, dryRun: true | undefined): string => {
  if (tasks.length === 0)
    return paused
      ? `No task of ${repo} was left to pause.`
      : `No task of ${repo} was paused together with others.`;
  const names = listed(tasks.map(labelOf), changed);
  const count = `${countOf(changed, "task")} of ${repo}`;
  return `${count} ${dryRun ? "would be " : ""}${paused ? "paused" : "back in the lane"}: ${names}.`;
};

/** Where the answer of a resume goes; nothing without one. */
const answerLines = (answer: string | undefined, tasks: number, dryRun: true | undefined): string[] => {
  if (answer === undefined || tasks === 0) return [];
  const job = tasks === 1 ? "The task's next claimed job" : "The next claimed job of each task";
  return [`  ${job} ${dryRun ? "would get" : "gets"} the answer.`];
};

/** The tasks that were paused one by one, which a resume of the repository leaves alone, and how to resume each. */
const pausedAlone = async (client: Client, repo: string): Promise<string[]> => {
  const { paused = [] } = (await client.queue([repo])).serial_gate.per_repo[repo] ?? {};
  const commands = paused.map(({ task_id, work_item_id }) =>
    harmless(
      work_item_id === null
        ? advisedCommand({ verb: ["resume"], options: { id: task_id } })
        : advisedCommand({ verb: ["resume"], options: { repo }, operands: [work_item_id] }),
    ),
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
  if (trial.tasks.length === 0 && !trial.known)
    throw new ExitError(EXIT.notFound, ...unknownRepoLines(repo, trial));
  if (!dryRun && !yes && trial.tasks.length > 1) {
    say(context, plain(consequence(trial)));
    const tasks = listed(trial.tasks.map(labelOf));
    await confirm(context, `${title} ${trial.tasks.length} tasks of ${repo}: ${tasks}?`);
  }
  const state = dryRun ? trial : await lane(client, { repo }, why);
  await print(context, output, {
    response: state,
    items: state.tasks,
    name: ({ task_id }) => nameOf("task", task_id),
    lines: (screen) => [
      ...changeLines(laneSentence(state, dryRun), { effect: state.effect, dryRun }, screen),
      ...answerLines(note.answer, state.changed, dryRun),
      ...(state.paused ? notInForceLines(state, dryRun).map((line) => `  ${line}`) : []),
    ],
  });
  if (!state.paused && state.tasks.length === 0) say(context, ...(await pausedAlone(client, repo)));
  sayDryRun(context, dryRun);
  if (state.paused && !state.in_force) throw new ExitError(EXIT.refused, "");
};

/** Pauses or resumes each task by itself. A refusal of one does not stop the others; the first refusal's exit code is
 *  the verb's. */
const oneByOne = async (
  context: CliContext,
  { name, title, one }: Verb,
  workItems: readonly (string | undefined)[],
  { repo, id, dryRun, yes, output, ...note }: Options,
): Promise<void> => {
  const selected = workItems.map((workItem) => selectedTask(name, workItem, { repo, id }));
  if (workItems.length > 1 && !yes && !dryRun)
    await confirm(context, `${title} ${workItems.length} tasks: ${listed(workItems.map(String))}?`);
  const client = connect(context);
  const why = { ...noteOf(context, note), answer: note.answer };
  let refused: number | undefined;
  for (const task of selected) {
    const query = { ...task, dry_run: dryRun };
    try {
      const state = await suggestingWorkItems(client, query, () => one(client, query, why));
      await print(context, output, {
        response: state,
        items: [state],
        name: ({ task_id }) => nameOf("task", task_id),
        lines: (screen) => [
          ...changeLines(taskSentence(state, dryRun), { effect: state.effect, dryRun }, screen),
          ...answerLines(note.answer, 1, dryRun),
          ...limitLines(state, dryRun),
        ],
      });
      if (state.paused && !state.in_force) refused ??= EXIT.refused;
    } catch (error) {
      if (workItems.length === 1 || !(error instanceof ProblemError || error instanceof ExitError))
        throw error;
      const { work_item = "" } = task;
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
  const { repo, all, id } = options;
  if (all && repo !== undefined && workItems.length === 0 && id === undefined)
    return wholeLane(context, verb, repo, options);
  if (all || (workItems.length === 0 && id === undefined))
    throw new ExitError(
      EXIT.usage,
      `Name work items (\`serial-gate ${verb.name} WORK_ITEM\`), a task id (\`serial-gate ${verb.name} --id TASK\`) or a repository (\`serial-gate ${verb.name} --repo REPO --all\`).`,
    );
  if (workItems.length === 0) return oneByOne(context, verb, [undefined], options);
  return oneByOne(context, verb, workItems, options);
};

export const pauseCommands = (program: Command, context: CliContext): void => {
  program
    .command("pause")
    .description("pause tasks, so that later tasks of their repository can overtake them")
    .argument("[work-item...]", "work items")
    .addOption(repoOption())
    .addOption(idOption())
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
    .addOption(idOption())
    .option("--all", "every task that was paused with --all (needs --repo)")
    .option("--answer <text>", "answer for the workers of the task: its next claim hands it out")
    .addOption(reasonOption())
    .addOption(dryRunOption())
    .addOption(yesOption())
    .addOption(outputOption())
    .addHelpText("after", example('serial-gate resume WEB-7 --answer "use the second design"'))
    .action((workItems: string[], options: Options) => run(context, RESUME, workItems, options));
};
