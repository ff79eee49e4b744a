/** serial-gate freeze and unfreeze: closes a repository, lists what is closed, and opens it again. */

import type { Command } from "commander";
import type { Client } from "../../client/client.ts";
import type { FreezeState, Unfrozen } from "../../contract/operations.ts";
import type { ActiveFreeze } from "../../contract/queue.ts";
import { example, idOf, reasonOption, repeated } from "../arguments.ts";
import { confirmAtTerminal, hasTerminal, yesOption } from "../confirm.ts";
import type { CliContext } from "../context.ts";
import {
  changeLines,
  dryRunMark,
  dryRunOption,
  isOrWouldBe,
  notInForceLines,
  sayDryRun,
} from "../output/effect.ts";
import { EXIT, ExitError } from "../output/exit-codes.ts";
import { outputOption, print, say, type OutputOptions } from "../output/format.ts";
import { nameOf } from "../output/label.ts";
import { tableOf, type Column } from "../output/table.ts";
import type { Screen } from "../output/terminal.ts";
import { countOf, phrase, plain } from "../output/text.ts";
import { shownTime } from "../output/time.ts";
import { connect, noteOf, refuseUnknownRepo, unknownRepoLines } from "../service.ts";

interface Options extends OutputOptions {
  readonly reason?: string;
  readonly dryRun?: true;
  readonly yes?: true;
}

const freezeSentence = (
  { repo, frozen_at, freeze_id, frozen_reason }: FreezeState,
  dryRun: true | undefined,
): string => {
  const state = dryRun ? "would be frozen" : `is frozen since ${shownTime(frozen_at)} (freeze ${freeze_id})`;
  return `${phrase([repo, state], frozen_reason)}.`;
};

type ListedFreeze = ActiveFreeze & { readonly repo: string };

const COLUMNS: readonly Column<ListedFreeze>[] = [
  { head: "FREEZE", cell: ({ freeze_id }) => freeze_id },
  { head: "REPO", cell: ({ repo }) => repo },
  { head: "SINCE", cell: ({ frozen_at }) => frozen_at && shownTime(frozen_at) },
  { head: "WHO", cell: ({ by }) => by },
  { head: "WORK ITEM", cell: ({ work_item_id }) => work_item_id },
  { head: "WHY", cell: ({ reason }) => reason },
];

const listCommand = (freeze: Command, context: CliContext): void => {
  freeze
    .command("list")
    .description("list the active freezes of every repository, the oldest first")
    .option("--repo <repo>", "only this repository; may be repeated", repeated)
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate freeze list"))
    // `freeze` itself takes -o, also behind the word `list`.
    .action(async (_: unknown, command: Command) => {
      const { repo: repos, output } = command.optsWithGlobals<
        OutputOptions & { readonly repo?: readonly string[] }
      >();
      const client = connect(context);
      for (const repo of repos ?? []) await refuseUnknownRepo(client, repo);
      const { per_repo } = (await client.queue(repos)).serial_gate;
      const freezes = Object.entries(per_repo)
        .flatMap(([repo, lane]) => lane.freezes.map((each) => ({ repo, ...each })))
        .sort((a, b) => a.freeze_id - b.freeze_id);
      await print(context, output, {
        response: { freezes },
        items: freezes,
        name: ({ freeze_id }) => nameOf("freeze", freeze_id),
        lines: (screen, wide) => (freezes.length === 0 ? [] : tableOf(COLUMNS, freezes, screen, wide)),
      });
      if (freezes.length === 0) say(context, "No active freezes.");
    });
};

/** The freeze and its effect; of one that holds nothing, first that it does not. */
const freezeLines = (state: FreezeState, dryRun: true | undefined, screen: Screen): string[] => {
  const [warning] = notInForceLines(state, dryRun);
  if (warning === undefined)
    return changeLines(freezeSentence(state, dryRun), { effect: state.effect, dryRun }, screen);
  const { repo, freeze_id, frozen_at, frozen_reason } = state;
  const freeze = phrase(
    [dryRun ? "a freeze" : `freeze ${freeze_id}`, `of ${repo}`, !dryRun && `since ${shownTime(frozen_at)}`],
    frozen_reason,
  );
  return [`${dryRunMark(dryRun)}${warning}`, `  ${plain(freeze)}`];
};

/** Asks before a repository is frozen that nothing has: its name may be mistyped.
 *  @throws ExitError unless the answer is yes */
const confirmUnknown = async (context: CliContext, client: Client, repo: string): Promise<void> => {
  const lines = unknownRepoLines(repo, await client.freeze(repo, {}, { dry_run: true }), "tasks");
  if (lines.length > 0) await confirmAtTerminal(context, `${lines.join(" ")} Freeze ${repo} all the same?`);
};

const freezeCommand = (program: Command, context: CliContext): void => {
  const freeze = program
    .command("freeze")
    .description("close a repository: none of its tasks starts until somebody unfreezes it")
    .argument("<repo>", "such as acme/web")
    .addOption(reasonOption())
    .option("--work-item <work-item>", "work item whose deploy went wrong")
    .addOption(dryRunOption())
    .addOption(yesOption())
    .addOption(outputOption())
    .addHelpText("after", example('serial-gate freeze acme/web --reason "error rate 4.1%"'))
    .action(async (repo: string, options: Options & { readonly workItem?: string }) => {
      const { reason, workItem: work_item_id, dryRun, yes, output } = options;
      const client = connect(context);
      if (!dryRun && !yes && hasTerminal(context)) await confirmUnknown(context, client, repo);
      const note = { ...noteOf(context, { reason }), work_item_id };
      const state = await client.freeze(repo, note, { dry_run: dryRun });
      await print(context, output, {
        response: state,
        items: [state],
        name: ({ freeze_id }) => (dryRun ? null : nameOf("freeze", freeze_id)),
        lines: (screen) => freezeLines(state, dryRun, screen),
      });
      // An emergency stop is not refused for an unknown name, but the name may be mistyped.
      say(context, ...unknownRepoLines(repo, state, "tasks"));
      sayDryRun(context, dryRun);
      if (!state.in_force) throw new ExitError(EXIT.refused, "");
    });
  listCommand(freeze, context);
};

const unfreezeSentence = ({ repo, frozen, cleared }: Unfrozen, dryRun: true | undefined): string => {
  const state = `${repo} ${isOrWouldBe(dryRun)} ${frozen ? "still frozen" : "open"}`;
  if (cleared === 0) return `${state}: no freeze ${dryRun ? "would be" : "was"} cleared.`;
  return `${state}: ${countOf(cleared, "freeze")} ${dryRun ? "would be " : ""}cleared.`;
};

const freezeLine = ({ freeze_id, frozen_at, frozen_by, reason }: Unfrozen["freezes"][number]): string =>
  plain(
    phrase([
      `freeze ${freeze_id}`,
      frozen_at !== null && `of ${shownTime(frozen_at)}`,
      frozen_by !== null && `by ${frozen_by}`,
      reason !== null && `(${reason})`,
    ]),
  );

const unfreezeCommand = (program: Command, context: CliContext): void => {
  program
    .command("unfreeze")
    .description("clear every freeze of a repository, or one of them")
    .argument("<repo>", "such as acme/web")
    .option("--id <freeze>", "clear this freeze only: one that was added since stays", idOf("freeze"))
    .addOption(reasonOption())
    .addOption(dryRunOption())
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate unfreeze acme/web --id 2"))
    .action(async (repo: string, options: Options & { readonly id?: number }) => {
      const { id, reason, dryRun, output } = options;
      const client = connect(context);
      const unfrozen = await client.unfreeze({ repo, id, dry_run: dryRun }, noteOf(context, { reason }));
      if (unfrozen.cleared === 0 && !unfrozen.frozen && !unfrozen.known)
        throw new ExitError(EXIT.notFound, ...unknownRepoLines(repo, unfrozen));
      if (unfrozen.cleared === 0 && id !== undefined)
        throw new ExitError(
          EXIT.notFound,
          `There is no active freeze ${id} of ${repo}. ${repo} is ${unfrozen.frozen ? "still frozen" : "open"}.`,
        );
      await print(context, output, {
        response: unfrozen,
        items: unfrozen.freezes,
        name: ({ freeze_id }) => nameOf("freeze", freeze_id),
        lines: (screen) => [
          ...changeLines(unfreezeSentence(unfrozen, dryRun), { effect: unfrozen.effect, dryRun }, screen),
          ...unfrozen.freezes.map((freeze) => `  ${freezeLine(freeze)}`),
        ],
      });
      sayDryRun(context, dryRun);
    });
};

export const freezeCommands = (program: Command, context: CliContext): void => {
  freezeCommand(program, context);
  unfreezeCommand(program, context);
};
