/** Long reads that span many turns of the event loop, each on one snapshot of the file: a read yields every few
 *  milliseconds, so that reading a whole queue does not delay other requests.
 *  Only for a file in WAL mode; in any other mode a slow reader blocks every writer. */

import type Database from "better-sqlite3";
import type { Clock, Tx } from "../port.ts";
import { connectionTo, type Connection } from "./connection.ts";

/** Concurrent reads; further ones wait for a connection. */
const MAX_CONNECTIONS = 4;
/** How long a read runs before it yields to the event loop. */
const SLICE_MS = 8;

const nextTurn = (): Promise<void> => new Promise((wake) => setImmediate(wake));

export class Readers {
  readonly #open: () => Database.Database;
  readonly #clock: Clock;
  readonly #idle: Connection[] = [];
  readonly #waiting: ((connection: Connection) => void)[] = [];
  #opened = 0;

  constructor(open: () => Database.Database, clock: Clock) {
    this.#open = open;
    this.#clock = clock;
  }

  async read<T>(operation: () => Tx<T>): Promise<T> {
    const connection = this.#idle.pop() ?? (await this.#connect());
    try {
      connection.prepare("BEGIN").run();
      return await this.#drive(connection, operation());
    } finally {
      if (connection.db.inTransaction) connection.prepare("ROLLBACK").run();
      const next = this.#waiting.shift();
      if (next) next(connection);
      else this.#idle.push(connection);
    }
  }

  /** Waits for running reads, then closes every connection. */
  async close(): Promise<void> {
    for (; this.#opened > 0; this.#opened -= 1) {
      const connection =
        this.#idle.pop() ?? (await new Promise<Connection>((resolve) => this.#waiting.push(resolve)));
      connection.db.close();
    }
  }

  async #connect(): Promise<Connection> {
    if (this.#opened >= MAX_CONNECTIONS) return new Promise((resolve) => this.#waiting.push(resolve));
    const connection = connectionTo(this.#open(), this.#clock);
    this.#opened += 1;
    return connection;
  }

  async #drive<T>({ answer }: Connection, tx: Tx<T>): Promise<T> {
    let sliceStart = performance.now();
    let step = tx.next();
    while (!step.done) {
      step = tx.next(answer(step.value));
      if (performance.now() - sliceStart < SLICE_MS) continue;
      await nextTurn();
      sliceStart = performance.now();
    }
    return step.value;
  }
}
