/** The effect of a change: the jobs that can start because of it, and the jobs that it holds. */

import { Option } from "commander";
import type { Effect } from "../../contract/effect.ts";
import type { CliContext } from "../context.ts";
import { say } from "./format.ts";
import { labelInRepo } from "./label.ts";
import type { Screen } from "./terminal.ts";
import { listed, plain } from "./text.ts";

export const dryRunOption = (): Option => new Option("--dry-run", "show the effect; change nothing");

/** A line for the jobs that can start now and a line for the jobs held now, if there are any. */
export const effectLines = (effect: Effect | null | undefined, { paint }: Screen): string[] => {
  const { now_claimable = [], now_held = [] } = effect ?? {};
  const started = now_claimable.map((job) => plain(labelInRepo(job)));
  const held = now_held.map((job) => `${plain(labelInRepo(job))} (${job.reason ?? "-"})`);
  return [
    ...(started.length > 0 ? [paint("green", `can start now: ${listed(started)}`)] : []),
    ...(held.length > 0 ? [paint("yellow", `held now: ${listed(held)}`)] : []),
  ];
};

interface Changed {
  readonly effect: Effect | undefined;
  readonly dryRun: true | undefined;
}

/** The change in a sentence, then its effect. */
export const changeLines = (sentence: string, { effect, dryRun }: Changed, screen: Screen): string[] => {
  const lines = effectLines(effect, screen);
  return [
    `${dryRunMark(dryRun)}${plain(sentence)}`,
    ...lines.map((line) => `  ${line}`),
    ...(effect && lines.length === 0 ? [screen.paint("dim", "  No waiting job is affected.")] : []),
  ];
};

/** Stands first on stdout, so that a pasted answer cannot be taken for the real one. */
export const dryRunMark = (dryRun: true | undefined): string => (dryRun ? "(dry run) " : "");

export const sayDryRun = (context: CliContext, dryRun: true | undefined): void => {
  if (dryRun) say(context, "Dry run: nothing was changed.");
};
