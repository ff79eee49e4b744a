/** The database for many nodes: PostgreSQL 13 or later, or what speaks its protocol and SQL.
 *  A transaction has a pooled connection to itself; what decides about a lane holds the lane's row. Nothing is
 *  left on a connection between transactions, so that a transaction-mode pooler may stand in between.
 *  Nothing here knows the domain but that there are lanes. */

import pg from "pg";
import { run, StoreFault, type Clock, type Step, type Store, type Tx } from "../port.ts";
import { Notifier } from "./notifier.ts";
import { DIALECT } from "./dialect.ts";
import { beginFailureOf, commitFailureOf, connectFailureOf, Failure, failureOf } from "./errors.ts";
import { Watermark } from "./watermark.ts";
import { coalesce } from "./coalesce.ts";
import { translator, type Translated } from "./placeholders.ts";
import { raw, sql, type Statement, type Value } from "../sql.ts";

const POOL_SIZE = 10;
/** How long an operation is run again while what went wrong may pass. */
const PATIENCE_MS = 5_000;
const RETRY_MS = { least: 10, most: 500 };

/** What a transaction sets for itself.
 *  lock_timeout is less than PostgreSQL's deadlock_timeout of a second: when another program and we wait for each
 *  other, it is we who give way, and its write goes through. A node that stalls in the middle of a transaction
 *  loses its lanes with it. */
const SETTINGS = {
  lock_timeout: "500ms",
  statement_timeout: "10s",
  idle_in_transaction_session_timeout: "10s",
  timezone: "UTC",
  datestyle: "ISO",
};
/** The server answers a statement within its timeout; a connection that is silent for longer is dead. */
const SILENCE_MS = 15_000;
/** How long a lane's row is waited for that may not be waited for: PostgreSQL has no INSERT … SKIP LOCKED. */
const TRY_TIMEOUT = "1ms";

const MILLISECONDS = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
const BEGIN_WITH = `SELECT ${Object.entries(SETTINGS)
  .map(([name, value]) => `set_config('${name}', '${value}', true)`)
  .join(", ")}, ${MILLISECONDS} AS ms`;
const BEGIN = {
  write: `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; ${BEGIN_WITH}`,
  read: `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${BEGIN_WITH}`,
};

// A row comes out of the WITH once it is locked: the time is that of after the wait.
const holdLane = (repo: string): Statement => sql`WITH held AS MATERIALIZED
  (SELECT repo FROM gate_lanes WHERE repo = ${repo} FOR UPDATE)
  SELECT ${raw(MILLISECONDS)} AS ms FROM held`;

/** Of each lane whether it is held now, by us: 1 or 0, and null where there is no row of it. The names go as one value,
 *  so that the text is the same however many they are; each is looked up by itself, since joined with all lanes at once
 *  PostgreSQL walks past all that there are. */
const tryLanes = (repos: readonly string[]): Statement => sql`SELECT wanted.repo, CASE
    WHEN held.repo IS NOT NULL THEN 1
    WHEN (SELECT l.repo FROM gate_lanes l WHERE l.repo = wanted.repo) IS NOT NULL THEN 0 END AS held
  FROM jsonb_array_elements_text(${JSON.stringify(repos)}) AS wanted(repo) LEFT JOIN LATERAL
    (SELECT l.repo FROM gate_lanes l WHERE l.repo = wanted.repo FOR UPDATE SKIP LOCKED) AS held ON 1 = 1`;

const makeLane = (repo: string): Statement =>
  sql`INSERT INTO gate_lanes(repo, revision) VALUES (${repo}, 0) ON CONFLICT DO NOTHING`;

const FINGERPRINT = `SELECT (SELECT COALESCE(SUM(revision), 0) FROM gate_lanes) || '/' ||
  (SELECT COALESCE(MAX(id), 0) FROM gate_events) AS fingerprint`;

/** Names the transactions that are seen to be committed: two of the same text see the same rows. */
const SNAPSHOT = "SELECT pg_current_snapshot() AS version";

/** Numbers are numbers (those of the program are all safe integers), an UTC time has no zone like the text that
 *  SQLite keeps, and all else is text. */
const { INT2, INT4, INT8, NUMERIC, FLOAT4, FLOAT8 } = pg.types.builtins;
const NUMBERS: readonly number[] = [INT2, INT4, INT8, NUMERIC, FLOAT4, FLOAT8];
const TIMESTAMPTZ: number = pg.types.builtins.TIMESTAMPTZ;
const asNumber = (text: string): number => Number(text);
const asUtc = (text: string): string => text.replace(/\+00$/, "");
const asText = (text: string): string => text;
const TYPES: pg.CustomTypesConfig = {
  getTypeParser: (type: number) =>
    NUMBERS.includes(type) ? asNumber : type === TIMESTAMPTZ ? asUtc : asText,
};

type Rows = pg.QueryResult<Record<string, unknown>>;

interface Query extends pg.QueryConfig {
  readonly query_timeout?: number;
}

const wait = (attempt: number): Promise<void> => {
  const most = Math.min(RETRY_MS.most, RETRY_MS.least * 2 ** attempt);
  return new Promise((wake) => setTimeout(wake, most * (0.5 + Math.random() / 2)));
};

/** Runs an attempt again while it came to nothing for a reason that may pass. */
const retryWithBackoff = async <T>(attempt: () => Promise<T>): Promise<T> => {
  const patientUntil = performance.now() + PATIENCE_MS;
  for (let attempts = 0; ; attempts += 1)
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (!error.again || performance.now() > patientUntil) throw error.fault;
      await wait(attempts);
    }
};

interface TransactionParts {
  readonly client: pg.PoolClient;
  readonly translate: (statement: Statement) => Translated;
  /** Whether the connection may keep prepared statements. */
  readonly prepares: boolean;
  readonly clock: Clock | undefined;
}

/** One transaction on one connection. */
class Transaction {
  readonly #parts: TransactionParts;
  #now = 0;
  #hurried = true;
  /** Whether it has changed a row, or more. */
  changed = false;

  constructor(parts: TransactionParts) {
    this.#parts = parts;
  }

  async begin(text: string): Promise<void> {
    try {
      const results: unknown = await this.#parts.client.query(this.#inTime({ text }));
      this.#passTo((results as Rows[]).at(-1));
    } catch (error) {
      throw beginFailureOf(error);
    }
  }

  async drive<T>(tx: Tx<T>): Promise<T> {
    let step = tx.next();
    while (!step.done) step = tx.next(await this.#answer(step.value));
    return step.value;
  }

  async commit(kind: "read" | "write"): Promise<void> {
    let result: Rows;
    try {
      result = await this.#parts.client.query(this.#inTime({ text: "COMMIT" }));
    } catch (error) {
      // A read changes nothing, so it can run again even when the outcome of its COMMIT is unknown.
      throw kind === "read" ? failureOf(error) : commitFailureOf(error);
    }
    // So says the server of a transaction that had failed before.
    if (result.command !== "COMMIT") throw failureOf(new Error("The transaction was rolled back."));
  }

  rollback(): Promise<unknown> {
    return this.#ask({ text: "ROLLBACK" });
  }

  async #answer(step: Step): Promise<unknown> {
    switch (step.kind) {
      case "query": {
        const { command, rowCount, rows } = await this.#query(step.statement);
        this.changed ||= command !== "SELECT" && rowCount !== 0;
        return rows;
      }
      case "now":
        return this.#parts.clock?.() ?? this.#now;
      case "lane":
        return this.#holdLane(step.repo);
      case "lanes":
        return this.#tryLanes(step.repos);
    }
  }

  async #holdLane(repo: string): Promise<true> {
    for (;;) {
      const held = await this.#query(holdLane(repo));
      if (held.rows.length > 0) {
        this.#passTo(held);
        return true;
      }
      await this.#query(makeLane(repo));
    }
  }

  async #tryLanes(repos: readonly string[]): Promise<string[]> {
    const { rows } = await this.#query(tryLanes(repos));
    const state = new Map(rows.map(({ repo, held }) => [repo, held]));
    const held: string[] = [];
    for (const repo of repos)
      if (state.get(repo) === 1 || (state.get(repo) === null && (await this.#tryToMakeLane(repo))))
        held.push(repo);
    return held;
  }

  /** Makes the lane's row, which is then ours; false when another transaction is making it. */
  async #tryToMakeLane(repo: string): Promise<boolean> {
    await this.#ask({ text: `SAVEPOINT lane; SET LOCAL lock_timeout = '${TRY_TIMEOUT}'` });
    try {
      await this.#query(makeLane(repo));
    } catch (error) {
      if (!(error instanceof Failure) || error.fault.kind !== "busy") throw error;
      await this.#ask({ text: "ROLLBACK TO lane; RELEASE lane" });
      return false;
    }
    await this.#ask({ text: `SET LOCAL lock_timeout = '${SETTINGS.lock_timeout}'; RELEASE lane` });
    // It may have been made and committed in between: then it is not ours.
    return (await this.#query(tryLanes([repo]))).rows[0]?.held === 1;
  }

  /** The database's time; never back. */
  #passTo(result: Rows | undefined): void {
    this.#now = Math.max(this.#now, Number(result?.rows[0]?.ms));
  }

  #query({ sql, params }: Statement): Promise<Rows> {
    const { text, name, ofRows } = this.#parts.translate({ sql, params });
    this.#hurried &&= ofRows;
    const values: Value[] = [...params];
    return this.#ask(this.#parts.prepares && name !== undefined ? { name, text, values } : { text, values });
  }

  async #ask(query: Query): Promise<Rows> {
    try {
      return await this.#parts.client.query(this.#inTime(query));
    } catch (error) {
      throw failureOf(error);
    }
  }

  /** A transaction that changes the schema may take its time, also for the rows that it changes. */
  #inTime(query: Query): Query {
    return this.#hurried ? { ...query, query_timeout: SILENCE_MS } : query;
  }
}

export interface PostgresOptions {
  /** In the place of the database's own clock. */
  readonly clock?: Clock | undefined;
  /** How many transactions run at once. */
  readonly poolSize?: number | undefined;
}

/** Opens a database.
 *  @param url `postgres://USER:PASSWORD@HOST:PORT/DATABASE`
 *  @throws StoreFault when it cannot be reached */
export const openPostgres = async (url: string, options: PostgresOptions = {}): Promise<Store> => {
  const connection: pg.ClientConfig = {
    connectionString: url,
    application_name: "serial-gate",
    connectionTimeoutMillis: PATIENCE_MS,
    keepAlive: true,
    types: TYPES,
  };
  const pool = new pg.Pool({
    ...connection,
    max: options.poolSize ?? POOL_SIZE,
    idleTimeoutMillis: 30_000,
  });
  // A connection that is lost while it is idle is replaced; while it is in use, its transaction learns of it.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));

  const translate = translator();
  let prepares = true;

  const bell = new Notifier({
    connection,
    fingerprint: async () =>
      (await pool.query<{ fingerprint: string }>(FINGERPRINT)).rows[0]?.fingerprint ?? "",
  });

  const connect = async (): Promise<pg.PoolClient> => {
    try {
      return await pool.connect();
    } catch (error) {
      throw connectFailureOf(error);
    }
  };

  /** One attempt at a transaction. */
  const transact = async <T>(kind: "read" | "write", operation: () => Tx<T>): Promise<T> => {
    const client = await connect();
    const transaction = new Transaction({ client, translate, prepares, clock: options.clock });
    let discard = false;
    try {
      await transaction.begin(BEGIN[kind]);
      const value = await transaction.drive(operation());
      await transaction.commit(kind);
      if (transaction.changed) bell.notify();
      return value;
    } catch (error) {
      const failure = error instanceof Failure ? error : undefined;
      if (failure?.unprepared) prepares = false;
      discard = failure?.connectionLost ?? false;
      if (!discard) await transaction.rollback().catch(() => (discard = true));
      throw error;
    } finally {
      client.release(discard);
    }
  };

  const settled = new Map<string, Watermark>();
  /** Statements without a transaction around them; the results of several are a list. */
  const look = (text: string): Promise<unknown> =>
    retryWithBackoff(async () => {
      try {
        const query: Query = { text, query_timeout: SILENCE_MS };
        return await pool.query(query);
      } catch (error) {
        throw failureOf(error);
      }
    });
  const version = coalesce(async () => String(((await look(SNAPSHOT)) as Rows).rows[0]?.version));

  const unanswered = new Set<Promise<unknown>>();
  let closed: Promise<void> | undefined;

  const answer = <T>(kind: "read" | "write", operation: () => Tx<T>): Promise<T> => {
    if (closed) return Promise.reject(new StoreFault("unavailable", "The database is closed."));
    const answered = retryWithBackoff(() => transact(kind, operation));
    unanswered.add(answered);
    const forget = (): void => void unanswered.delete(answered);
    answered.then(forget, forget);
    return answered;
  };

  const close = async (): Promise<void> => {
    await Promise.allSettled(unanswered);
    await bell.close();
    await pool.end();
  };

  try {
    await retryWithBackoff(() => transact("read", () => run(raw("SELECT 1"))));
  } catch (error) {
    await pool.end();
    throw error;
  }

  return {
    dialect: DIALECT,
    write: (operation) => answer("write", operation),
    read: (operation) => answer("read", operation),
    completeUpTo: (table) => {
      const known = settled.get(table) ?? new Watermark(table, (text) => look(text) as Promise<Rows[]>);
      settled.set(table, known);
      return known.upTo();
    },
    version,
    watch: (listener) => bell.subscribe(listener),
    close: () => (closed ??= close()),
  };
};
