/** Text on its way to a terminal: harmless, joined and cut to width. It knows lines, no noun of the domain. */

import stringWidth from "string-width";

/** Replaces every character that could steer a terminal or reorder its text; spaces stay as they are. */
export const harmless = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, "\u{fffd}");

/** The same as one line, with its spaces. */
export const harmlessLine = (text: string): string => harmless(text.replace(/[\t\r\n\u2028\u2029]+/g, " "));

/** JSON or quoted YAML in which every character that could steer a terminal is escaped: it means the same. */
export const escaped = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) =>
    character === "\n" ? character : character.split("").map(escapeUnit).join(""),
  );

/** One UTF-16 unit as `\uXXXX`. */
const escapeUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** Text of other programs as one harmless line. */
export const plain = (text: string): string => harmless(text.replace(/\s+/g, " ")).trim();

/** `3 tasks`, `1 task` */
export const countOf = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

type Part = string | false | null | undefined;

/** The parts that are there, joined by spaces; then, if it is known, the reason: `paused by ann: waits for legal` */
export const phrase = (parts: readonly Part[], reason?: string | null): string => {
  const words = parts.filter((part) => typeof part === "string" && part !== "").join(" ");
  return reason === undefined || reason === null || reason === "" ? words : `${words}: ${reason}`;
};

const MOST_LISTED = 10;

/** `WEB-7, WEB-8`; of more than ten names the first ten and the count. */
export const listed = (names: readonly string[], inAll: number | string = names.length): string =>
  [...names.slice(0, MOST_LISTED), ...(names.length > MOST_LISTED ? [`… (${inAll} in all)`] : [])].join(", ");

/** The names that an answer lists, which may have left out others. */
export const listedOf = (names: readonly string[], isCut: boolean): string =>
  listed(names, isCut ? `at least ${names.length}` : names.length);

/** The number of columns that a text takes, without its colours. */
export const widthOf = (text: string): number => stringWidth(text);

// Colours are the only escape sequences in our lines.
const COLOUR = /(\u001b\[[\d;]*m)/;
const GRAPHEMES = new Intl.Segmenter("en", { granularity: "grapheme" });

/** Colours, and the characters as a reader counts them. */
const piecesOf = (line: string): string[] =>
  line
    .split(COLOUR)
    .flatMap((part) =>
      COLOUR.test(part) ? [part] : Array.from(GRAPHEMES.segment(part), ({ segment }) => segment),
    );

/** A line cut to a number of columns. Colours after the cut are kept, so that they end. */
export const cut = (line: string, columns: number): string => {
  if (widthOf(line) <= columns) return line;
  let left = columns - 1;
  let shown = "";
  for (const piece of piecesOf(line)) {
    if (COLOUR.test(piece)) {
      shown += piece;
      continue;
    }
    if (left < 0) continue;
    left -= widthOf(piece);
    if (left >= 0) shown += piece;
    else shown += "…";
  }
  return shown;
};
