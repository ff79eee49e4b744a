/** The record as it grows, for those who follow it. Each has a place in it and nothing else: what it has not taken
 *  yet stays in the table, so that one who is slow costs nothing and misses nothing. Who waits is woken by
 *  this gate's own changes, by the store's word of others', and by a look once a second at how far the record is
 *  complete: what was held up by a transaction that came to nothing has no one else to tell of it. */

import type { EventPage, HistoryEvent } from "../../contract/events.ts";

/** How often one who follows hears something, in milliseconds: that there is nothing, if there is nothing. */
const HEARTBEAT_MS = 15_000;
const LOOK_EVERY_MS = 1_000;
/** Changes of this long wake those who wait once. */
const GATHER_MS = 25;

interface Source {
  /** A page behind a place of the record. */
  readonly read: (after: number) => Promise<EventPage>;
}

interface FeedParts {
  /** How far the record is complete. */
  readonly settled: () => Promise<number>;
  /** Called when someone follows; returns what to call when no one does any more. */
  readonly occupied: () => () => void;
}

export class EventStream {
  readonly #parts: FeedParts;
  readonly #waiting = new Set<() => void>();
  #changes = 0;
  #followers = 0;
  #settled = 0;
  #vacate: (() => void) | undefined;
  #polling: NodeJS.Timeout | undefined;
  #gathering: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(parts: FeedParts) {
    this.#parts = parts;
  }

  /** The record may have grown. */
  notify(): void {
    if (this.#followers === 0) return;
    this.#gathering ??= setTimeout(() => {
      this.#wake();
    }, GATHER_MS);
  }

  /** Whoever follows has come to the end. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /** The events of a page, then those behind it as they come; an empty list when there were none for a while.
   *  It ends when the caller is gone, or with the feed. */
  async *follow(
    { events, next_cursor }: EventPage,
    source: Source,
    gone: AbortSignal,
  ): AsyncGenerator<readonly HistoryEvent[]> {
    this.#enter();
    try {
      let page = events;
      for (let place = next_cursor, quietSince = Date.now(); !this.#closed && !gone.aborted;) {
        if (page.length > 0 || Date.now() - quietSince >= HEARTBEAT_MS) {
          yield page;
          quietSince = Date.now();
        }
        const seen = this.#changes;
        ({ events: page, next_cursor: place } = await source.read(place));
        if (page.length === 0) await this.#change(seen, quietSince + HEARTBEAT_MS - Date.now(), gone);
      }
    } finally {
      this.#leave();
    }
  }

  #enter(): void {
    this.#followers += 1;
    this.#vacate ??= this.#parts.occupied();
    this.#polling ??= setInterval(() => void this.#poll(), LOOK_EVERY_MS);
  }

  #leave(): void {
    this.#followers -= 1;
    if (this.#followers > 0) return;
    this.#vacate?.();
    this.#vacate = undefined;
    clearInterval(this.#polling);
    clearTimeout(this.#gathering);
    this.#polling = this.#gathering = undefined;
  }

  async #poll(): Promise<void> {
    try {
      const settled = await this.#parts.settled();
      if (settled === this.#settled) return;
      this.#settled = settled;
      this.#wake();
    } catch {
      // Who reads is told of the fault; a look has no one to tell.
    }
  }

  #wake(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.#changes += 1;
    for (const wake of [...this.#waiting]) wake();
  }

  /** Waits until something has changed since, but no longer than that. */
  #change(seen: number, ms: number, gone: AbortSignal): Promise<void> {
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
