/** Conversions between stored times and ISO 8601.
 *  The orchestrator stores `datetime('now')`, such as `2026-06-15 08:05:00`, in UTC. serial-gate adds milliseconds, so
 *  that both forms sort together as text and are read by the same SQL functions. */

const STORED = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})(\.\d+)?(Z|[+-]\d{2}:?\d{2})?$/;

/** Milliseconds since 1970 UTC as stored text. */
export const toStored = (ms: number): string => {
  const iso = new Date(ms).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, -1)}`;
};

/** Stored text (ours, the orchestrator's, or ISO 8601) as milliseconds since 1970 UTC; NaN for any other text. */
export const fromStored = (text: string): number => {
  const [, day, time, fraction = "", zone = "Z"] = STORED.exec(text) ?? [];
  return day && time ? Date.parse(`${day}T${time}${fraction.slice(0, 4)}${zone}`) : NaN;
};

/** Stored text as ISO 8601 UTC. Text of another program that is not a time is returned as it is. */
export const toIso = (stored: string): string => {
  const ms = fromStored(stored);
  return Number.isNaN(ms) ? stored : new Date(ms).toISOString();
};

export const toIsoOrNull = (stored: string | null): string | null => (stored === null ? null : toIso(stored));
