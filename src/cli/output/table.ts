/** Rows in aligned columns. It knows cells, no noun of the domain. */

import type { Screen, Style } from "./terminal.ts";
import { plain, widthOf } from "./text.ts";

export interface Column<Row> {
  readonly head: string;
  /** An empty cell is shown as a dash. */
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

/** A line of heads and a line for each row. */
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
