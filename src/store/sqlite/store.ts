/** The store over an embedded database: one SQLite file.
 *  It assembles the connection, group commit and the concurrent readers into the port's Store, and knows nothing of the
 *  domain. */

import { resolve } from "node:path";
import { setImmediate as endOfTurn } from "node:timers/promises";
import type Database from "better-sqlite3";
import { first, StoreFault, type Clock, type Store } from "../port.ts";
import { sql } from "../sql.ts";
import {
  configure,
  connectionTo,
  isWal,
  MEMORY,
  openFile,
  openReader,
  type OpenFileOptions,
} from "./connection.ts";
import { DIALECT } from "./dialect.ts";
import { FileIdentity } from "./file-identity.ts";
import { GroupCommit } from "./group-commit.ts";
import { Readers } from "./readers.ts";
import { retryingWithBackoff } from "./retry.ts";

const WATCH_MS = 200;

const isLost = (identity: FileIdentity): boolean => {
  try {
    identity.check();
  } catch {
    // It may only be out of sight for now; SQLite looks again.
  }
  return identity.isLost;
};

const closedFault = (): StoreFault => new StoreFault("unavailable", "The database is closed.");

/** Opens a database file, creating it and its folder unless it must exist.
 *  @throws StoreFault when it cannot be opened, is empty or is not a SQLite database. */
export const openSqlite = async (
  path: string,
  clock: Clock,
  options: OpenFileOptions = {},
): Promise<Store> => {
  const db = openFile(path, options);
  const file = path === MEMORY ? path : resolve(path);
  const retryWithBackoff = retryingWithBackoff(file);
  try {
    await retryWithBackoff(() => {
      configure(db, !options.mustExist);
    });
  } catch (error) {
    db.close();
    throw error;
  }

  const identity = path === MEMORY ? undefined : new FileIdentity(path);
  /** @throws StoreFault when the path does not name the open file any more, which ends every connection to it */
  const check = (): void => {
    if (!identity) return;
    try {
      identity.check();
    } catch (error) {
      // The caller's transaction ends first.
      if (identity.isLost) setImmediate(() => void (parted ??= part(identity)));
      throw error;
    }
  };
  const connection = connectionTo(db, clock);
  const { prepare, drive } = connection;
  const writes = new GroupCommit({ connection, file, check });
  const openChecked = (): Database.Database => {
    const reader = openReader(path);
    try {
      check();
      return reader;
    } catch (error) {
      reader.close();
      throw error;
    }
  };
  const readers = isWal(db) ? new Readers(openChecked, clock) : undefined;
  let parted: Promise<void> | undefined;
  const part = async (lost: FileIdentity): Promise<void> => {
    await readers?.close();
    lost.partFrom(db);
  };
  let closed: Promise<void> | undefined;

  const foreignCommits = db.prepare("PRAGMA data_version").pluck();

  /** Shared by the callers of one turn of the event loop: the pragma runs once, at the end of the turn, and they resume
   *  together, which halves the cost of a request. */
  let version: Promise<string | undefined> | undefined;
  const readVersion = (): string | undefined => {
    version = undefined;
    try {
      // The pragma counts the commits of other connections, not of this one.
      return `${String(foreignCommits.get())}.${writes.commits}`;
    } catch {
      return undefined;
    }
  };

  const read: Store["read"] = (operation, { long = false, signal } = {}) =>
    retryWithBackoff(() => {
      if (closed) throw closedFault();
      check();
      if (readers) return long ? readers.readInSlices(operation, signal) : readers.readNow(operation);
      prepare("BEGIN").run();
      try {
        return drive(operation());
      } finally {
        if (db.inTransaction) prepare("ROLLBACK").run();
      }
    });

  // AUTOINCREMENT keeps it, so that no id is drawn twice.
  const lastId = async (table: string): Promise<number> => {
    const drawn = sql`SELECT seq AS id FROM sqlite_sequence WHERE name = ${table}`;
    return (await read(() => first<{ id: number }>(drawn)))?.id ?? 0;
  };

  const close = async (): Promise<void> => {
    await writes.drain();
    if (identity && isLost(identity)) return (parted ??= part(identity));
    await readers?.close();
    db.close();
  };

  return {
    dialect: DIALECT,

    write: (operation, options) =>
      closed ? Promise.reject(closedFault()) : writes.write(operation, options),

    read,

    // A SQLite file has one writer at a time: ids are drawn in the order of the commits.
    completeUpTo: lastId,

    lastId,

    // The id is drawn in the transaction: it is visible with it, and goes with it.
    changes: async ({ from }) => String(await lastId(from)),

    version: () => (version ??= endOfTurn().then(readVersion)),

    watch: (listener) => {
      const poll = (): unknown => {
        try {
          return foreignCommits.get();
        } catch {
          return seen; // A poll has no caller to report to; the next operation reports the fault.
        }
      };
      let seen: unknown;
      seen = poll();
      const timer = setInterval(() => {
        const current = poll();
        if (current === seen) return;
        seen = current;
        listener();
      }, WATCH_MS);
      return () => {
        clearInterval(timer);
      };
    },

    close: () => (closed ??= close()),
  };
};
