/** A connection to the embedded database: how a file is opened, set and asked, and what its errors mean. */

import { mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import Database from "better-sqlite3";
import { StoreFault, type Clock, type Step, type Tx } from "../port.ts";

/** How long SQLite itself waits for a lock. It stalls the whole event loop, so the patience is in the
 *  asynchronous retry instead. */
const BUSY_TIMEOUT_MS = 20;
const CACHED_STATEMENTS = 500;
/** Pages that gather in the WAL before they are put in their places: a hot one is written there once in the place of
 *  many times. 16 MB. */
const CHECKPOINT_PAGES = 4_000;

/** Also a trigger of another program's that raises. */
const REFUSED = /^SQLITE_(CONSTRAINT|TOOBIG)/;
const UNREADABLE = /^SQLITE_(ERROR|CORRUPT|NOTADB|SCHEMA|MISMATCH)/;

export const busyFault = (cause?: unknown): StoreFault =>
  new StoreFault("busy", "Another program holds the database.", cause);

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

/** WAL for a file that we create; a file that others may have open keeps the mode it has. Whoever loses
 *  the race to create it finds what the winner set. */
export const configure = (db: Database.Database): void => {
  const fresh = db.pragma("page_count", { simple: true }) === 0;
  if (fresh) db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  db.pragma("temp_store = MEMORY");
  // Another program's schema may declare references that it does not enforce itself.
  db.pragma("foreign_keys = OFF");
  const synchronous = db.pragma("synchronous", { simple: true });
  if (synchronous !== 2)
    throw new StoreFault(
      "unavailable",
      `The database does not take synchronous=FULL (it says ${String(synchronous)}).`,
    );
};

export const openFile = (path: string): Database.Database => {
  if (path === ":memory:") return new Database(path);
  const file = resolve(path);
  try {
    mkdirSync(dirname(file), { recursive: true });
    return new Database(file, { timeout: BUSY_TIMEOUT_MS });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StoreFault("unavailable", `Cannot open the database ${file}: ${why}`, error);
  }
};

/** Whether a reader that takes its time would keep others from writing: in every mode but WAL. */
export const isShared = (db: Database.Database): boolean =>
  db.pragma("journal_mode", { simple: true }) !== "wal";

/** A further connection to a file that is open and set already, for reading. */
export const openReader = (path: string): Database.Database => {
  const db = new Database(resolve(path), { timeout: BUSY_TIMEOUT_MS, readonly: true });
  db.pragma("synchronous = FULL");
  db.pragma("temp_store = MEMORY");
  return db;
};

export interface Connection {
  readonly db: Database.Database;
  /** The statement of that text, prepared once. */
  readonly prepare: (text: string) => Database.Statement;
  /** Answers a step of an operation, inside a transaction that is begun. */
  readonly answer: (step: Step) => unknown;
  /** Answers all of an operation's. */
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
        return true; // A write transaction is alone in the file.
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
