/** serial-gate pause and resume: a task steps out of its lane's way, and back. */

import type { Command } from "commander";
import { ProblemError, type Client } from "../../client/client.ts";
import type { LanePauseState, PauseNote, PauseState } from "../../contract/operations.ts";
import { example } from "../arguments.ts";
import { confirm, yesOption } from "../confirm.ts";
import { changeLines, dryRunOption, sayTrial } from "../output/effect.ts";
import { describeError } from "../output/errors.ts";
import { EXIT, ExitError } from "../output/exit-codes.ts";
import { outputOption, print, say, type Format, type Printed } from "../output/format.ts";
import type { CliContext } from "../context.ts";
import { listed } from "../output/terminal.ts";
import { about, connect, noteOf, refuseUnknownRepo } from "../service.ts";
import { instant, shownTime } from "../output/time.ts";

interface Options extends Printed {
  readonly repo?: string;
  readonly all?: true;
  readonly reason?: string;
  readonly until?: string;
  readonly dryRun?: true;
  readonly yes?: true;
}

/** The two directions. */
interface Verb {
  readonly name: "pause" | "resume";
  readonly one: (
    client: Client,
    query: { work_item: string; repo?: string; dry_run?: true },
    note: PauseNote,
  ) => Promise<PauseState>;
  readonly lane: (
    client: Client,
    query: { repo: string; dry_run?: true },
    note: PauseNote,
  ) => Promise<LanePauseState>;
}

const PAUSE: Verb = {
  name: "pause",
  one: (client, query, note) => client.pause(query, note),
  lane: (client, query, note) => client.pauseLane(query, note),
};

const RESUME: Verb = {
  name: "resume",
  one: (client, query, note) => client.resume(query, note),
  lane: (client, query, note) => client.resumeLane(query, note),
};

const nameOf = ({ work_item_id }: { work_item_id: string | null }): string =>
  work_item_id ?? "a task without one";

const sentence = (state: PauseState): string => {
  const who = `${nameOf(state)} in ${state.repo} (${state.stage})`;
  if (state.paused_at !== null)
    return `${who} is paused since ${shownTime(state.paused_at)}${state.changed ? "" : ", as it was before"}.`;
  return state.changed ? `${who} is back in its lane.` : `${who} was not paused.`;
};

const laneSentence = ({ repo, paused, tasks }: LanePauseState): string => {
  if (tasks.length === 0)
    return paused
      ? `No task of ${repo} was left to pause.`
      : `No task of ${repo} was paused together with others.`;
  const names = listed(tasks.map(nameOf));
  const count = tasks.length === 1 ? "1 task" : `${tasks.length} tasks`;
  return paused ? `${count} of ${repo} paused: ${names}.` : `${count} of ${repo} back in the lane: ${names}.`;
};

const printOne = (around: CliContext, output: Format, state: PauseState): Promise<void> =>
  print(around, output, {
    response: state,
    items: [state],
    name: nameOf,
    lines: (screen) => changeLines(sentence(state), state.effect, screen),
  });

/** Every unfinished task of a repository, or all that were parked together. */
const wholeLane = async (
  around: CliContext,
  { name, lane }: Verb,
  repo: string,
  { dryRun, yes, output, ...note }: Options,
): Promise<void> => {
  const client = connect(around);
  const why = noteOf(around, note);
  const trial = await lane(client, { repo, dry_run: true }, why);
  if (trial.tasks.length === 0) await refuseUnknownRepo(client, repo);
  if (!dryRun && !yes && trial.tasks.length > 1)
    await confirm(
      around,
      `${name === "pause" ? "Pause" : "Resume"} ${trial.tasks.length} tasks of ${repo}: ${listed(trial.tasks.map(nameOf))}?`,
    );
  const state = dryRun ? trial : await lane(client, { repo }, why);
  await print(around, output, {
    response: state,
    items: state.tasks,
    name: nameOf,
    lines: (screen) => changeLines(laneSentence(state), state.effect, screen),
  });
  sayTrial(around, dryRun);
};

/** Each by itself: one that is refused does not keep the others from it. The first refusal is how the verb ends. */
const oneByOne = async (
  around: CliContext,
  { name, one }: Verb,
  workItems: readonly string[],
  { repo, dryRun, yes, output, ...note }: Options,
): Promise<void> => {
  if (workItems.length > 1 && !yes && !dryRun)
    await confirm(
      around,
      `${name === "pause" ? "Pause" : "Resume"} ${workItems.length} tasks: ${listed(workItems)}?`,
    );
  const client = connect(around);
  const why = noteOf(around, note);
  let ended: number | undefined;
  for (const work_item of workItems) {
    const query = {
      work_item,
      ...(repo === undefined ? {} : { repo }),
      ...(dryRun ? { dry_run: dryRun } : {}),
    };
    try {
      await printOne(around, output, await about(client, query, () => one(client, query, why)));
    } catch (error) {
      if (workItems.length === 1 || !(error instanceof ProblemError || error instanceof ExitError))
        throw error;
      const { words, exit } = describeError(error, [name, work_item], around);
      say(around, ...words);
      ended ??= exit;
    }
  }
  sayTrial(around, dryRun);
  if (ended !== undefined) throw new ExitError(ended, "");
};

const run = (
  around: CliContext,
  verb: Verb,
  workItems: readonly string[],
  options: Options,
): Promise<void> => {
  const { repo, all } = options;
  if (all && repo !== undefined && workItems.length === 0) return wholeLane(around, verb, repo, options);
  if (all || workItems.length === 0)
    throw new ExitError(
      EXIT.usage,
      `Say which: \`serial-gate ${verb.name} WORK_ITEM\`, or \`serial-gate ${verb.name} --repo REPO --all\`.`,
    );
  return oneByOne(around, verb, workItems, options);
};

export const pauseCommands = (program: Command, around: CliContext): void => {
  program
    .command("pause")
    .description("park tasks: later ones of their repository may overtake them")
    .argument("[work-item...]", "work items")
    .option("--repo <repo>", "the repository, where several have the work item")
    .option("--all", "with --repo: every unfinished task of it")
    .option("--reason <text>", "why, for people to read")
    .option("--until <time>", "resume by itself: 30m from now, or a time in ISO 8601", instant)
    .addOption(dryRunOption())
    .addOption(yesOption())
    .addOption(outputOption())
    .addHelpText("after", example('serial-gate pause WEB-7 --reason "waits for a human" --until 2h'))
    .action((workItems: string[], options: Options) => run(around, PAUSE, workItems, options));
  program
    .command("resume")
    .description("take parked tasks back into their lanes")
    .argument("[work-item...]", "work items")
    .option("--repo <repo>", "the repository, where several have the work item")
    .option("--all", "with --repo: all that were parked together")
    .option("--reason <text>", "why, for people to read")
    .addOption(dryRunOption())
    .addOption(yesOption())
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate resume WEB-7"))
    .action((workItems: string[], options: Options) => run(around, RESUME, workItems, options));
};
