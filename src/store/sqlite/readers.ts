/** Reads of the embedded database that go on over many turns of the event loop, each on one state of the file.
 *  A long read gives way after a few milliseconds, so that a whole queue can be read while others are served.
 *  Only for a file in WAL mode: in any other, a reader that takes its time would keep every writer out. */

import type Database from "better-sqlite3";
import type { Clock, Tx } from "../port.ts";
import { connectionTo, type Connection } from "./connection.ts";

/** Reads at once; a further one waits for a connection. */
const AT_ONCE = 4;
const TURN_MS = 8;

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

  /** Waits for the reads under way, then closes every connection. */
  async close(): Promise<void> {
    for (; this.#opened > 0; this.#opened -= 1) {
      const connection =
        this.#idle.pop() ?? (await new Promise<Connection>((give) => this.#waiting.push(give)));
      connection.db.close();
    }
  }

  async #connect(): Promise<Connection> {
    if (this.#opened >= AT_ONCE) return new Promise((give) => this.#waiting.push(give));
    const connection = connectionTo(this.#open(), this.#clock);
    this.#opened += 1;
    return connection;
  }

  async #drive<T>({ answer }: Connection, tx: Tx<T>): Promise<T> {
    let began = performance.now();
    let step = tx.next();
    while (!step.done) {
      step = tx.next(answer(step.value));
      if (performance.now() - began < TURN_MS) continue;
      await nextTurn();
      began = performance.now();
    }
    return step.value;
  }
}
