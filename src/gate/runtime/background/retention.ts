/** Prunes old rows: events after the configured number of days, stored answers after a day. Batch after batch until none is
 *  old, each a short transaction with a rest behind it: it keeps up with a thousand jobs a second, and nobody waits for
 *  more than a batch. */

import { recordForgotten } from "../../queries/event-range.ts";
import { all, now, run, type Clock, type Store, type Tx, type WriteOptions } from "../../../store/port.ts";
import { sql } from "../../../store/sql.ts";
import { pruneAnswers } from "../../commands/idempotency.ts";
import type { LeaseClock } from "../../lease-clock.ts";
import type { Log } from "../log.ts";
import { toStored } from "../../../store/timestamps.ts";
import { restAfter } from "./rest.ts";
import { Rounds } from "./rounds.ts";

const EVERY_MS = 60_000;
/** The rows of a kind that a batch deletes. */
const AT_ONCE = 500;
/** The rest behind a batch, in times of what the batch took. */
const REST = 2;
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
  readonly #clock: Clock;
  readonly #leaseClock: LeaseClock;
  readonly #forget: readonly (() => Tx<number>)[];
  #next = 0;
  readonly #rounds: Rounds;

  constructor({ store, log, clock, leaseClock, eventsDays }: RetentionParts) {
    this.#store = store;
    this.#rounds = new Rounds(log, "Old rows could not be deleted. The next round tries again.");
    this.#clock = clock;
    this.#leaseClock = leaseClock;
    const ofEvents = (): Tx<number> => pruneEvents(eventsDays * DAY_MS, AT_ONCE);
    const ofAnswers = (): Tx<number> => pruneAnswers(AT_ONCE);
    this.#forget = eventsDays > 0 ? [ofEvents, ofAnswers] : [ofAnswers];
  }

  /** The database closes under a round that is under way: its failure is none. */
  stop(): void {
    this.#rounds.stop();
  }

  /** Deletes every row that is old, if it is time to look. */
  tend(): Promise<void> {
    return this.#rounds.run(async () => {
      if (this.#clock() < this.#next) return;
      try {
        for (;;) {
          // After a jump of the clock forward, rows may only look old.
          if (this.#rounds.isStopped || this.#leaseClock.isInDoubt) return;
          const began = performance.now();
          if (!(await this.#deleteBatch())) break;
          await restAfter(began, REST);
        }
        this.#next = this.#clock() + EVERY_MS;
      } catch (error) {
        this.#next = this.#clock() + EVERY_MS;
        throw error;
      }
    });
  }

  /** Deletes a batch of each kind; true when there may be more. */
  async #deleteBatch(): Promise<boolean> {
    let isFull = false;
    for (const forget of this.#forget)
      isFull = (await this.#store.write(forget, OPTIONS)) === AT_ONCE || isFull;
    return isFull;
  }
}
