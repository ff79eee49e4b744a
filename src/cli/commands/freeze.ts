/** serial-gate freeze and unfreeze: closes a repository, and opens it again. */

import type { Command } from "commander";
import type { Client } from "../../client/client.ts";
import type { FreezeState, Unfrozen } from "../../contract/operations.ts";
import { example, reasonOption, wholeNumber } from "../arguments.ts";
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
import type { Screen } from "../output/terminal.ts";
import { countOf, phrase, plain } from "../output/text.ts";
import { shownTime } from "../output/time.ts";
import { connect, noteOf, unknownRepoLines } from "../service.ts";

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
  program
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
        name: (each) => each.repo,
        lines: (screen) => freezeLines(state, dryRun, screen),
      });
      // An emergency stop is not refused for an unknown name, but the name may be mistyped.
      say(context, ...unknownRepoLines(repo, state, "tasks"));
      sayDryRun(context, dryRun);
      if (!state.in_force) throw new ExitError(EXIT.refused, "");
    });
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
    .option("--id <freeze>", "clear this freeze only: one that was added since stays", wholeNumber())
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
        items: [unfrozen],
        name: (each) => each.repo,
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
