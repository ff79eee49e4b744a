/** Rows in aligned columns. It knows cells, no noun of the domain. */

import type { Screen, Style } from "./terminal.ts";
import { cut, plain, widthOf } from "./text.ts";

export interface Column<Row> {
  readonly head: string;
  /** An empty cell is shown as a dash. */
  readonly cell: (row: Row) => string | number | null | undefined;
  readonly style?: (row: Row) => Style | undefined;
  /** Only in the wide form. */
  readonly wide?: true;
  /** Never cut: half of a secret is of no use. */
  readonly whole?: true;
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

/** A column is not cut below this width. */
const NARROWEST = 8;

/** The widths that fit a line: the widest column that may be cut gives way first. */
const fitted = (widths: readonly number[], mayCut: readonly boolean[], room: number): number[] => {
  const fit = [...widths];
  for (
    let over = fit.reduce((sum, width) => sum + width + GAP.length, -GAP.length) - room;
    over > 0;
    over -= 1
  ) {
    const widest = Math.max(...fit.filter((_, at) => mayCut[at]), 0);
    if (widest <= NARROWEST) break;
    fit[fit.findIndex((width, at) => mayCut[at] && width === widest)] = widest - 1;
  }
  return fit;
};

/** A line of heads and a line for each row. On a terminal, cells are cut so that no line wraps. */
export const tableOf = <Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { paint, isTerminal, columns: room }: Screen,
  wide: boolean,
): string[] => {
  const shown = columns.filter((column) => wide || !column.wide);
  const texts = rows.map((row) => shown.map(({ cell }) => plain(String(cell(row) ?? "")) || "-"));
  const widths = shown.map(({ head }, at) =>
    Math.max(...[head, ...texts.map((line) => line[at] ?? "")].map(widthOf)),
  );
  const fit = isTerminal
    ? fitted(
        widths,
        shown.map(({ whole }) => !whole),
        room,
      )
    : widths;
  const cells = (line: readonly string[], styleOf: (column: Column<Row>) => Style | undefined): string[] =>
    shown.map((column, at) => paint(styleOf(column), cut(line[at] ?? "", fit[at] ?? 0)));
  return aligned([
    cells(
      shown.map(({ head }) => head),
      () => "bold",
    ),
    ...rows.map((row, at) => cells(texts[at] ?? [], ({ style }) => style?.(row))),
  ]);
};

/** A line for each name and its value; pairs without a value are left out. */
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
