/** Group commit: writes that arrive together share one transaction, each in its own savepoint, and are answered after its
 *  one commit. It knows SQLite's transactions; the operations are opaque to it. */

import type Database from "better-sqlite3";
import type { Tx, WriteOptions } from "../port.ts";
import type { Connection } from "./connection.ts";
import { faultOf } from "./faults.ts";
import { isBusy, retryDelay, RETRY_FOR_MS } from "./retry.ts";

/** Writes beyond this wait for the next transaction, so that the first ones are not answered late. */
const GROUP_LIMIT = 256;
/** A group waits until so many turns of the event loop in a row brought no write. One connection is accepted a turn, and its
 *  request is read in a later one: with one turn, each caller that connects anew would have a commit of its own. */
const QUIET_TURNS = 2;

interface PendingWrite {
  readonly run: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly retryUntil: number;
  /** Its group's transaction failed, possibly because of it: it runs in a transaction of its own. */
  alone: boolean;
}

interface GroupCommitParts {
  readonly connection: Connection;
  /** In the message of a fault. */
  readonly file: string;
  /** @throws StoreFault when nothing may be written any more */
  readonly check: () => void;
}

type WriteResult = { readonly value: unknown } | { readonly error: unknown };

export class GroupCommit {
  readonly #db: Database.Database;
  readonly #file: string;
  readonly #check: () => void;
  readonly #drive: Connection["drive"];
  readonly #begin: Database.Statement;
  readonly #commit: Database.Statement;
  readonly #rollback: Database.Statement;
  readonly #savepoint: Database.Statement;
  readonly #release: Database.Statement;
  readonly #rollbackToSavepoint: Database.Statement;
  readonly #queue: PendingWrite[] = [];
  #scheduled = false;
  #onDrained: (() => void) | undefined;
  #commits = 0;

  constructor({ connection: { db, prepare, drive }, file, check }: GroupCommitParts) {
    this.#db = db;
    this.#file = file;
    this.#check = check;
    this.#drive = drive;
    this.#begin = prepare("BEGIN IMMEDIATE");
    this.#commit = prepare("COMMIT");
    this.#rollback = prepare("ROLLBACK");
    this.#savepoint = prepare("SAVEPOINT operation");
    this.#release = prepare("RELEASE operation");
    this.#rollbackToSavepoint = prepare("ROLLBACK TO operation");
  }

  /** How many transactions were committed so far. */
  get commits(): number {
    return this.#commits;
  }

  /** Resolves with the operation's value after the commit, or rejects with its error. */
  write<T>(operation: () => Tx<T>, { retryForMs = RETRY_FOR_MS }: WriteOptions = {}): Promise<T> {
    return new Promise<T>((accept, reject) => {
      this.#queue.push({
        run: () => this.#drive(operation()),
        resolve: accept as (value: unknown) => void,
        reject,
        retryUntil: performance.now() + retryForMs,
        alone: false,
      });
      this.#schedule(false);
    });
  }

  /** Resolves when every write requested so far is answered. Call it once, when no more writes follow. */
  async drain(): Promise<void> {
    if (this.#queue.length > 0) await new Promise<void>((done) => (this.#onDrained = done));
  }

  #schedule(locked: boolean): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const runNext = (): void => {
      this.#runNextGroup();
    };
    if (locked) void retryDelay().then(runNext);
    else this.#gather(runNext, QUIET_TURNS);
  }

  /** Waits to the end of a turn of the event loop, and of further ones while they bring more writes. */
  #gather(run: () => void, quietTurns: number): void {
    const before = this.#queue.length;
    setImmediate(() => {
      if (this.#queue.length > before && this.#queue.length < GROUP_LIMIT) this.#gather(run, QUIET_TURNS);
      else if (quietTurns > 1 && this.#queue.length > 1) this.#gather(run, quietTurns - 1);
      else run();
    });
  }

  #runNextGroup(): void {
    this.#scheduled = false;
    const locked = this.#runGroup(this.#queue.splice(0, this.#queue[0]?.alone ? 1 : GROUP_LIMIT));
    if (this.#queue.length > 0) this.#schedule(locked);
    else this.#onDrained?.();
  }

  /** Runs and answers a group. Writes to retry go back to the front of the queue.
   *  @returns true when another program held the file's lock */
  #runGroup(group: readonly PendingWrite[]): boolean {
    try {
      answer(group, this.#commitGroup(group));
      return false;
    } catch (error) {
      const fault = faultOf(error, this.#file);
      const locked = isBusy(fault);
      const now = performance.now();
      // A failed transaction does not tell which write broke it: each runs alone, so that one does not fail the others.
      const retried = locked
        ? group.filter(({ retryUntil }) => now <= retryUntil)
        : group.length > 1
          ? group
          : [];
      for (const write of group)
        if (!retried.includes(write)) write.reject(fault);
        else if (!locked) write.alone = true;
      this.#queue.unshift(...retried);
      return locked;
    }
  }

  /** Runs the group in one transaction. Throws when the transaction as a whole was rolled back. */
  #commitGroup(group: readonly PendingWrite[]): WriteResult[] {
    this.#check();
    this.#begin.run();
    try {
      const results = group.map(({ run }) => this.#runInSavepoint(run));
      // Without a successful write there is no commit: not even the file's change counter moves.
      if (results.some((result) => "value" in result)) {
        this.#check();
        this.#commit.run();
        this.#commits += 1;
        // The file may have been replaced while the disk was slow.
        this.#check();
      }
      return results;
    } finally {
      if (this.#db.inTransaction) this.#rollback.run();
    }
  }

  #runInSavepoint(run: () => unknown): WriteResult {
    this.#savepoint.run();
    try {
      const value = run();
      this.#release.run();
      return { value };
    } catch (error) {
      const fault = faultOf(error, this.#file);
      // A full disk or a lost lock ends the transaction, not only the statement.
      if (!this.#db.inTransaction || isBusy(fault)) throw fault;
      this.#rollbackToSavepoint.run();
      this.#release.run();
      return { error: fault };
    }
  }
}

const answer = (group: readonly PendingWrite[], results: readonly WriteResult[]): void => {
  group.forEach(({ resolve, reject }, index) => {
    const result = results[index];
    if (!result || "error" in result) reject(result?.error);
    else resolve(result.value);
  });
};
