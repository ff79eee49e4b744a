/** What the verbs take alike, and how their help shows an example. */

import { InvalidArgumentError } from "commander";

export const example = (...lines: readonly string[]): string =>
  `\nExample:\n${lines.map((line) => `  $ ${line}`).join("\n")}`;

/** An option that may be given several times. */
export const repeated = (value: string, before: readonly string[] = []): string[] => [...before, value];

/** A whole number from `least` to `most`. */
export const wholeNumber =
  (least = 1, most = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(
      most === Number.MAX_SAFE_INTEGER
        ? `It wants a whole number from ${least}.`
        : `It wants a whole number from ${least} to ${most}.`,
    );
  };

/** A value in JSON. */
export const json = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    throw new InvalidArgumentError(`It wants JSON, such as '{"branch": "main"}'.`);
  }
};
