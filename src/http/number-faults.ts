/** Finds the numbers of a JSON text that JSON.parse and JSON.stringify would not hand on with the same value: a payload of
 *  a Python or Go producer goes to a worker that never asked JavaScript. It judges values, not spellings: 1.0 is 1, 1e2
 *  is 100, and -0 is 0. */

import type { InputFault } from "../contract/errors.ts";
import { segmentOf } from "./input-faults.ts";

/** Every other number has at most 15 digits and no exponent, which a double holds exactly enough. */
const SUSPICIOUS = /[\d.]{16}|\d[eE]/;
/** Few enough digits and a small enough exponent for a double. */
const SHORT = /^-?\d{1,7}(?:\.\d{1,7})?[eE][+-]?\d{1,2}$/;
const NUMBER = /[-\d][\d.eE+-]*/y;
const LITERAL = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** A literal that is longer than any double's shortest spelling is not worth reading. */
const LONGEST_LITERAL = 400;
const MOST_FAULTS = 10;

/** Sign, digits without zeros at either end, and exponent: equal for equal numbers. */
const valueOf = (literal: string): string | undefined => {
  const [, sign = "", whole, fraction = "", exponent = "0"] = LITERAL.exec(literal) ?? [];
  if (whole === undefined) return undefined;
  const digits = `${whole}${fraction}`.replace(/^0+/, "");
  const significant = digits.replace(/0+$/, "");
  if (significant === "") return "0";
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`;
};

const faultIn = (literal: string): string | undefined => {
  if (!SUSPICIOUS.test(literal) || SHORT.test(literal)) return undefined;
  const read = Number(literal);
  if (!Number.isFinite(read)) return "is too large for a number; send it as a string";
  if (literal.length <= LONGEST_LITERAL && valueOf(literal) === valueOf(String(read))) return undefined;
  return `would be changed to ${read}; send it as a string`;
};

const isEscaped = (text: string, at: number): boolean => {
  let backslashes = 0;
  while (text.charAt(at - 1 - backslashes) === "\\") backslashes += 1;
  return backslashes % 2 === 1;
};

/** The index of the quote that closes a string. */
const endOfString = (text: string, start: number): number => {
  let end = text.indexOf('"', start + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end;
};

/** @param text valid JSON
 *  @returns the first faults */
export const numberFaults = (text: string): InputFault[] => {
  if (!SUSPICIOUS.test(text)) return [];
  const faults: InputFault[] = [];
  /** From the root to here: the position in a list, or the key in an object as it is written. */
  const path: (number | string)[] = [];
  let string = "";
  for (let at = 0; at < text.length && faults.length < MOST_FAULTS; at += 1) {
    const here = path.length - 1;
    const place = path[here];
    const character = text.charAt(at);
    if (character === '"') {
      const end = endOfString(text, at);
      string = text.slice(at, end + 1);
      at = end;
    } else if (character === "{") path.push("");
    else if (character === "[") path.push(0);
    else if (character === "}" || character === "]") path.pop();
    else if (character === ":") path[here] = string;
    else if (character === "," && typeof place === "number") path[here] = place + 1;
    else if (character === "-" || (character >= "0" && character <= "9")) {
      NUMBER.lastIndex = at;
      const [literal = character] = NUMBER.exec(text) ?? [];
      const detail = faultIn(literal);
      if (detail !== undefined) faults.push({ in: "body", pointer: pointerOf(path), detail });
      at += literal.length - 1;
    }
  }
  return faults;
};

const pointerOf = (path: readonly (number | string)[]): string =>
  path.map((part) => `/${typeof part === "number" ? part : segmentOf(JSON.parse(part) as string)}`).join("");
