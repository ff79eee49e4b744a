/** Times as people type and read them: 30m, 2h, ISO 8601; "3 h ago". */

import { InvalidArgumentError } from "commander";
import { lengthOf } from "../../contract/people-text.ts";

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const DURATION = /^(\d+(\.\d+)?(ms|s|m|h|d))+$/;
const PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/g;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})$/i;

const millisecondsOf = (text: string): number | undefined =>
  DURATION.test(text)
    ? Math.round(
        [...text.matchAll(PART)].reduce(
          (sum, [, count, unit]) => sum + Number(count) * UNITS[unit as keyof typeof UNITS],
          0,
        ),
      )
    : undefined;

/** A duration such as 10s, 30m or 1h30m, in milliseconds. */
export const duration = (text: string): number => {
  const ms = millisecondsOf(text);
  if (ms === undefined) throw new InvalidArgumentError("Expected a duration such as 10s, 30m, 2h or 1h30m.");
  return ms;
};

/** A duration from `least` to `most`, both as a person would type them. */
export const durationBetween = (least: string, most: string) => {
  const [from, to] = [duration(least), duration(most)];
  return (text: string): number => {
    const ms = duration(text);
    if (ms < from || ms > to) throw new InvalidArgumentError(`Expected a duration from ${least} to ${most}.`);
    return ms;
  };
};

/** An ISO 8601 time, or a duration from now; returns ISO 8601 UTC. */
export const instant = (text: string): string => {
  const ms = millisecondsOf(text);
  const at = ms === undefined ? (INSTANT.test(text) ? Date.parse(text) : NaN) : Date.now() + ms;
  const date = new Date(at);
  if (Number.isNaN(date.getTime()))
    throw new InvalidArgumentError("Expected a duration such as 30m, or a time such as 2026-06-15T18:00Z.");
  return date.toISOString();
};

/** A length of time in its largest unit, as a duration is typed: `3h`, `163d`; below a second `0s`. */
export const shortLengthOf = (ms: number): string => {
  const [, count = "0", unit = "s"] = /^(\d+) (d|h|m|s)/.exec(lengthOf(ms)) ?? [];
  return `${count}${unit}`;
};

/** A length of time as `lengthOf`, below a second in milliseconds. */
export const exactLengthOf = (ms: number): string => (ms < 1_000 ? `${ms} ms` : lengthOf(ms));

/** A time to the second. Text of another program that is not a time stays as it is. */
export const shownTime = (iso: string): string => iso.replace(/\.\d+Z$/, "Z");

/** `2026-06-15T18:06:00Z (3 h 12 min ago)`, or `in 5 min` */
export const since = (iso: string, now = Date.now()): string => {
  const ms = now - Date.parse(iso);
  if (Number.isNaN(ms)) return iso;
  return `${shownTime(iso)} (${ms >= 0 ? `${lengthOf(ms)} ago` : `in ${lengthOf(-ms)}`})`;
};
