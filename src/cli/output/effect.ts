/** The effect of a change: the jobs that can start because of it, and the jobs that it holds. */

import { Option } from "commander";
import type { Effect } from "../../contract/effect.ts";
import type { CliContext } from "../context.ts";
import { say } from "./format.ts";
import { labelInRepo } from "./label.ts";
import type { Screen } from "./terminal.ts";
import { listedOf, plain } from "./text.ts";

export const dryRunOption = (): Option => new Option("--dry-run", "show the effect; change nothing");

const HAPPENED = { starts: "can start now", holds: "held now" };
const HYPOTHETICAL = { starts: "could start then", holds: "would be held" };

/** A line for the jobs that can start and a line for the jobs that are held, if there are any. */
export const effectLines = (
  effect: Effect | null | undefined,
  { paint }: Screen,
  isHypothetical: boolean,
): string[] => {
  const { now_claimable = [], now_held = [], cut = false } = effect ?? {};
  const words = isHypothetical ? HYPOTHETICAL : HAPPENED;
  const started = now_claimable.map((job) => plain(labelInRepo(job)));
  const held = now_held.map((job) => `${plain(labelInRepo(job))} (${job.reason ?? "-"})`);
  return [
    ...(started.length > 0 ? [paint("green", `${words.starts}: ${listedOf(started, cut)}`)] : []),
    ...(held.length > 0 ? [paint("yellow", `${words.holds}: ${listedOf(held, cut)}`)] : []),
  ];
};

interface Changed {
  readonly effect: Effect | undefined;
  readonly dryRun: true | undefined;
}

/** The change in a sentence, then its effect. */
export const changeLines = (sentence: string, { effect, dryRun }: Changed, screen: Screen): string[] => {
  const lines = effectLines(effect, screen, dryRun === true);
  const none = dryRun ? "No waiting job would be affected." : "No waiting job is affected.";
  return [
    `${dryRunMark(dryRun)}${plain(sentence)}`,
    ...lines.map((line) => `  ${line}`),
    ...(effect && lines.length === 0 ? [screen.paint("dim", `  ${none}`)] : []),
  ];
};

/** Stands first on stdout, so that a pasted answer cannot be taken for the real one. */
export const dryRunMark = (dryRun: true | undefined): string => (dryRun ? "(dry run) " : "");

/** The line for a change that is recorded and holds nothing; none where the gate acts on it. */
export const notInForceLines = (
  { not_in_force_because }: { readonly not_in_force_because: string | null },
  dryRun: true | undefined,
): string[] =>
  not_in_force_because === null
    ? []
    : [`${dryRun ? "Would be recorded" : "Recorded"}, but NOT in force: ${plain(not_in_force_because)}.`];

/** The verb of a sentence about a change or its dry run. */
export const isOrWouldBe = (dryRun: true | undefined): string => (dryRun ? "would be" : "is");

export const sayDryRun = (context: CliContext, dryRun: true | undefined): void => {
  if (dryRun) say(context, "Dry run: nothing was changed.");
};
