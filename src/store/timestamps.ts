/** Times as the database keeps them and as the answers show them.
 *  The orchestrator writes `datetime('now')`: `2026-06-15 08:05:00`, UTC. Ours is the same with
 *  milliseconds, so that both sort together as text and both are read by the same functions. */

const STORED = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})(\.\d+)?(Z|[+-]\d{2}:?\d{2})?$/;

/** Milliseconds since 1970 UTC as the database's text. */
export const toStored = (ms: number): string => {
  const iso = new Date(ms).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, -1)}`;
};

/** The database's text (ours, the orchestrator's, or ISO 8601) as milliseconds since 1970 UTC; NaN for any other. */
export const fromStored = (text: string): number => {
  const [, day, time, fraction = "", zone = "Z"] = STORED.exec(text) ?? [];
  return day && time ? Date.parse(`${day}T${time}${fraction.slice(0, 4)}${zone}`) : NaN;
};

/** ISO 8601 UTC for an answer. What another program wrote and is no time is shown as it is. */
export const toIso = (stored: string): string => {
  const ms = fromStored(stored);
  return Number.isNaN(ms) ? stored : new Date(ms).toISOString();
};

export const toIsoOrNull = (stored: string | null): string | null => (stored === null ? null : toIso(stored));
