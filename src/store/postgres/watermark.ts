/** The id up to which a table is complete. Concurrent transactions draw ids in one order and may commit in another, so a
 *  reader that continues behind the highest id it saw would skip the ids that commit later.
 *  A transaction that inserts into the table holds the table's RowExclusiveLock from before it draws an id until after its
 *  commit is visible. pg_locks therefore shows every drawn id that is not visible yet: writers need no extra column or
 *  statement, and long transactions elsewhere do not delay the answer. */

import { setTimeout as sleep } from "node:timers/promises";
import { coalesce } from "./coalesce.ts";

/** How long a caller waits for the transactions that run when it asks. */
const WAIT_FOR_MS = 250;
const POLL_EVERY_MS = 5;

interface Result {
  readonly rows: readonly Record<string, unknown>[];
}

/** A moment at which ids were drawn up to `drawn`, and the transactions that ran right after it and still do. Once there
 *  are none, the table is complete up to `drawn`. */
interface Observation {
  readonly drawn: number;
  readonly waitsFor: ReadonlySet<string>;
}

/** Selects the highest id that the table ever drew. */
export const lastDrawn = (table: string): string =>
  `SELECT COALESCE(pg_sequence_last_value(pg_get_serial_sequence('${table}', 'id')::regclass), 0) AS drawn`;

/** Selects the transactions that run and have written to the table. */
const writersOf = (table: string): string => `SELECT DISTINCT virtualtransaction AS writer FROM pg_locks
    WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND relation = '${table}'::regclass
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

// The second statement starts after the first has read: a transaction that drew one of those ids is among the writers, or
// has committed. The id of a virtual transaction is not reused while the server runs.
const observe = (table: string): string => `${lastDrawn(table)}; ${writersOf(table)}`;

/** Identifies the drawn ids of which the transactions have ended: the highest one, and the transactions that run and may have
 *  drawn some. A transaction that ended since then either ran at that time or drew a later id. */
export const drawnBy = (
  from: string,
  by: string,
): { text: string; read: (results: readonly Result[]) => string } => ({
  text: `${lastDrawn(from)}; ${writersOf(by)}`,
  read: ([last, writers]) => {
    const running = (writers?.rows ?? []).map(({ writer }) => String(writer)).sort();
    return [String(last?.rows[0]?.drawn), ...running].join("_").replaceAll("/", "-");
  },
});

export class Watermark {
  readonly #observe: () => Promise<Observation>;
  /** Oldest first. Each waits for every transaction that the one before it waits for, and for more. */
  #observations: readonly Observation[] = [];
  #completeUpTo = 0;

  constructor(table: string, query: (text: string) => Promise<readonly Result[]>) {
    const text = observe(table);
    this.#observe = async () => {
      const [last, writers] = await query(text);
      return {
        drawn: Number(last?.rows[0]?.drawn),
        waitsFor: new Set(writers?.rows.map(({ writer }) => String(writer))),
      };
    };
  }

  readonly completeUpTo = coalesce(() => this.#wait());

  async #wait(): Promise<number> {
    const waitUntil = performance.now() + WAIT_FOR_MS;
    const wanted = await this.#update();
    while (this.#completeUpTo < wanted && performance.now() < waitUntil) {
      await sleep(POLL_EVERY_MS);
      await this.#update();
    }
    return this.#completeUpTo;
  }

  /** @returns the highest id drawn so far */
  async #update(): Promise<number> {
    const now = await this.#observe();
    const observations = [...this.#observations, now].map(({ drawn, waitsFor }) => ({
      drawn,
      waitsFor: new Set([...waitsFor].filter((writer) => now.waitsFor.has(writer))),
    }));
    this.#completeUpTo =
      observations.findLast(({ waitsFor }) => waitsFor.size === 0)?.drawn ?? this.#completeUpTo;
    // Among observations that wait for the same transactions, the last has the highest id.
    this.#observations = observations.filter(
      ({ waitsFor }, index) => waitsFor.size > 0 && observations[index + 1]?.waitsFor.size !== waitsFor.size,
    );
    return now.drawn;
  }
}
