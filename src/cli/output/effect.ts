/** What a change comes to: which entry jobs may start now, which are held now. */

import { Option } from "commander";
import type { ChangedVerdict, Effect } from "../../contract/effect.ts";
import { say } from "./format.ts";
import type { CliContext } from "../context.ts";
import { listed, plain, type Screen } from "./terminal.ts";

export const dryRunOption = (): Option =>
  new Option("--dry-run", "say what would come of it, and change nothing");

const nameOf = ({ work_item_id, repo, job_id }: ChangedVerdict): string =>
  plain(`${work_item_id ?? `job ${job_id}`} in ${repo}`);

/** A line for each of the two lists that has any. */
export const effectLines = (effect: Effect | null | undefined, { paint }: Screen): string[] => {
  const { now_claimable = [], now_held = [] } = effect ?? {};
  return [
    ...(now_claimable.length > 0
      ? [paint("green", `may start now: ${listed(now_claimable.map(nameOf))}`)]
      : []),
    ...(now_held.length > 0
      ? [
          paint(
            "yellow",
            `held now: ${listed(now_held.map((each) => `${nameOf(each)} (${each.reason ?? "-"})`))}`,
          ),
        ]
      : []),
  ];
};

/** What was done, in a sentence, and what came of it. */
export const changeLines = (sentence: string, effect: Effect | undefined, screen: Screen): string[] => [
  plain(sentence),
  ...effectLines(effect, screen).map((line) => `  ${line}`),
  ...(effect && effect.now_claimable.length + effect.now_held.length === 0
    ? [screen.paint("dim", "  no queued job is freed or held by it")]
    : []),
];

/** After what a dry run has printed. */
export const sayTrial = (around: CliContext, dryRun: true | undefined): void => {
  if (dryRun) say(around, "A dry run: nothing was changed.");
};
