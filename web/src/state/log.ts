/** The events of the last day, read backwards from now in bounded pages and kept current by the stream. What it covers is
 *  part of it: a chart over a log that was cut says so. */

import { batch, signal } from "@preact/signals";
import { serviceNow } from "./clock.ts";
import { pathOf, read } from "./http.ts";
import type { EventPage, LogEvent } from "./types.ts";

const DAY_MS = 86_400_000;
const PAGE = 1_000;
/** The most events that the page keeps: about 8 MB. */
const MOST_EVENTS = 20_000;
/** Kept in steps, so that a busy log is not copied at each event. */
const SPARE = 2_000;

export interface Log {
  /** Oldest first. */
  readonly events: readonly LogEvent[];
  /** Milliseconds since 1970: from here on no event is missing. */
  readonly from: number;
  /** True when older events of the day were left out because there are too many. */
  readonly cut: boolean;
}

/** Null until the log was read, and for a caller who may not read it. */
export const log = signal<Log | null>(null);

/** When something last started or ended; null if that is not known. */
export const movedAt = signal<number | null>(null);

/** When something last changed in a repository. */
export const changedAt = new Map<string, number>();

const MOVES = new Set(["job.claimed", "job.completed", "job.failed", "task.stage", "task.cancelled"]);

const notice = (events: readonly LogEvent[]): void => {
  let moved = movedAt.value ?? 0;
  for (const { at, kind, repo } of events) {
    const time = Date.parse(at);
    if (MOVES.has(kind)) moved = Math.max(moved, time);
    if (repo !== null) changedAt.set(repo, Math.max(changedAt.get(repo) ?? 0, time));
  }
  if (moved > 0) movedAt.value = moved;
};

/** Reads the last day.
 *  @returns the id of the newest event, from which a stream continues; undefined when there is none
 *  @throws as `send` */
export const readLog = async (): Promise<number> => {
  const since = serviceNow() - DAY_MS;
  const newest = await read<EventPage>(pathOf("/events", { last: PAGE }));
  const pages: LogEvent[][] = [newest.events];
  let first = newest.events[0];
  let count = newest.events.length;
  while (first && Date.parse(first.at) > since && first.id > 1 && count < MOST_EVENTS) {
    const { events } = await read<EventPage>(pathOf("/events", { before: first.id, limit: PAGE }));
    if (events.length === 0) break;
    pages.unshift(events);
    count += events.length;
    first = events[0];
  }
  const all = pages.flat();
  const cut = count >= MOST_EVENTS && first !== undefined && Date.parse(first.at) > since;
  batch(() => {
    log.value = {
      events: all.filter(({ at }) => Date.parse(at) >= since),
      from: cut && first ? Date.parse(first.at) : since,
      cut,
    };
    notice(all);
  });
  return newest.next_cursor;
};

/** Adds what the stream told. */
export const addToLog = (events: readonly LogEvent[]): void => {
  const before = log.value;
  if (before === null || events.length === 0) return;
  const known = before.events.at(-1)?.id ?? 0;
  const fresh = events.filter(({ id }) => id > known);
  const all = [...before.events, ...fresh];
  const cut = all.length > MOST_EVENTS + SPARE;
  const kept = cut ? all.slice(-MOST_EVENTS) : all;
  const oldest = kept[0];
  batch(() => {
    log.value = {
      events: kept,
      from: cut && oldest ? Date.parse(oldest.at) : before.from,
      cut: before.cut || cut,
    };
    notice(fresh);
  });
};

export const forgetLog = (): void => {
  changedAt.clear();
  batch(() => {
    log.value = null;
    movedAt.value = null;
  });
};
