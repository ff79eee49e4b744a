/** Reads beside the writer, each on one snapshot of the file, in two classes. A short read runs to its end at once, on a
 *  connection of its own, so that it waits for nothing. A long one spans many turns of the event loop: it yields every few
 *  milliseconds, and all long reads together take one slice a turn.
 *  Only for a file in WAL mode; in any other mode a slow reader blocks every writer. */

import type Database from "better-sqlite3";
import { LongReads, type Admission } from "../long-reads.ts";
import type { Clock, Tx } from "../port.ts";
import { Turns } from "../turns.ts";
import { connectionTo, type Connection } from "./connection.ts";

/** Concurrent long reads; further ones wait for a connection. */
const MOST_LONG_READS = 3;
/** How long a read runs before it yields to the event loop, in milliseconds: a write waits for one slice at most. */
const SLICE_MS = 4;

export class Readers {
  readonly #open: () => Database.Database;
  readonly #clock: Clock;
  readonly #idle: Connection[] = [];
  readonly #longReads = new LongReads(MOST_LONG_READS);
  readonly #turns = new Turns();
  #short: Connection | undefined;

  constructor(open: () => Database.Database, clock: Clock) {
    this.#open = open;
    this.#clock = clock;
  }

  /** Runs a short read at once. */
  readNow<T>(operation: () => Tx<T>): T {
    const connection = (this.#short ??= this.#connect());
    connection.prepare("BEGIN").run();
    try {
      return connection.drive(operation());
    } finally {
      endRead(connection);
    }
  }

  /** Runs a long read in slices.
   *  @throws StoreFault abandoned */
  async readInSlices<T>(operation: () => Tx<T>, signal?: AbortSignal): Promise<T> {
    const admission = await this.#longReads.enter(signal);
    try {
      const connection = this.#idle.pop() ?? this.#connect();
      try {
        connection.prepare("BEGIN").run();
        return await this.#drive(connection, operation(), admission);
      } finally {
        endRead(connection);
        this.#idle.push(connection);
      }
    } finally {
      admission.end();
    }
  }

  /** Abandons long reads, then closes every connection. */
  async close(): Promise<void> {
    await this.#longReads.close();
    for (const { db } of this.#idle.splice(0)) db.close();
    this.#short?.db.close();
  }

  #connect(): Connection {
    return connectionTo(this.#open(), this.#clock);
  }

  async #drive<T>({ answer }: Connection, tx: Tx<T>, admission: Admission): Promise<T> {
    await this.#turns.next();
    admission.check();
    let sliceStart = performance.now();
    let step = tx.next();
    while (!step.done) {
      step = tx.next(answer(step.value));
      if (performance.now() - sliceStart < SLICE_MS) continue;
      await this.#turns.next();
      admission.check();
      sliceStart = performance.now();
    }
    return step.value;
  }
}

const endRead = ({ db, prepare }: Connection): void => {
  if (db.inTransaction) prepare("ROLLBACK").run();
};
