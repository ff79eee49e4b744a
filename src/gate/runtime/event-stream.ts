/** Follows the event log. A follower has a place in the log and nothing else: events that it has not taken yet stay in
 *  the table, so that a slow follower costs nothing and misses nothing. One page is read in a turn of the event loop,
 *  however many followers there are. Notifications of our own commits and of other
 *  programs' only wake followers sooner; a poll once a second finds events that no commit announces, because a
 *  transaction that held them up was rolled back. */

import { GateError } from "../../contract/errors.ts";
import { Turns } from "../../store/turns.ts";
import type { EventPage, EventQuery, EventRange, Followed, FollowQuery } from "../../contract/events.ts";

/** A follower gets an empty list when it got nothing else for this long, in milliseconds. */
const HEARTBEAT_MS = 15_000;
const POLL_EVERY_MS = 1_000;
/** Notifications within this many milliseconds wake followers once. */
const GATHER_MS = 25;
/** A follower is given this many events at a time: a slow one holds no more in memory. */
const EVENTS_AT_ONCE = 100;

/** Reads the log, as much of it as the follower may know. */
export interface LogReader {
  page(query: EventQuery): Promise<EventPage>;
  /** The place from which a follower sees the `last` newest events. */
  placeBefore(query: EventQuery): Promise<number>;
}

interface Source {
  /** The id up to which the log is complete. */
  readonly completeUpTo: () => Promise<number>;
  /** Runs a listener after commits of other programs; returns how to stop that. */
  readonly watch: (listener: () => void) => () => void;
}

/** A page, or the range of the log when the place is not in it: the reader goes on with the newest. */
type Read = EventPage & { readonly reset?: EventRange };

/** The range of the log in a refusal of a place. */
const rangeIn = (error: unknown): EventRange | undefined => {
  if (!(error instanceof GateError) || error.code !== "cursor_unknown") return undefined;
  const { oldest = null, newest = 0 } = error.context.more ?? {};
  return { oldest, newest };
};

const readOrReset = async (log: LogReader, query: EventQuery): Promise<Read> => {
  try {
    return await log.page(query);
  } catch (error) {
    const reset = rangeIn(error);
    if (!reset) throw error;
    return { events: [], next_cursor: reset.newest, reset };
  }
};

/** Where a follower goes on: its next page if it is read already, else its place. */
interface Start {
  page: Read | undefined;
  after: number;
}

/** The page as a delivery. Its reader lets go of it: nothing is held while a follower takes its time. */
const deliveryOf = ({ reset, events }: Read): Followed => (reset ? { reset } : { events });

export class EventStream {
  readonly #source: Source;
  readonly #waiting = new Set<() => void>();
  readonly #turns = new Turns();
  #changes = 0;
  #followers = 0;
  #completeUpTo = 0;
  #unwatch: (() => void) | undefined;
  #polling: NodeJS.Timeout | undefined;
  #gathering: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(source: Source) {
    this.#source = source;
  }

  /** Wakes followers: the log may have grown. */
  readonly notify = (): void => {
    if (this.#followers === 0) return;
    this.#gathering ??= setTimeout(() => {
      this.#wake();
    }, GATHER_MS);
  };

  /** Ends every stream. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /** The events from a place on, as they come, a page at a time; an empty list when there were none for a while.
   *  Without a place it begins with the next event; with one that is not in the log, with a reset and the next event. It
   *  ends when the caller is gone, or when the stream is closed.
   *  @throws what reading the first page throws */
  async follow(query: FollowQuery, gone: AbortSignal, log: LogReader): Promise<AsyncGenerator<Followed>> {
    const { repo, work_item } = query;
    await this.#turns.next();
    const after = query.after ?? (await log.placeBefore({ ...query, limit: EVENTS_AT_ONCE }));
    // Beside a place, `last` is refused.
    const last = query.after === undefined ? undefined : query.last;
    const page = await readOrReset(log, { after, last, repo, work_item, limit: EVENTS_AT_ONCE });
    const read = async (place: number): Promise<Read> => {
      await this.#turns.next();
      return readOrReset(log, { after: place, repo, work_item, limit: EVENTS_AT_ONCE });
    };
    return this.#pages({ page, after: page.next_cursor }, read, gone);
  }

  async *#pages(
    start: Start,
    read: (place: number) => Promise<Read>,
    gone: AbortSignal,
  ): AsyncGenerator<Followed> {
    this.#enter();
    let quietSince = Date.now();
    const take = (page: Read): Followed => {
      quietSince = Date.now();
      start.page = undefined;
      return deliveryOf(page);
    };
    try {
      while (!this.#closed && !gone.aborted) {
        const seen = this.#changes;
        start.page ??= await read(start.after);
        start.after = start.page.next_cursor;
        const isEmpty = !start.page.reset && start.page.events.length === 0;
        if (isEmpty && Date.now() - quietSince < HEARTBEAT_MS) {
          start.page = undefined;
          await this.#waitForChange(seen, quietSince + HEARTBEAT_MS - Date.now(), gone);
        } else yield take(start.page);
      }
    } finally {
      this.#leave();
    }
  }

  #enter(): void {
    this.#followers += 1;
    this.#unwatch ??= this.#source.watch(this.notify);
    this.#polling ??= setInterval(() => void this.#poll(), POLL_EVERY_MS);
  }

  #leave(): void {
    this.#followers -= 1;
    if (this.#followers > 0) return;
    this.#unwatch?.();
    this.#unwatch = undefined;
    clearInterval(this.#polling);
    clearTimeout(this.#gathering);
    this.#polling = this.#gathering = undefined;
  }

  async #poll(): Promise<void> {
    try {
      const completeUpTo = await this.#source.completeUpTo();
      if (completeUpTo === this.#completeUpTo) return;
      this.#completeUpTo = completeUpTo;
      this.#wake();
    } catch {
      // A follower meets the same fault when it reads, and its caller is told.
    }
  }

  #wake(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.#changes += 1;
    for (const wake of [...this.#waiting]) wake();
  }

  /** Waits until something changed after `seen`, or for so many milliseconds. */
  #waitForChange(seen: number, ms: number, gone: AbortSignal): Promise<void> {
    if (this.#changes !== seen || gone.aborted) return Promise.resolve();
    return new Promise((over) => {
      const wake = (): void => {
        clearTimeout(timer);
        gone.removeEventListener("abort", wake);
        this.#waiting.delete(wake);
        over();
      };
      const timer = setTimeout(wake, Math.max(ms, 0));
      gone.addEventListener("abort", wake);
      this.#waiting.add(wake);
    });
  }
}
