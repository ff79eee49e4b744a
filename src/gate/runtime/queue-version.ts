/** How far the rows have come that make the queue: the sum of the lanes' revisions, which triggers move for every
 *  writer. It is not added up again while no one has committed. */

import { first, run, type Store, type Tx } from "../../store/port.ts";
import { sql } from "../../store/sql.ts";
import { PROBES } from "../rule/probes.ts";

/** Fails where a part of what the queue is made from cannot be read: no lane's revision tells of that. */
function* addUp(): Tx<number> {
  for (const probe of Object.values(PROBES)) yield* run(probe);
  const row = yield* first<{ revision: number }>(
    sql`SELECT COALESCE(SUM(revision), 0) AS revision FROM gate_lanes`,
  );
  return row?.revision ?? 0;
}

export class QueueVersion {
  readonly #store: Store;
  #version: string | undefined;
  #sum: Promise<number> | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  /** @throws StoreFault when the rows cannot be read */
  async read(): Promise<number> {
    // Asked first: what is committed while the sum is read makes it be read once more, not once less.
    const version = await this.#store.version();
    if (this.#sum && version !== undefined && version === this.#version) return this.#sum;
    const sum = this.#store.read(addUp);
    this.#version = version;
    this.#sum = sum;
    sum.catch(() => {
      if (this.#sum === sum) this.#sum = undefined;
    });
    return sum;
  }
}
