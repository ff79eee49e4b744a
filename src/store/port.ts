/** The port between the gate and a database. It contains neither SQL of the domain nor a driver.
 *  A gate operation is a generator that yields steps and receives their answers, so it is written once for a synchronous
 *  and an asynchronous database. A generator cannot await, so an operation cannot keep a lock during any other I/O. */

import type { Statement } from "./sql.ts";

/** A request of an operation to the database that runs it. */
export type Step =
  | { readonly kind: "query"; readonly statement: Statement }
  | { readonly kind: "now" }
  | { readonly kind: "lane"; readonly repo: string }
  | { readonly kind: "lanes"; readonly repos: readonly string[] };

/** An operation inside one transaction. It must be repeatable from its start: a transaction that was rolled back is
 *  retried. */
// The reply's type depends on the step; the functions below are the only ones that name it.
export type Tx<T> = Generator<Step, T, unknown>;

/** Every row of a statement. Rows are plain objects, keyed by column name. */
export function* all<Row>(statement: Statement): Tx<Row[]> {
  return (yield { kind: "query", statement }) as Row[];
}

/** The first row of a statement, or undefined when there is none. */
export function* first<Row>(statement: Statement): Tx<Row | undefined> {
  return (yield* all<Row>(statement))[0];
}

/** Runs a statement and ignores its rows. */
export function* run(statement: Statement): Tx<void> {
  yield { kind: "query", statement };
}

/** The time of the clock that judges leases, in milliseconds since 1970 UTC. */
export function* now(): Tx<number> {
  return (yield { kind: "now" }) as number;
}

/** Locks a repository's lane until the transaction ends, and waits for the lock as long as needed. A decision about a
 *  lane needs its lock first. */
export function* lockLane(repo: string): Tx<void> {
  yield { kind: "lane", repo };
}

/** Locks the lanes that no other transaction has locked, without waiting. Returns the locked ones. */
export function* tryLanes(repos: readonly string[]): Tx<ReadonlySet<string>> {
  return new Set((yield { kind: "lanes", repos }) as string[]);
}

/** Locks a repository's lane; false, without waiting, when another transaction has locked it. */
export function* tryLane(repo: string): Tx<boolean> {
  return (yield* tryLanes([repo])).has(repo);
}

/** Milliseconds since 1970 UTC. Injected, so that tests own the time. */
export type Clock = () => number;

export interface Store {
  readonly dialect: Dialect;

  /** Runs an operation in one write transaction and resolves with its value after the commit, which survives a power
   *  cut. An error that the operation throws rolls all of it back and is passed on.
   *  @throws StoreFault when the database cannot answer. */
  write<T>(operation: () => Tx<T>): Promise<T>;

  /** Runs a read-only operation on one consistent snapshot.
   *  @throws StoreFault when the database cannot answer. */
  read<T>(operation: () => Tx<T>): Promise<T>;

  /** The id up to which a table is complete: later reads find no new row with that id or a lower one. Ids are drawn
   *  before the commit, so a lower id may become visible after a higher one.
   *  @param table one of serial-gate's own, whose ids the database draws
   *  @throws StoreFault when the database cannot answer. */
  completeUpTo(table: string): Promise<number>;

  /** A text that changes with every commit by any program, without reading rows; undefined where that is unknown. It
   *  is never older than the call.
   *  @throws StoreFault when the database cannot answer. */
  version(): Promise<string | undefined>;

  /** Runs the listener within a second after a commit of another program, until the returned function is called. */
  watch(listener: () => void): () => void;

  /** Resolves when every requested write is answered. Later calls reject with a StoreFault. */
  close(): Promise<void>;
}

/** What a migration must know of a database: its folder and how it describes itself. */
export interface Dialect {
  readonly name: "sqlite" | "postgres";
  /** Rows `{table_name, column_name}` of every column of every table that the program can see. */
  readonly columns: Statement;
  /** Rows `{name}` of every index, trigger and view, and of every function as `name()`. */
  readonly objects: Statement;
  /** The statements that make a trigger, in the place of one of that name. */
  readonly makeTrigger: (trigger: Trigger) => readonly Statement[];
  readonly dropTrigger: (trigger: Trigger) => readonly Statement[];
  /** Keeps other migrators out until the transaction ends. */
  readonly migrationLock: Statement;
}

/** What happens after each row of a change, in the transaction of whoever makes it. Its condition and its
 *  statements are portable SQL about NEW and OLD. */
export interface Trigger {
  readonly name: string;
  readonly table: string;
  /** INSERT, DELETE, or UPDATE of the columns named. */
  readonly after: "INSERT" | "DELETE" | `UPDATE OF ${string}`;
  readonly when: Statement;
  readonly body: readonly Statement[];
}

/** `busy`: a lock was held for too long; nothing changed, and a retry may succeed.
 *  `unavailable`: the database could not be reached, read or written; the operation was rolled back, or its outcome is
 *  unknown.
 *  `unreadable`: a table, a column or a page that the statement needs is missing or damaged.
 *  `refused`: a constraint or a column type does not allow the change; nothing changed, and a retry is refused again. */
export type StoreFaultKind = "busy" | "unavailable" | "unreadable" | "refused";

export class StoreFault extends Error {
  override readonly name = "StoreFault";
  readonly kind: StoreFaultKind;

  constructor(kind: StoreFaultKind, message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}
