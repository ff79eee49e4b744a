/** serial-gate freeze and unfreeze: the stop of a whole repository, and its end. */

import type { Command } from "commander";
import type { FreezeState, Unfrozen } from "../../contract/operations.ts";
import { example, wholeNumber } from "../arguments.ts";
import { changeLines, dryRunOption, sayTrial } from "../output/effect.ts";
import { outputOption, print, say, type Printed } from "../output/format.ts";
import type { CliContext } from "../context.ts";
import { plain } from "../output/terminal.ts";
import { connect, noteOf, refuseUnknownRepo, unknownRepo } from "../service.ts";
import { shownTime } from "../output/time.ts";

interface Options extends Printed {
  readonly reason?: string;
  readonly dryRun?: true;
}

const sentence = ({ repo, frozen_at, freeze_id, frozen_reason }: FreezeState): string =>
  `${repo} is frozen since ${shownTime(frozen_at)} (freeze ${freeze_id})${frozen_reason === null ? "" : `: ${frozen_reason}`}.`;

const freezeCommand = (program: Command, around: CliContext): void => {
  program
    .command("freeze")
    .description("stop a repository: none of its tasks starts until somebody unfreezes it")
    .argument("<repo>", "such as acme/web")
    .option("--reason <text>", "why, for people to read")
    .option("--work-item <work-item>", "the work item whose deploy it was")
    .addOption(dryRunOption())
    .addOption(outputOption())
    .addHelpText("after", example('serial-gate freeze acme/web --reason "error rate 4.1%"'))
    .action(async (repo: string, options: Options & { readonly workItem?: string }) => {
      const { reason, workItem, dryRun, output } = options;
      const client = connect(around);
      const note = {
        ...noteOf(around, { reason }),
        ...(workItem === undefined ? {} : { work_item_id: workItem }),
      };
      const state = await client.freeze(repo, note, dryRun ? { dry_run: dryRun } : {});
      await print(around, output, {
        response: state,
        items: [state],
        name: (each) => each.repo,
        lines: (screen) => changeLines(sentence(state), state.effect, screen),
      });
      // A stop must stop: it is not refused for a name that nobody knows, but it may be a slip.
      say(around, ...(await unknownRepo(client, repo)));
      sayTrial(around, dryRun);
    });
};

const clearedSentence = ({ repo, frozen, cleared }: Unfrozen): string => {
  const count = cleared === 1 ? "1 freeze" : `${cleared} freezes`;
  const state = frozen ? `${repo} is still frozen` : `${repo} is open`;
  return cleared === 0 ? `${state}: no freeze was cleared.` : `${state}: ${count} cleared.`;
};

const unfreezeCommand = (program: Command, around: CliContext): void => {
  program
    .command("unfreeze")
    .description("clear the freezes of a repository, or one of them")
    .argument("<repo>", "such as acme/web")
    .option("--id <freeze>", "only this freeze: one that came since you looked stays", wholeNumber())
    .option("--reason <text>", "why, for people to read")
    .addOption(dryRunOption())
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate unfreeze acme/web --id 2"))
    .action(async (repo: string, options: Options & { readonly id?: number }) => {
      const { id, reason, dryRun, output } = options;
      const client = connect(around);
      const query = { repo, ...(id === undefined ? {} : { id }), ...(dryRun ? { dry_run: dryRun } : {}) };
      const unfrozen = await client.unfreeze(query, noteOf(around, { reason }));
      if (unfrozen.cleared === 0 && !unfrozen.frozen) await refuseUnknownRepo(client, repo);
      await print(around, output, {
        response: unfrozen,
        items: [unfrozen],
        name: (each) => each.repo,
        lines: (screen) => [
          ...changeLines(clearedSentence(unfrozen), unfrozen.effect, screen),
          ...unfrozen.freezes.map((freeze) => `  ${clearedLine(freeze)}`),
        ],
      });
      sayTrial(around, dryRun);
    });
};

const clearedLine = ({ freeze_id, frozen_at, frozen_by, reason }: Unfrozen["freezes"][number]): string =>
  plain(
    [
      `freeze ${freeze_id}`,
      ...(frozen_at === null ? [] : [`of ${shownTime(frozen_at)}`]),
      ...(frozen_by === null ? [] : [`by ${frozen_by}`]),
      ...(reason === null ? [] : [`(${reason})`]),
    ].join(" "),
  );

export const freezeCommands = (program: Command, around: CliContext): void => {
  freezeCommand(program, around);
  unfreezeCommand(program, around);
};
