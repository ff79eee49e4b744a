/** A connection to a SQLite file: opening and configuring it, running operations on it, and translating its errors.
 *  It holds no transaction policy: see group-commit.ts and readers.ts. */

import { resolve } from "node:path";
import Database from "better-sqlite3";
import { StoreFault, type Clock, type Step, type Tx } from "../port.ts";
import { createPrivately } from "./permissions.ts";

/** How long SQLite itself waits for a lock. The wait blocks the event loop, so it is short; retry.ts waits instead. */
const BUSY_TIMEOUT_MS = 20;
const CACHED_STATEMENTS = 500;
/** Pages in the WAL before a checkpoint (16 MB): a hot page is then copied to the database once instead of many times. */
const CHECKPOINT_PAGES = 4_000;

/** Includes RAISE in another program's trigger. */
const REFUSED = /^SQLITE_(CONSTRAINT|TOOBIG)/;
const UNREADABLE = /^SQLITE_(ERROR|CORRUPT|NOTADB|SCHEMA|MISMATCH)/;

export const busyFault = (cause?: unknown): StoreFault =>
  new StoreFault("busy", "Another program has locked the database.", cause);

/** A driver's error as the port's typed fault; any other error as it is. */
export const faultOf = (error: unknown): unknown => {
  if (!(error instanceof Database.SqliteError)) return error;
  if (/^SQLITE_(BUSY|LOCKED)/.test(error.code)) return busyFault(error);
  const kind = REFUSED.test(error.code)
    ? "refused"
    : UNREADABLE.test(error.code)
      ? "unreadable"
      : "unavailable";
  return new StoreFault(kind, `The database answered ${error.code}: ${error.message}`, error);
};

/** Sets WAL on a file that this process creates; an existing file keeps its mode, because another program may have it
 *  open. A process that loses the race to create the file finds the winner's mode. */
export const configure = (db: Database.Database, mayCreate: boolean): void => {
  const isEmpty = db.pragma("page_count", { simple: true }) === 0;
  if (isEmpty && mayCreate) db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  db.pragma("temp_store = MEMORY");
  // Another program's schema may declare foreign keys that the program does not enforce.
  db.pragma("foreign_keys = OFF");
  const synchronous = db.pragma("synchronous", { simple: true });
  if (synchronous !== 2)
    throw new StoreFault(
      "unavailable",
      `SQLite did not accept synchronous=FULL (it reports ${String(synchronous)}).`,
    );
};

export const openFile = (path: string, mustExist: boolean): Database.Database => {
  if (path === ":memory:") return new Database(path);
  const file = resolve(path);
  try {
    if (!mustExist) createPrivately(file);
    return new Database(file, { timeout: BUSY_TIMEOUT_MS, fileMustExist: mustExist });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StoreFault("unavailable", `Cannot open the database ${file}: ${why}`, error);
  }
};

/** True in WAL mode, the only one in which a slow reader does not block writers. */
export const isWal = (db: Database.Database): boolean =>
  db.pragma("journal_mode", { simple: true }) === "wal";

/** A read-only connection to a file that is already open and configured. */
export const openReader = (path: string): Database.Database => {
  const db = new Database(resolve(path), { timeout: BUSY_TIMEOUT_MS, readonly: true });
  db.pragma("synchronous = FULL");
  db.pragma("temp_store = MEMORY");
  return db;
};

export interface Connection {
  readonly db: Database.Database;
  /** Prepares a statement, or returns the cached one. */
  readonly prepare: (text: string) => Database.Statement;
  /** Runs one step of an operation. The caller has begun the transaction. */
  readonly answer: (step: Step) => unknown;
  /** Runs an operation to its end. */
  readonly drive: <T>(tx: Tx<T>) => T;
}

export const connectionTo = (db: Database.Database, clock: Clock): Connection => {
  const prepared = new Map<string, Database.Statement>();
  const prepare = (text: string): Database.Statement => {
    let statement = prepared.get(text);
    if (!statement) {
      if (prepared.size >= CACHED_STATEMENTS) prepared.clear();
      statement = db.prepare(text);
      prepared.set(text, statement);
    }
    return statement;
  };
  const answer = (step: Step): unknown => {
    switch (step.kind) {
      case "query": {
        const statement = prepare(step.statement.sql);
        if (statement.reader) return statement.all(...step.statement.params);
        statement.run(...step.statement.params);
        return [];
      }
      case "now":
        return clock();
      case "lane":
        return true; // BEGIN IMMEDIATE already excludes every other writer.
      case "lanes":
        return step.repos;
    }
  };
  const drive = <T>(tx: Tx<T>): T => {
    let step = tx.next();
    while (!step.done) step = tx.next(answer(step.value));
    return step.value;
  };
  return { db, prepare, answer, drive };
};
