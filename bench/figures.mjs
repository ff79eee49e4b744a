/** The target of a figure, and its presentation. */

export const atMost = (bound) => ({ text: `≤ ${bound}`, isReached: (value) => value <= bound });
export const atLeast = (bound) => ({ text: `≥ ${bound}`, isReached: (value) => value >= bound });
/** A figure that is there to compare with. */
export const none = { text: "–", isReached: undefined };

const digits = (value) => (value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3);
export const number = (value) => value.toFixed(digits(Math.abs(value)));

/** `12.3 µs` for milliseconds an operation. */
export const micros = (ms) => `${number(ms * 1_000)} µs`;
export const millis = (ms) => `${number(ms)} ms`;
export const perSecond = (rate) => `${Math.round(rate).toLocaleString("en-US")}/s`;
export const count = (value) => value.toLocaleString("en-US");

const measured = ({ skipped, median, least, most, unit = "" }) =>
  skipped ? `skipped: ${skipped}` : `${number(median)}${unit} (${number(least)} to ${number(most)})`;

const HEADS = ["figure", "on", "measured: median (least to most)", "reach", "reached", "of what"];

/** The rows as a Markdown table. */
export const table = (rows) => {
  const lines = rows.map((row) => [
    row.figure,
    row.on,
    measured(row),
    row.reach,
    row.reached ?? "–",
    row.note ?? "",
  ]);
  const widths = HEADS.map((head, column) =>
    Math.max(head.length, ...lines.map((line) => line[column].length)),
  );
  const line = (cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`;
  return [line(HEADS), line(widths.map((width) => "-".repeat(width))), ...lines.map(line)].join("\n");
};
