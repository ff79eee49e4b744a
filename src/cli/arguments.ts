/** Arguments that several verbs take, and the example in their help. */

import { InvalidArgumentError, Option } from "commander";
import type { OneTaskQuery } from "../contract/scalars.ts";
import { EXIT, ExitError } from "./output/exit-codes.ts";

export const example = (...lines: readonly string[]): string =>
  `\nExample:\n${lines.map((line) => `  $ ${line}`).join("\n")}`;

/** The repository of a work item. */
export const repoOption = (): Option =>
  new Option("--repo <repo>", "repository, if the work item exists in several");

/** A task by its id, in the place of its work item. A bare number is always a work item. */
export const idOption = (): Option =>
  new Option("--id <task>", "task id, in the place of a work item").argParser(wholeNumber());

/** How a verb was told its task. */
export interface TaskOptions {
  readonly repo?: string;
  readonly id?: number;
}

/** The one task that a verb is about.
 *  @param workItem the operand
 *  @throws ExitError unless there is either a work item or an id */
export const selectedTask = (
  verb: string,
  workItem: string | undefined,
  { repo, id }: TaskOptions,
): OneTaskQuery => {
  if (id !== undefined && workItem === undefined && repo === undefined) return { task_id: id };
  if (id === undefined && workItem !== undefined) return { work_item: workItem, repo };
  throw new ExitError(
    EXIT.usage,
    id === undefined
      ? `Name a work item (\`serial-gate ${verb} WORK_ITEM\`) or a task id (\`serial-gate ${verb} --id TASK\`).`
      : `--id takes the place of a work item and of --repo: \`serial-gate ${verb} --id ${id}\`.`,
  );
};

export const reasonOption = (): Option => new Option("--reason <text>", "reason, kept in the history");

/** Collects an option that may be repeated. */
export const repeated = (value: string, before: readonly string[] = []): string[] => [...before, value];

/** A whole number from `least` to `most`. */
export const wholeNumber =
  (least = 1, most = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
    throw new InvalidArgumentError(`Expected a whole number ${range}.`);
  };

/** An id, or the name that `-o name` prints for it: `41` or `job/41`. */
export const idOf =
  (kind: string, least = 1) =>
  (text: string): number =>
    wholeNumber(least)(text.startsWith(`${kind}/`) ? text.slice(kind.length + 1) : text);

/** A value in JSON. */
export const json = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    throw new InvalidArgumentError(`Expected JSON, such as '{"branch": "main"}'.`);
  }
};
