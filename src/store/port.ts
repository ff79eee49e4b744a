/** The port between the gate and a database. It contains neither SQL of the domain nor a driver.
 *  A gate operation is a generator that yields steps and receives their answers, so it is written once for a synchronous
 *  and an asynchronous database. A generator cannot await, so an operation cannot keep a lock during any other I/O. */

import type { Statement } from "./sql.ts";

/** A request of an operation to the database that runs it. */
export type Step =
  | { readonly kind: "query"; readonly statement: Statement }
  | { readonly kind: "tuples"; readonly statement: Statement }
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

/** Every row of a statement that reads, as an array of its columns' values: an object for each row takes half as long again. */
export function* tuples<Row extends readonly unknown[]>(statement: Statement): Tx<Row[]> {
  return (yield { kind: "tuples", statement }) as Row[];
}

/** The first row of a statement, or undefined when there is none. */
export function* first<Row>(statement: Statement): Tx<Row | undefined> {
  return (yield* all<Row>(statement))[0];
}

/** Reads the one row of a statement that always has one, such as INSERT … RETURNING or a count.
 *  @throws Error when there is none: the statement is wrong, not the caller */
export function* one<Row>(statement: Statement): Tx<Row> {
  const row = yield* first<Row>(statement);
  if (row === undefined) throw new Error(`No row came back from: ${statement.sql}`);
  return row;
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

export interface WriteOptions {
  /** How long the write is retried while a lock stands in its way, in milliseconds. */
  readonly retryForMs?: number;
}

export interface ReadOptions {
  /** True for a read of many statements. Long reads yield to everything else, and wait only for one another. */
  readonly long?: boolean | undefined;
  /** Aborted when nobody wants the value any more: the read is abandoned at its next step. */
  readonly signal?: AbortSignal | undefined;
}

export interface Store {
  readonly dialect: Dialect;

  /** Runs an operation in one write transaction and resolves with its value after the commit, which survives a power
   *  cut. An error that the operation throws rolls all of it back and is passed on.
   *  @throws StoreFault when the database cannot answer. */
  write<T>(operation: () => Tx<T>, options?: WriteOptions): Promise<T>;

  /** Runs a read-only operation on one consistent snapshot. A short one (the default) never waits for a long one.
   *  @throws StoreFault when the database cannot answer, or when its caller is gone. */
  read<T>(operation: () => Tx<T>, options?: ReadOptions): Promise<T>;

  /** The id up to which a table is complete: later reads find no new row with that id or a lower one. Ids are drawn
   *  before the commit, so a lower id may become visible after a higher one.
   *  @param table one of serial-gate's own, whose ids the database draws
   *  @throws StoreFault when the database cannot answer. */
  completeUpTo(table: string): Promise<number>;

  /** The highest id that the table ever drew, also for rows that were deleted or rolled back. No id that a caller was ever
   *  told is higher.
   *  @throws StoreFault when the database cannot answer. */
  lastId(table: string): Promise<number>;

  /** A text that changes with every commit by any program, without reading rows; undefined where that is unknown. It
   *  is never older than the call.
   *  @throws StoreFault when the database cannot answer. */
  version(): Promise<string | undefined>;

  /** A text that differs once a transaction has committed that drew an id of a table (`Draw`), at the same cost for tables of
   *  any size. It is never older than the call.
   *  @param draws.by the table that every such transaction writes to before it draws
   *  @throws StoreFault when the database cannot answer. */
  changes(draws: { readonly from: string; readonly by: string }): Promise<string>;

  /** Runs the listener within a second after a commit of another program, until the returned function is called. */
  watch(listener: () => void): () => void;

  /** Abandons long reads and resolves when every requested write is answered. Later calls reject with a StoreFault. */
  close(): Promise<void>;
}

/** Describes a database to the migrations: its folder, what is in it, and how it spells triggers. */
export interface Dialect {
  readonly name: "sqlite" | "postgres";
  /** The schema of our tables, as SQL names it. */
  readonly schema: string;
  /** Rows `{table_name, column_name}` of every column of every table that the program can see. */
  readonly columns: Statement;
  /** Rows `{name}` of every index, trigger and view, and of every function as `name()`. A trigger of ours that has lost
   *  its protection is left out. */
  readonly objects: Statement;
  /** True where a write transaction excludes every other one, so that nothing changes between its statements but by them. */
  readonly writerIsAlone: boolean;
  /** The functions that triggers call, and the triggers that only this database needs. */
  readonly routines: readonly Routine[];
  /** The statements that make a trigger. There must be none of its name. */
  readonly makeTrigger: (trigger: Trigger) => readonly Statement[];
  /** Milliseconds since 1970 of a stored text, as `fromStored` in timestamps.ts reads it; NULL where that is NaN. It never
   *  fails, whatever the text is. */
  readonly milliseconds: (text: Statement) => Statement;
  /** Drops the trigger of that name, if there is one. */
  readonly dropTrigger: (name: string) => Statement;
  /** Rows `{statement}`, each of which drops something that fired or was called in a database of the program before its
   *  release. */
  readonly dropsBeforeRelease: Statement;
  /** Keeps other migrators out until the transaction ends. */
  readonly migrationLock: Statement;
  /** The text of a migration, as a statement that runs in our schema. */
  readonly inSchema: (text: string) => Statement;
  /** A row `{role, may}`: the program's role, and 1 if it may change the schema, else 0. */
  readonly schemaRights: Statement;
  /** Rows `{damage}`: each tells of a damaged page, row or index. It reads the whole database. */
  readonly damages: Statement;
  /** Rows `{exposure}`: each a clause about what gives another role the rights of those that run the program. */
  readonly exposures: Statement;
  /** True where a row of gate_settings switches the ready index's triggers off (triggers/sets.ts); elsewhere they are
   *  dropped, and made again. */
  readonly suspends: boolean;
}

/** A function, or a trigger, that a dialect writes out itself. */
export interface Routine {
  /** As in `Dialect.objects`. */
  readonly name: string;
  readonly drop: Statement;
  readonly statements: readonly Statement[];
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
  /** True when the id of the inserted row must be drawn under the lock that the body takes. PostgreSQL draws it earlier:
   *  there the trigger fires before the insert and draws it again. */
  readonly drawsId?: true;
}

/** Portable SQL about NEW and OLD, or an action that the databases spell differently. */
export type TriggerAction = Statement | IfAny | LaneUpdate | LaneLock | EventInsert | TimesUpdate | Draw;

/** A statement that changes nothing unless there is such a row, and mostly there is none. PostgreSQL looks first: only to begin
 *  an UPDATE of a table with many triggers and indexes takes it several times as long. SQLite begins with the look. */
export interface IfAny {
  readonly kind: "if any";
  /** FROM and WHERE. */
  readonly row: Statement;
  readonly change: Statement;
}

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

/** Updates rows with times that another program wrote as text. */
export interface TimesUpdate {
  readonly kind: "times";
  readonly update: (milliseconds: Dialect["milliseconds"]) => Statement;
}

/** Draws the next id of one of our tables, as an insert would, and inserts nothing. */
export interface Draw {
  readonly kind: "draw";
  readonly from: string;
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

/** `busy`: a lock was held for too long; nothing changed, and a retry may succeed.
 *  `unavailable`: the database could not be reached, read or written; the operation was rolled back, or its outcome is
 *  unknown.
 *  `unreadable`: a table, a column or a page that the statement needs is missing or damaged.
 *  `refused`: a constraint or a column type does not allow the change; nothing changed, and a retry is refused again.
 *  `invalid`: the statement is wrong or too large, which is a mistake of the program and no damage; nothing changed.
 *  `abandoned`: the caller of a read is gone, or the store closes. */
export type StoreFaultKind = "busy" | "unavailable" | "unreadable" | "refused" | "invalid" | "abandoned";

export class StoreFault extends Error {
  override readonly name = "StoreFault";
  readonly kind: StoreFaultKind;

  constructor(kind: StoreFaultKind, message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}
