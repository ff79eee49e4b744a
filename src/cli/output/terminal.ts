/** What text becomes on its way to whoever reads: colours where they are wanted, columns that align, nothing that
 *  would steer a terminal.
 *  It knows lines and cells, no noun of the domain. */

import { stripVTControlCharacters, styleText } from "node:util";
import type { Env } from "../../config/env.ts";

export type Style = Parameters<typeof styleText>[0];

/** Who reads: a terminal with its size, or a file. */
export interface Screen {
  readonly isTerminal: boolean;
  readonly columns: number;
  readonly rows: number;
  readonly paint: (style: Style | undefined, text: string) => string;
}

/** @param env NO_COLOR (no-color.org), or a TERM that has none */
export const screenOf = (stream: NodeJS.WriteStream, env: Env): Screen => {
  const isTerminal = stream.isTTY;
  const hasColours = isTerminal && !env.NO_COLOR && env.TERM !== "dumb";
  return {
    isTerminal,
    columns: stream.columns || 80,
    rows: stream.rows || 24,
    paint: (style, text) => (hasColours && style !== undefined ? styleText(style, text) : text),
  };
};

/** Text of the service's as one line that does nothing to a terminal: other programs wrote it. */
export const plain = (text: string): string =>
  text
    .replace(/\s+/g, " ")
    .replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, "\u{fffd}")
    .trim();

const MOST_LISTED = 10;

/** `WEB-7, WEB-8`, of many the first. */
export const listed = (names: readonly string[]): string =>
  [
    ...names.slice(0, MOST_LISTED),
    ...(names.length > MOST_LISTED ? [`… (${names.length} in all)`] : []),
  ].join(", ");

const WIDE = /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}]/u;
const NO_WIDTH = /\p{M}/u;

const widthOfCharacter = (character: string): number =>
  NO_WIDTH.test(character) ? 0 : WIDE.test(character) ? 2 : 1;

/** How many columns a text takes, colours apart. */
const widthOf = (text: string): number =>
  Array.from(stripVTControlCharacters(text)).reduce((sum, each) => sum + widthOfCharacter(each), 0);

// Colours are the only sequences that lines have.
const PIECE = /\u001b\[[\d;]*m|./gsu;

/** A line cut to so many columns; its colours end where they would have. */
export const cut = (line: string, columns: number): string => {
  if (widthOf(line) <= columns) return line;
  let left = columns - 1;
  let shown = "";
  for (const [piece] of line.matchAll(PIECE)) {
    if (piece.startsWith("\u001b")) {
      shown += piece;
      continue;
    }
    if (left < 0) continue;
    left -= widthOfCharacter(piece);
    if (left >= 0) shown += piece;
    else shown += "…";
  }
  return shown;
};

export interface Column<Row> {
  readonly head: string;
  /** An empty text or none is shown as a dash. */
  readonly cell: (row: Row) => string | number | null | undefined;
  readonly style?: (row: Row) => Style | undefined;
  /** Only in the wide form. */
  readonly wide?: true;
}

const GAP = "  ";

const aligned = (lines: readonly (readonly string[])[]): string[] => {
  const widths = (lines[0] ?? []).map((_, at) => Math.max(...lines.map((line) => widthOf(line[at] ?? ""))));
  return lines.map((line) =>
    line
      .map((cell, at) => cell + " ".repeat((widths[at] ?? 0) - widthOf(cell)))
      .join(GAP)
      .trimEnd(),
  );
};

/** Rows under their heads, a line each. */
export const tableOf = <Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { paint }: Screen,
  wide: boolean,
): string[] => {
  const shown = columns.filter((column) => wide || !column.wide);
  const cellOf = (column: Column<Row>, row: Row): string =>
    paint(column.style?.(row), plain(String(column.cell(row) ?? "")) || "-");
  return aligned([
    shown.map(({ head }) => paint("bold", head)),
    ...rows.map((row) => shown.map((column) => cellOf(column, row))),
  ]);
};

/** Names and what they are, a line each; what is not there is left out. */
export const pairsOf = (
  pairs: readonly (readonly [string, string | number | null | undefined])[],
  { paint }: Screen,
): string[] =>
  aligned(
    pairs.flatMap(([name, value]) =>
      value === null || value === undefined || value === ""
        ? []
        : [[paint("bold", name), plain(String(value))]],
    ),
  );
