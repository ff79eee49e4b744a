/** The store over PostgreSQL 13 or later, or a server that speaks its protocol and SQL; for any number of nodes.
 *  It runs each operation as a transaction on a pooled connection, and knows nothing of the domain but its lanes. */

import pg from "pg";
import { LongReads, type Admission } from "../long-reads.ts";
import { StoreFault, type Clock, type ReadOptions, type Store, type Tx, type WriteOptions } from "../port.ts";
import { coalesce } from "./coalesce.ts";
import { dialectIn } from "./dialect.ts";
import { connectFailureOf, Failure, failureOf } from "./errors.ts";
import { grantsToCreate } from "./exposures.ts";
import { Notifier } from "./notifier.ts";
import { translator } from "./placeholders.ts";
import { pinned, qualifierFor } from "./qualify.ts";
import { RETRY_FOR_MS, retryWithBackoff } from "./retry.ts";
import { RESPONSE_TIMEOUT_MS, Transaction, type Query, type Rows } from "./transaction.ts";
import { drawnBy, lastDrawn, Watermark } from "./watermark.ts";

const POOL_SIZE = 10;
/** Of the pool's connections, those that long reads may take: one in three, so that short work finds one. */
const longReadsAmong = (poolSize: number): number => Math.max(1, Math.floor(poolSize / 3));

const FINGERPRINT = `SELECT (SELECT COALESCE(SUM(revision), 0) FROM gate_lanes) || '/' ||
  (SELECT COALESCE(MAX(id), 0) FROM gate_events) AS fingerprint`;

/** The first schema of the connection's search path; NULL when the role may use none. */
const CURRENT_SCHEMA = "SELECT pg_catalog.current_schema() AS name";

/** A schema as SQL names it, and whether other roles may create objects in it. */
const SCHEMA = (name: string): string => `SELECT quote_ident(${pg.escapeLiteral(name)}) AS quoted,
  EXISTS (SELECT 1 FROM ${grantsToCreate(`quote_ident(${pg.escapeLiteral(name)})::regnamespace`)}) AS open`;

/** Two snapshots of the same text see the same committed transactions, and so the same rows. */
const SNAPSHOT = "SELECT pg_current_snapshot() AS version";

/** The port's values: numbers as numbers (those of the program are all safe integers), times in UTC without a zone, as
 *  SQLite keeps them, and everything else as text. */
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

export interface PostgresOptions {
  /** Replaces the database's clock in tests. */
  readonly clock?: Clock | undefined;
  /** How many transactions run at once. */
  readonly poolSize?: number | undefined;
}

interface Schema {
  readonly quoted: string;
  /** The search path of every transaction, set by a command that nothing can overload. */
  readonly pin: string;
}

/** Finds the schema of our tables. It is searched only while nobody else may create objects in it: a function of the same
 *  name with better matching types would be called instead of PostgreSQL's own. */
const findSchema = async (client: pg.PoolClient): Promise<Schema> => {
  const ask = async (text: string): Promise<Record<string, unknown> | undefined> => {
    const query: Query = { text, query_timeout: RESPONSE_TIMEOUT_MS };
    const results: unknown = await client.query(query);
    return (Array.isArray(results) ? (results as Rows[]).at(-1) : (results as Rows))?.rows[0];
  };
  const name = (await ask(CURRENT_SCHEMA))?.name;
  if (typeof name !== "string")
    throw new StoreFault("unreadable", "The role may use no schema of its search_path.");
  const found = await ask(`${pinned([])}; ${SCHEMA(name)}`);
  const quoted = String(found?.quoted);
  return { quoted, pin: pinned(found?.open === "t" || found?.open === true ? [] : [quoted]) };
};

/** Opens a database.
 *  @param url `postgres://USER:PASSWORD@HOST:PORT/DATABASE`
 *  @throws StoreFault when it cannot be reached */
export const openPostgres = async (url: string, options: PostgresOptions = {}): Promise<Store> => {
  const connection: pg.ClientConfig = {
    connectionString: url,
    application_name: "serial-gate",
    connectionTimeoutMillis: RETRY_FOR_MS,
    keepAlive: true,
    types: TYPES,
  };
  const poolSize = options.poolSize ?? POOL_SIZE;
  const pool = new pg.Pool({ ...connection, max: poolSize, idleTimeoutMillis: 30_000 });
  const longReads = new LongReads(longReadsAmong(poolSize));
  // The pool replaces a connection that is lost while idle; a transaction on a lost connection gets its own error.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));

  const connect = async (): Promise<pg.PoolClient> => {
    try {
      return await pool.connect();
    } catch (error) {
      throw connectFailureOf(error);
    }
  };

  const { quoted: schema, pin } = await retryWithBackoff(async () => {
    const client = await connect();
    try {
      const found = await findSchema(client);
      client.release();
      return found;
    } catch (error) {
      client.release(true);
      throw error instanceof StoreFault ? error : failureOf(error);
    }
  }).catch(async (error: unknown) => {
    await pool.end();
    throw error;
  });
  const qualify = qualifierFor(schema).statement;
  const translate = translator(qualify);
  let usePreparedStatements = true;

  /** Runs statements without a transaction of ours around them: those that are sent together are one. */
  const ask = async (text: string): Promise<Rows[]> => {
    try {
      const config: Query = { text: `${pin}; ${text}`, query_timeout: RESPONSE_TIMEOUT_MS };
      return ((await pool.query(config)) as unknown as Rows[]).slice(1);
    } catch (error) {
      throw failureOf(error);
    }
  };

  const notifier = new Notifier({
    connection,
    fingerprint: async () => String((await ask(qualify(FINGERPRINT)))[0]?.rows[0]?.fingerprint),
  });

  /** One attempt at a transaction. */
  const transact = async <T>(
    kind: "read" | "write",
    operation: () => Tx<T>,
    check?: Admission["check"],
  ): Promise<T> => {
    const client = await connect();
    const transaction = new Transaction({
      client,
      translate,
      usePreparedStatements,
      pin,
      clock: options.clock,
    });
    let discard = false;
    try {
      await transaction.begin(kind);
      const value = await transaction.drive(operation(), check);
      await transaction.commit(kind);
      if (transaction.changed) notifier.notify();
      return value;
    } catch (error) {
      const failure = error instanceof Failure ? error : undefined;
      if (failure?.preparedStatementLost) usePreparedStatements = false;
      discard = failure?.connectionLost ?? false;
      if (!discard) await transaction.rollback().catch(() => (discard = true));
      throw error;
    } finally {
      client.release(discard);
    }
  };

  const query = (text: string): Promise<Rows[]> => retryWithBackoff(() => ask(text));
  const watermarks = new Map<string, Watermark>();
  const version = coalesce(async () => String((await query(SNAPSHOT))[0]?.rows[0]?.version));

  const drawn = new Map<string, () => Promise<string>>();
  const askFor =
    ({ text, read }: ReturnType<typeof drawnBy>) =>
    async (): Promise<string> =>
      read(await query(text));

  const running = new Set<Promise<unknown>>();
  let closed: Promise<void> | undefined;

  const readLong = async <T>(operation: () => Tx<T>, signal: AbortSignal | undefined): Promise<T> => {
    const admission = await longReads.enter(signal);
    try {
      return await retryWithBackoff(() =>
        transact("read", operation, () => {
          admission.check();
        }),
      );
    } finally {
      admission.end();
    }
  };

  const execute = <T>(run: () => Promise<T>): Promise<T> => {
    if (closed) return Promise.reject(new StoreFault("unavailable", "The database is closed."));
    const execution = run();
    running.add(execution);
    const remove = (): void => void running.delete(execution);
    execution.then(remove, remove);
    return execution;
  };

  const close = async (): Promise<void> => {
    await longReads.close();
    await Promise.allSettled(running);
    await notifier.close();
    await pool.end();
  };

  return {
    dialect: dialectIn(schema),
    write: (operation, { retryForMs }: WriteOptions = {}) =>
      execute(() => retryWithBackoff(() => transact("write", operation), retryForMs)),
    read: (operation, { long = false, signal }: ReadOptions = {}) =>
      execute(() =>
        long ? readLong(operation, signal) : retryWithBackoff(() => transact("read", operation)),
      ),
    completeUpTo: (table) => {
      const watermark = watermarks.get(table) ?? new Watermark(`${schema}.${table}`, query);
      watermarks.set(table, watermark);
      return watermark.completeUpTo();
    },
    lastId: async (table) => Number((await query(lastDrawn(`${schema}.${table}`)))[0]?.rows[0]?.drawn),
    changes: ({ from, by }) => {
      const name = `${from} ${by}`;
      const asked = drawn.get(name) ?? coalesce(askFor(drawnBy(`${schema}.${from}`, `${schema}.${by}`)));
      drawn.set(name, asked);
      return asked();
    },
    version,
    watch: (listener) => notifier.subscribe(listener),
    close: () => (closed ??= close()),
  };
};
