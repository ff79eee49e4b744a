/** The port between the gate and a database.
 *  A gate operation is a generator: it yields what it needs and is handed the answer, so it is written
 *  once for a synchronous database and an asynchronous one. A generator cannot await, so no operation
 *  can hold a lock across anything but its own statements.
 *  No SQL of the domain here, no driver. */

import type { Statement } from "./sql.ts";

/** What an operation asks of the database that drives it. */
export type Step =
  | { readonly kind: "query"; readonly statement: Statement }
  | { readonly kind: "now" }
  | { readonly kind: "lane"; readonly repo: string }
  | { readonly kind: "lanes"; readonly repos: readonly string[] };

/** An operation inside one transaction. It must be able to run again from its start: a transaction whose
 *  outcome is known to be nothing is repeated. */
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

/** Runs a statement for what it changes. */
export function* run(statement: Statement): Tx<void> {
  yield { kind: "query", statement };
}

/** The time of the clock that judges leases, in milliseconds since 1970 UTC. */
export function* now(): Tx<number> {
  return (yield { kind: "now" }) as number;
}

/** Holds a repository's lane until the transaction ends, waiting for it as long as needed.
 *  Decide nothing about a lane before this. */
export function* lockLane(repo: string): Tx<void> {
  yield { kind: "lane", repo };
}

/** Holds those of the lanes that no one else holds, without waiting for any; which they are. */
export function* tryLanes(repos: readonly string[]): Tx<ReadonlySet<string>> {
  return new Set((yield { kind: "lanes", repos }) as string[]);
}

/** Holds a repository's lane if no one else does; false when someone does. */
export function* tryLane(repo: string): Tx<boolean> {
  return (yield* tryLanes([repo])).has(repo);
}

/** Milliseconds since 1970 UTC. Injected, so that tests own the time. */
export type Clock = () => number;

export interface Store {
  readonly dialect: Dialect;

  /** Runs an operation in one write transaction and resolves after its commit: what it resolved with
   *  survives a power cut. An error that the operation throws undoes all of it and is passed on.
   *  @throws StoreFault when the database cannot answer. */
  write<T>(operation: () => Tx<T>): Promise<T>;

  /** Runs an operation that only reads, on one consistent state of the database.
   *  @throws StoreFault when the database cannot answer. */
  read<T>(operation: () => Tx<T>): Promise<T>;

  /** The id up to which a table is complete: a row of that id or a lower one that a read from now on does not find
   *  will never be there. Ids are drawn before they are committed, so that a lower one may follow a higher one.
   *  @param table one of the program's own, whose ids the database draws
   *  @throws StoreFault when the database cannot answer. */
  completeUpTo(table: string): Promise<number>;

  /** A text that is another once anyone has committed anything, known without reading a row; undefined where it cannot
   *  be told. It is never older than the call.
   *  @throws StoreFault when the database cannot answer. */
  version(): Promise<string | undefined>;

  /** Runs the listener soon after another program has committed to the database (at most a second later),
   *  until the returned function is called. */
  watch(listener: () => void): () => void;

  /** Waits until every write that was asked for is answered. Who comes later is told of a StoreFault. */
  close(): Promise<void>;
}

/** Describes a database to the migrations: its folder, what is in it, and how it spells triggers. */
export interface Dialect {
  readonly name: "sqlite" | "postgres";
  /** Rows `{table_name, column_name}` of every column of every table that the program can see. */
  readonly columns: Statement;
  /** Rows `{name}` of every index, trigger and view, and of every function as `name()`. */
  readonly objects: Statement;
  /** The statements that make a trigger. There must be none of its name. */
  readonly makeTrigger: (trigger: Trigger) => readonly Statement[];
  /** Drops the trigger of that name, if there is one. */
  readonly dropTrigger: (name: string) => Statement;
  /** Rows `{statement}`, each of which drops something that fired or was called in a database of the program before its
   *  release. */
  readonly dropsBeforeRelease: Statement;
  /** Keeps other migrators out until the transaction ends. */
  readonly migrationLock: Statement;
}

/** Runs after each row of a change, in the transaction of the program that makes it. Data: a dialect spells it out. */
export interface Trigger {
  /** The same on every database. PostgreSQL fires in alphabetical order. */
  readonly name: string;
  readonly table: string;
  readonly after: "INSERT" | "DELETE" | "UPDATE" | `UPDATE OF ${string}`;
  /** Portable SQL about NEW and OLD alone: PostgreSQL takes no subquery here. Always, when left out. */
  readonly when?: Statement;
  readonly body: readonly TriggerAction[];
}

/** Portable SQL about NEW and OLD, or an action that the databases spell differently. */
export type TriggerAction = Statement | LaneUpdate | LaneLock | EventInsert;

/** Updates the row of a lane once, and makes the row first if there is none. */
export interface LaneUpdate {
  readonly kind: "lane update";
  readonly lane: Statement;
  readonly update: Statement;
}

/** Locks two lanes until the transaction ends, in one order whichever way a row moves between them. NULL is no lane. */
export interface LaneLock {
  readonly kind: "lane lock";
  readonly lanes: readonly [Statement, Statement];
}

/** Inserts a row into gate_events at the time of the database's clock. */
export interface EventInsert {
  readonly kind: "event";
  /** The columns but for `at` and `detail`. */
  readonly columns: Readonly<Record<string, Statement>>;
  /** The members of `detail`, a JSON object. */
  readonly detail: Readonly<Record<string, JsonMember>>;
}

/** A member of a JSON object: a column's value as a JSON string or number (null for NULL), or true. */
export type JsonMember = { readonly text: Statement } | { readonly number: Statement } | true;

/** `busy`: others held the database for too long; nothing happened, try again.
 *  `unavailable`: it could not be reached, read or written; the operation is undone or its outcome unknown.
 *  `unreadable`: it answered that what the statement names is not there or is damaged.
 *  `refused`: it answered that a constraint or a column of its own does not allow the change; nothing happened, and
 *  the same again is refused again. */
export type StoreFaultKind = "busy" | "unavailable" | "unreadable" | "refused";

export class StoreFault extends Error {
  override readonly name = "StoreFault";
  readonly kind: StoreFaultKind;

  constructor(kind: StoreFaultKind, message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}
