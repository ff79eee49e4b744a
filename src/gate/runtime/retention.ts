/** Prunes old rows: events after the configured number of days, stored answers after a day. A bounded
 *  batch at a time, so that no one waits for it. */

import { recordForgotten } from "../queries/event-range.ts";
import { all, now, run, type Clock, type Store, type Tx, type WriteOptions } from "../../store/port.ts";
import { sql } from "../../store/sql.ts";
import { pruneAnswers } from "../commands/idempotency.ts";
import type { LeaseClock } from "../lease-clock.ts";
import type { Log } from "./log.ts";
import { toStored } from "../../store/timestamps.ts";

const EVERY_MS = 60_000;
const AT_ONCE = 500;
const DAY_MS = 24 * 60 * 60 * 1_000;

/** Deletes the events from the lowest id on that are older than that, at most `limit`; returns how many. What remains has
 *  no gap. A reader whose next event is among the deleted is refused: see queries/event-range.ts. */
export function* pruneEvents(olderThanMs: number, limit: number): Tx<number> {
  const cutoff = toStored((yield* now()) - olderThanMs);
  const oldest = yield* all<{ id: number; at: string }>(
    sql`SELECT id, at FROM gate_events ORDER BY id LIMIT ${limit}`,
  );
  const young = oldest.findIndex(({ at }) => at >= cutoff);
  const old = young < 0 ? oldest : oldest.slice(0, young);
  const last = old.at(-1);
  if (last) {
    yield* run(sql`DELETE FROM gate_events WHERE id <= ${last.id}`);
    yield* recordForgotten(last.id);
  }
  return old.length;
}

/** Another program's lock is waited for so long, in milliseconds. */
const OPTIONS: WriteOptions = { retryForMs: 200 };

interface RetentionParts {
  readonly store: Store;
  readonly log: Log;
  readonly clock: Clock;
  readonly leaseClock: LeaseClock;
  /** How long events are kept; 0 keeps them all. */
  readonly eventsDays: number;
}

export class Retention {
  readonly #store: Store;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #leaseClock: LeaseClock;
  readonly #forget: readonly (() => Tx<number>)[];
  #next = 0;
  #tending = false;
  #stopped = false;

  constructor({ store, log, clock, leaseClock, eventsDays }: RetentionParts) {
    this.#store = store;
    this.#log = log;
    this.#clock = clock;
    this.#leaseClock = leaseClock;
    const ofEvents = (): Tx<number> => pruneEvents(eventsDays * DAY_MS, AT_ONCE);
    const ofAnswers = (): Tx<number> => pruneAnswers(AT_ONCE);
    this.#forget = eventsDays > 0 ? [ofEvents, ofAnswers] : [ofAnswers];
  }

  /** The database closes under a round that is under way: its failure is none. */
  stop(): void {
    this.#stopped = true;
  }

  /** Forgets a batch, if it is time; as long as there is more, it is time. */
  async tend(): Promise<void> {
    // After a jump of the clock forward, rows may only look old.
    if (this.#tending || this.#leaseClock.isInDoubt || this.#clock() < this.#next) return;
    this.#tending = true;
    try {
      let full = false;
      for (const forget of this.#forget)
        full = (await this.#store.write(forget, OPTIONS)) === AT_ONCE || full;
      if (!full) this.#next = this.#clock() + EVERY_MS;
    } catch (err) {
      if (!this.#stopped)
        this.#log.warn({ err }, "Old rows could not be deleted. The next round tries again.");
      this.#next = this.#clock() + EVERY_MS;
    } finally {
      this.#tending = false;
    }
  }
}
