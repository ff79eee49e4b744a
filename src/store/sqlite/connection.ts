/** A connection to a SQLite file: opening and configuring it, and running operations on it.
 *  It holds no transaction policy: see group-commit.ts and readers.ts. */

import { statSync } from "node:fs";
import { resolve } from "node:path";
import Database from "better-sqlite3";
import { StoreFault, type Clock, type Step, type Tx } from "../port.ts";
import { createPrivately } from "./permissions.ts";

/** The path of a database that has no file. */
export const MEMORY = ":memory:";

/** How long SQLite itself waits for a lock. The wait blocks the event loop, so it is short; retry.ts waits instead. */
const BUSY_TIMEOUT_MS = 20;
const CACHED_STATEMENTS = 500;
/** Pages in the WAL before a checkpoint (16 MB): a hot page is then copied to the database once instead of many times. */
const CHECKPOINT_PAGES = 4_000;
/** The pages that a connection keeps in memory, in KiB: SQLite's default. better-sqlite3 would keep 16 MB on each of up to five
 *  connections, and claims no faster. */
const CACHE_KIB = 2_000;

/** Sets WAL on a file that this process creates; an existing file keeps its mode, because another program may have it
 *  open. A process that loses the race to create the file finds the winner's mode. */
export const configure = (db: Database.Database, mayCreate: boolean): void => {
  const isEmpty = db.pragma("page_count", { simple: true }) === 0;
  if (isEmpty && mayCreate) db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  db.pragma("temp_store = MEMORY");
  db.pragma(`cache_size = -${CACHE_KIB}`);
  // Another program's schema may declare foreign keys that the program does not enforce.
  db.pragma("foreign_keys = OFF");
  if (mayCreate) refuseReadOnly(db);
  const synchronous = db.pragma("synchronous", { simple: true });
  if (synchronous !== 2)
    throw new StoreFault(
      "unavailable",
      `SQLite did not accept synchronous=FULL (it reports ${String(synchronous)}).`,
    );
};

/** Throws where SQLite could open the file for reading only: this connection could never write, also not once the file may be
 *  written. Only a write tells, which is taken back. Any other fault is left to the operation that meets it. */
const refuseReadOnly = (db: Database.Database): void => {
  try {
    db.exec("BEGIN IMMEDIATE");
    db.pragma(`user_version = ${Number(db.pragma("user_version", { simple: true }))}`);
  } catch (error) {
    if (error instanceof Database.SqliteError && error.code.startsWith("SQLITE_READONLY")) throw error;
  } finally {
    if (db.inTransaction) db.exec("ROLLBACK");
  }
};

/** How a file is opened. */
export interface OpenFileOptions {
  /** Refuses a file that does not exist, and leaves one without tables as it is. */
  readonly mustExist?: boolean;
  /** Takes a file that exists and is empty for a new database. */
  readonly allowEmpty?: boolean;
}

/** An empty file may be a database that something emptied: taken for a new one, it would have no freezes.
 *  @throws StoreFault unavailable */
const refuseEmpty = (file: string): void => {
  if (statSync(file, { throwIfNoEntry: false })?.size === 0)
    throw new StoreFault(
      "unavailable",
      `The database ${file} exists and is empty: was it emptied by mistake? Restore a backup or, for a new database, delete the file or set SERIAL_GATE_ALLOW_EMPTY=true.`,
    );
};

export const openFile = (
  path: string,
  { mustExist = false, allowEmpty = false }: OpenFileOptions,
): Database.Database => {
  if (path === MEMORY) return new Database(path);
  const file = resolve(path);
  try {
    if (!mustExist) createPrivately(file, makeDatabase);
    if (!mustExist && !allowEmpty) refuseEmpty(file);
    return new Database(file, { timeout: BUSY_TIMEOUT_MS, fileMustExist: mustExist });
  } catch (error) {
    if (error instanceof StoreFault) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new StoreFault("unavailable", `Cannot open the database ${file}: ${why}`, error);
  }
};

/** Makes an empty file a database without tables. */
const makeDatabase = (file: string): void => {
  const db = new Database(file);
  try {
    db.pragma("journal_mode = WAL");
  } finally {
    db.close();
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
  db.pragma(`cache_size = -${CACHE_KIB}`);
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
  const cached = (key: string, make: () => Database.Statement): Database.Statement => {
    let statement = prepared.get(key);
    if (!statement) {
      if (prepared.size >= CACHED_STATEMENTS) prepared.clear();
      statement = make();
      prepared.set(key, statement);
    }
    return statement;
  };
  const prepare = (text: string): Database.Statement => cached(text, () => db.prepare(text));
  // A statement gives its rows in one form for good.
  const prepareTuples = (text: string): Database.Statement =>
    cached(`tuples ${text}`, () => db.prepare(text).raw(true));
  const answer = (step: Step): unknown => {
    switch (step.kind) {
      case "query": {
        const statement = prepare(step.statement.sql);
        if (statement.reader) return statement.all(...step.statement.params);
        statement.run(...step.statement.params);
        return [];
      }
      case "tuples":
        return prepareTuples(step.statement.sql).all(...step.statement.params);
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
