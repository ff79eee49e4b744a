/** Conversions between stored times and ISO 8601: the one writer, and the one reader, of which the databases have the same
 *  in SQL (Dialect.milliseconds).
 *  The orchestrator stores `datetime('now')`, such as `2026-06-15 08:05:00`, in UTC. serial-gate adds milliseconds. Other
 *  programs also write `T`, `Z` and offsets. Times are compared as milliseconds, never as text. */

const STORED =
  /^(\d{4}-\d{2}-\d{2})[ T]([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,9}))?(?:Z|([+-])([01]\d|2[0-3])(?::?([0-5]\d))?)?$/;

/** The first and the last time that the stored form can express, in milliseconds since 1970: the years 1 to 9999. */
export const FIRST_MS = Date.parse("0001-01-01T00:00:00.000Z");
export const LAST_MS = Date.parse("9999-12-31T23:59:59.999Z");

/** True for milliseconds since 1970 in the years 1 to 9999 UTC. */
export const isStorable = (ms: number): boolean => ms >= FIRST_MS && ms <= LAST_MS;

/** Milliseconds since 1970 UTC as stored text. A time outside of the years 1 to 9999 becomes the nearest inside. */
export const toStored = (ms: number): string => {
  const iso = new Date(Math.min(Math.max(ms, FIRST_MS), LAST_MS)).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, -1)}`;
};

/** Milliseconds of the day since 1970; NaN for a day that no calendar has. */
const dayOf = (day: string): number => {
  const ms = Date.parse(`${day}T00:00:00.000Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day) ? ms : NaN;
};

/** Stored text (ours, the orchestrator's, or ISO 8601) as milliseconds since 1970 UTC; NaN for any other text, and for a
 *  time outside of the years 1 to 9999. */
export const fromStored = (text: string): number => {
  const found = STORED.exec(text);
  if (!found) return NaN;
  const [, day = "", hour, minute, second, fraction = "", sign, offsetHours = 0, offsetMinutes = 0] = found;
  const offset = (Number(offsetHours) * 60 + Number(offsetMinutes)) * (sign === "-" ? -1 : 1);
  const clock = ((Number(hour) * 60 + Number(minute) - offset) * 60 + Number(second)) * 1_000;
  const ms = dayOf(day) + clock + Number(`${fraction}000`.slice(0, 3));
  return isStorable(ms) ? ms : NaN;
};

/** The form that we and the orchestrator write: in UTC, in whole seconds or milliseconds. */
const PLAIN = /^\d{4}-\d{2}-\d{2} (?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{3})?$/;
const PLAIN_SECONDS = "2026-06-15 08:05:00".length;

/** The days that were looked at last, and whether a calendar has them in the years 1 to 9999. */
const days = new Map<string, boolean>();
const MOST_DAYS = 1_000;

const isDay = (day: string): boolean => {
  const known = days.get(day);
  if (known !== undefined) return known;
  const is = !Number.isNaN(fromStored(`${day} 00:00:00`));
  if (days.size >= MOST_DAYS) days.clear();
  days.set(day, is);
  return is;
};

/** Stored text as ISO 8601 UTC. Text of another program that is not a time is returned as it is. */
export const toIso = (stored: string): string => {
  // Lists have thousands of times, nearly all in this form and of a few days.
  if (PLAIN.test(stored) && isDay(stored.slice(0, 10)))
    return `${stored.slice(0, 10)}T${stored.slice(11)}${stored.length === PLAIN_SECONDS ? ".000Z" : "Z"}`;
  const ms = fromStored(stored);
  return Number.isNaN(ms) ? stored : new Date(ms).toISOString();
};

export const toIsoOrNull = (stored: string | null): string | null => (stored === null ? null : toIso(stored));
