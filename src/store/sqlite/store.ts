/** The embedded database: one file, group commit.
 *  Writes that arrive in one turn of the event loop share one transaction, each in a savepoint of its own,
 *  and are answered after its one commit. Nothing here knows the domain. */

import { setImmediate as endOfTurn } from "node:timers/promises";
import { first, StoreFault, type Clock, type Store, type Tx } from "../port.ts";
import { raw } from "../sql.ts";
import { configure, connectionTo, faultOf, busyFault, isShared, openFile, openReader } from "./connection.ts";
import { DIALECT } from "./dialect.ts";
import { Readers } from "./readers.ts";

/** How long an operation is retried while another program holds the file. */
const PATIENCE_MS = 5_000;
const RETRY_MS = { least: 5, spread: 20 };
/** A turn's operations beyond this wait for the next transaction, so that the first is not answered late. */
const GROUP_LIMIT = 256;
const WATCH_MS = 200;

/** An operation that waits for its transaction. */
interface Waiting {
  readonly run: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly patientUntil: number;
  /** Its group failed as a whole, and it may be the cause: it gets a transaction of its own. */
  alone: boolean;
}

type Outcome = { readonly value: unknown } | { readonly error: unknown };

const isBusy = (error: unknown): boolean => error instanceof StoreFault && error.kind === "busy";

const pause = (): Promise<void> =>
  new Promise((wake) => setTimeout(wake, RETRY_MS.least + Math.random() * RETRY_MS.spread));

/** Repeats synchronous attempts while another program holds the file. Who comes or waits meanwhile waits for
 *  one of them to get through: SQLite's own wait stalls the event loop, so there is one a round, however many
 *  they are. */
const retryingWithBackoff = () => {
  let held: Promise<void> | undefined;
  return async <T>(attempt: () => T | Promise<T>): Promise<T> => {
    const patientUntil = performance.now() + PATIENCE_MS;
    for (;;) {
      while (held) {
        await held;
        if (performance.now() > patientUntil) throw busyFault();
      }
      try {
        return await attempt();
      } catch (error) {
        const fault = faultOf(error);
        if (!isBusy(fault)) throw fault;
        held = pause().then(() => {
          held = undefined;
        });
      }
    }
  };
};

/** Opens a database file, creating it and its folder if needed.
 *  @throws StoreFault when it cannot be opened or is not a SQLite database. */
export const openSqlite = async (path: string, clock: Clock): Promise<Store> => {
  const db = openFile(path);
  const patiently = retryingWithBackoff();
  try {
    await patiently(() => {
      configure(db);
    });
  } catch (error) {
    db.close();
    if (error instanceof StoreFault && error.kind !== "busy")
      throw new StoreFault(error.kind, `Cannot use the database ${path}: ${error.message}`, error);
    throw error;
  }

  const { prepare, drive } = connectionTo(db, clock);
  const readers = isShared(db) ? undefined : new Readers(() => openReader(path), clock);

  const begin = prepare("BEGIN IMMEDIATE");
  const commit = prepare("COMMIT");
  const rollback = prepare("ROLLBACK");
  const savepoint = prepare("SAVEPOINT operation");
  const release = prepare("RELEASE operation");
  const undo = prepare("ROLLBACK TO operation");

  let commits = 0;
  const othersCommits = db.prepare("PRAGMA data_version").pluck();

  /** What those who ask in one turn of the event loop share: it is looked at when all of them have asked, and they go on
   *  together, which halves what a request costs. */
  let version: Promise<string | undefined> | undefined;
  const lookAtVersion = (): string | undefined => {
    version = undefined;
    try {
      // The pragma tells of the commits of other connections, not of this one's.
      return `${String(othersCommits.get())}.${commits}`;
    } catch {
      return undefined;
    }
  };

  /** Runs the group in one transaction. Throws when the transaction as a whole came to nothing. */
  const commitGroup = (group: readonly Waiting[]): Outcome[] => {
    begin.run();
    try {
      const outcomes = group.map(({ run }): Outcome => {
        savepoint.run();
        try {
          const value = run();
          release.run();
          return { value };
        } catch (error) {
          const fault = faultOf(error);
          // A full disk or a lost lock ends the transaction, not only the statement.
          if (!db.inTransaction || isBusy(fault)) throw fault;
          undo.run();
          release.run();
          return { error: fault };
        }
      });
      // Where nothing is to be kept, nothing is written: not even the file's change counter.
      if (outcomes.some((outcome) => "value" in outcome)) {
        commit.run();
        commits += 1;
      }
      return outcomes;
    } finally {
      if (db.inTransaction) rollback.run();
    }
  };

  const queue: Waiting[] = [];
  let scheduled = false;
  let drained: (() => void) | undefined;
  let closed: Promise<void> | undefined;

  const settle = (group: readonly Waiting[], outcomes: readonly Outcome[]): void => {
    group.forEach(({ resolve: accept, reject }, index) => {
      const outcome = outcomes[index];
      if (!outcome || "error" in outcome) reject(outcome?.error);
      else accept(outcome.value);
    });
  };

  /** Answers a group, or puts back in its place what is to be tried again.
   *  @returns whether another program held the file */
  const serve = (group: readonly Waiting[]): boolean => {
    try {
      settle(group, commitGroup(group));
      return false;
    } catch (error) {
      const fault = faultOf(error);
      const busy = isBusy(fault);
      const late = performance.now();
      const patient = group.filter(({ patientUntil }) => late <= patientUntil);
      // Whose fault it was is not known: each alone, so that one does not fail its neighbours.
      const again = busy ? patient : group.length > 1 ? group : [];
      for (const waiting of group)
        if (!again.includes(waiting)) waiting.reject(fault);
        else if (!busy) waiting.alone = true;
      queue.unshift(...again);
      return busy;
    }
  };

  const drain = (): void => {
    scheduled = false;
    const busy = serve(queue.splice(0, queue[0]?.alone ? 1 : GROUP_LIMIT));
    if (queue.length > 0) schedule(busy);
    else drained?.();
  };

  const schedule = (busy: boolean): void => {
    if (scheduled) return;
    scheduled = true;
    if (busy) void pause().then(drain);
    else setImmediate(drain);
  };

  const close = async (): Promise<void> => {
    if (queue.length > 0) await new Promise<void>((done) => (drained = done));
    await readers?.close();
    db.close();
  };

  const turnAwayIfClosed = (): void => {
    if (closed) throw new StoreFault("unavailable", "The database is closed.");
  };

  const read: Store["read"] = (operation) =>
    patiently(() => {
      turnAwayIfClosed();
      if (readers) return readers.read(operation);
      prepare("BEGIN").run();
      try {
        return drive(operation());
      } finally {
        if (db.inTransaction) rollback.run();
      }
    });

  return {
    dialect: DIALECT,

    write: <T>(operation: () => Tx<T>) =>
      new Promise<T>((accept, reject) => {
        turnAwayIfClosed();
        queue.push({
          run: () => drive(operation()),
          resolve: accept as (value: unknown) => void,
          reject,
          patientUntil: performance.now() + PATIENCE_MS,
          alone: false,
        });
        schedule(false);
      }),

    read,

    // A writer is alone in the file: ids are drawn in the order of the commits.
    completeUpTo: async (table) => {
      const newest = raw(`SELECT MAX(id) AS id FROM ${table}`);
      return (await read(() => first<{ id: number | null }>(newest)))?.id ?? 0;
    },

    version: () => (version ??= endOfTurn().then(lookAtVersion)),

    watch: (listener) => {
      const read = (): unknown => {
        try {
          return othersCommits.get();
        } catch {
          return seen; // The operation that needs the database reports its fault; a poll has no one to tell.
        }
      };
      let seen: unknown;
      seen = read();
      const timer = setInterval(() => {
        const current = read();
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
