/** The store over PostgreSQL 13 or later, or a server that speaks its protocol and SQL; for any number of nodes.
 *  It runs each operation as a transaction on a pooled connection, and knows nothing of the domain but its lanes. */

import pg from "pg";
import { run, StoreFault, type Clock, type Store, type Tx } from "../port.ts";
import { raw } from "../sql.ts";
import { coalesce } from "./coalesce.ts";
import { DIALECT } from "./dialect.ts";
import { connectFailureOf, Failure, failureOf } from "./errors.ts";
import { Notifier } from "./notifier.ts";
import { translator } from "./placeholders.ts";
import { RETRY_FOR_MS, retryWithBackoff } from "./retry.ts";
import { RESPONSE_TIMEOUT_MS, Transaction, type Query, type Rows } from "./transaction.ts";
import { lastDrawn, Watermark } from "./watermark.ts";

const POOL_SIZE = 10;

const FINGERPRINT = `SELECT (SELECT COALESCE(SUM(revision), 0) FROM gate_lanes) || '/' ||
  (SELECT COALESCE(MAX(id), 0) FROM gate_events) AS fingerprint`;

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
  const pool = new pg.Pool({
    ...connection,
    max: options.poolSize ?? POOL_SIZE,
    idleTimeoutMillis: 30_000,
  });
  // The pool replaces a connection that is lost while idle; a transaction on a lost connection gets its own error.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));

  const translate = translator();
  let usePreparedStatements = true;

  const notifier = new Notifier({
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
    const transaction = new Transaction({ client, translate, usePreparedStatements, clock: options.clock });
    let discard = false;
    try {
      await transaction.begin(kind);
      const value = await transaction.drive(operation());
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

  /** Runs statements without a transaction around them; the result of several is a list. */
  const query = (text: string): Promise<unknown> =>
    retryWithBackoff(async () => {
      try {
        const config: Query = { text, query_timeout: RESPONSE_TIMEOUT_MS };
        return await pool.query(config);
      } catch (error) {
        throw failureOf(error);
      }
    });
  const watermarks = new Map<string, Watermark>();
  const version = coalesce(async () => String(((await query(SNAPSHOT)) as Rows).rows[0]?.version));

  const running = new Set<Promise<unknown>>();
  let closed: Promise<void> | undefined;

  const execute = <T>(kind: "read" | "write", operation: () => Tx<T>): Promise<T> => {
    if (closed) return Promise.reject(new StoreFault("unavailable", "The database is closed."));
    const execution = retryWithBackoff(() => transact(kind, operation));
    running.add(execution);
    const remove = (): void => void running.delete(execution);
    execution.then(remove, remove);
    return execution;
  };

  const close = async (): Promise<void> => {
    await Promise.allSettled(running);
    await notifier.close();
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
    write: (operation) => execute("write", operation),
    read: (operation) => execute("read", operation),
    completeUpTo: (table) => {
      const watermark =
        watermarks.get(table) ?? new Watermark(table, (text) => query(text) as Promise<Rows[]>);
      watermarks.set(table, watermark);
      return watermark.completeUpTo();
    },
    lastId: async (table) => Number(((await query(lastDrawn(table))) as Rows).rows[0]?.drawn),
    version,
    watch: (listener) => notifier.subscribe(listener),
    close: () => (closed ??= close()),
  };
};
