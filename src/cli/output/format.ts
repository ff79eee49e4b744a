/** Answers in the format that was asked for, on stdout; words for a person, on stderr. */

import { Option } from "commander";
import type { CliContext } from "../context.ts";
import { screenOf, type Screen } from "./terminal.ts";

const FORMATS = ["table", "wide", "json", "ndjson", "yaml", "name"] as const;
export type Format = (typeof FORMATS)[number];

export interface OutputOptions {
  readonly output: Format;
}

export const outputOption = (): Option =>
  new Option("-o, --output <format>", "output format").choices(FORMATS).default("table");

/** An answer in all its formats. */
export interface Answer<Item> {
  /** The service's own answer, for json and yaml. */
  readonly response: unknown;
  /** One a line, for ndjson and name. */
  readonly items: readonly Item[];
  readonly name: (item: Item) => string | number | null;
  /** For people: table and wide. */
  readonly lines: (screen: Screen, wide: boolean) => readonly string[];
}

const line = (text: string): string => `${text}\n`;

const textOf = async <Item>(answer: Answer<Item>, format: Format, screen: Screen): Promise<string> => {
  switch (format) {
    case "json":
      return line(JSON.stringify(answer.response, null, 2));
    case "ndjson":
      return answer.items.map((item) => line(JSON.stringify(item))).join("");
    case "name":
      return answer.items.map((item) => line(String(answer.name(item) ?? "-"))).join("");
    case "yaml":
      return (await import("yaml")).stringify(answer.response);
    default:
      return answer
        .lines(screen, format === "wide")
        .map(line)
        .join("");
  }
};

/** Prints an answer on stdout. */
export const print = async <Item>(
  { stdout, env }: CliContext,
  format: Format,
  answer: Answer<Item>,
): Promise<void> => {
  stdout.write(await textOf(answer, format, screenOf(stdout, env)));
};

/** Prints lines for a person on stderr. */
export const say = ({ stderr }: CliContext, ...lines: readonly string[]): void => {
  for (const each of lines) stderr.write(line(each));
};
