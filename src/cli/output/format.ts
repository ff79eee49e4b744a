/** Answers in the format that was asked for, on stdout; words for a person, on stderr.
 *  All that other programs wrote passes here on its way to a terminal, and none of it steers the terminal. */

import { Option } from "commander";
import type { CliContext } from "../context.ts";
import { screenOf, type Screen } from "./terminal.ts";
import { escaped, harmless, harmlessLine } from "./text.ts";

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

const asItIs = (text: string): string => text;

/** YAML for a terminal. A text with characters to escape is quoted, because only quoted YAML has escapes. */
const yamlOf = async (response: unknown, isTerminal: boolean): Promise<string> => {
  const { Document, Scalar, stringify, visit } = await import("yaml");
  if (!isTerminal) return stringify(response);
  const document = new Document(response);
  visit(document, {
    Scalar: (_key, node) => {
      if (typeof node.value === "string" && escaped(node.value) !== node.value)
        node.type = Scalar.QUOTE_DOUBLE;
    },
  });
  // Unfolded: a line break within quotes would stand between an escape's characters.
  return escaped(document.toString({ lineWidth: 0 }));
};

const textOf = async <Item>(answer: Answer<Item>, format: Format, screen: Screen): Promise<string> => {
  const jsonText = screen.isTerminal ? escaped : asItIs;
  const nameText = screen.isTerminal ? harmless : asItIs;
  switch (format) {
    case "json":
      return line(jsonText(JSON.stringify(answer.response, null, 2)));
    case "ndjson":
      return answer.items.map((item) => line(jsonText(JSON.stringify(item)))).join("");
    case "name":
      return answer.items.map((item) => line(nameText(String(answer.name(item) ?? "-")))).join("");
    case "yaml":
      return yamlOf(answer.response, screen.isTerminal);
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
  for (const each of lines) stderr.write(line(harmlessLine(each)));
};

/** Prints lines for a person on stdout, where they are the answer. */
export const printLines = ({ stdout }: CliContext, ...lines: readonly string[]): void => {
  for (const each of lines) stdout.write(line(harmlessLine(each)));
};
