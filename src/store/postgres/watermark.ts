/** Up to which id a table is complete. Ids are drawn by transactions that run side by side, so that a lower one may be
 *  committed after a higher one, and whoever reads behind the highest that he saw would pass it over.
 *  A transaction that adds to the table holds the table's RowExclusiveLock from before it draws an id until after
 *  its commit is seen. So a lock is what tells of ids that are drawn and not there yet: no column, no statement of
 *  the writers, and no wait for the long transactions of those who write elsewhere. */

import { setTimeout as sleep } from "node:timers/promises";
import { coalesce } from "./coalesce.ts";

/** How long one who asks is made to wait for the transactions that are under way as he asks. */
const PATIENCE_MS = 250;
const LOOK_AGAIN_MS = 5;

interface Result {
  readonly rows: readonly Record<string, unknown>[];
}

/** A moment at which ids were drawn up to `drawn`, and the transactions that were under way right after it and
 *  still are. When there is none left, the table is complete up to there. */
interface Observation {
  readonly drawn: number;
  readonly waitsFor: ReadonlySet<string>;
}

// The second statement begins after the first has read: a transaction that drew one of those ids is among the
// writers, or has committed. A virtual transaction's id is not used again while the server runs.
const look = (table: string): string => `
  SELECT COALESCE(pg_sequence_last_value(pg_get_serial_sequence('${table}', 'id')::regclass), 0) AS drawn;
  SELECT DISTINCT virtualtransaction AS writer FROM pg_locks
    WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND relation = '${table}'::regclass
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

export class Watermark {
  readonly #look: () => Promise<Observation>;
  /** In their order; each waits for all that the one before it waits for, and more. */
  #marks: readonly Observation[] = [];
  #known = 0;

  constructor(table: string, query: (text: string) => Promise<readonly Result[]>) {
    const text = look(table);
    this.#look = async () => {
      const [last, writers] = await query(text);
      return {
        drawn: Number(last?.rows[0]?.drawn),
        waitsFor: new Set(writers?.rows.map(({ writer }) => String(writer))),
      };
    };
  }

  readonly upTo = coalesce(() => this.#find());

  async #find(): Promise<number> {
    const patientUntil = performance.now() + PATIENCE_MS;
    const wanted = await this.#mark();
    while (this.#known < wanted && performance.now() < patientUntil) {
      await sleep(LOOK_AGAIN_MS);
      await this.#mark();
    }
    return this.#known;
  }

  /** @returns up to where ids are drawn by now */
  async #mark(): Promise<number> {
    const now = await this.#look();
    const marks = [...this.#marks, now].map(({ drawn, waitsFor }) => ({
      drawn,
      waitsFor: new Set([...waitsFor].filter((writer) => now.waitsFor.has(writer))),
    }));
    this.#known = marks.findLast(({ waitsFor }) => waitsFor.size === 0)?.drawn ?? this.#known;
    // Of those that wait for the same, the last says the most.
    this.#marks = marks.filter(
      ({ waitsFor }, index) => waitsFor.size > 0 && marks[index + 1]?.waitsFor.size !== waitsFor.size,
    );
    return now.drawn;
  }
}
