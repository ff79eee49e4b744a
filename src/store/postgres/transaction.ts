/** One transaction on one pooled connection: begin with its settings, run an operation, lock lanes, commit.
 *  It leaves nothing on the connection, so that a transaction-mode pooler may stand in between, and does not retry. */

import type pg from "pg";
import type { Clock, Step, Tx } from "../port.ts";
import { raw, sql, type Statement, type Value } from "../sql.ts";
import { beginFailureOf, commitFailureOf, Failure, failureOf } from "./errors.ts";
import type { Translated } from "./placeholders.ts";

/** Settings of every transaction.
 *  lock_timeout is shorter than PostgreSQL's deadlock_timeout of one second: in a deadlock with another program our
 *  transaction is the one that fails, and the other program's write goes through. The idle timeout ends the transaction
 *  of a stalled node, which unlocks its lanes. */
const SETTINGS = {
  lock_timeout: "500ms",
  statement_timeout: "10s",
  idle_in_transaction_session_timeout: "10s",
  timezone: "UTC",
  datestyle: "ISO",
};

/** Longer than statement_timeout: a server that has not answered by then is unreachable. */
export const RESPONSE_TIMEOUT_MS = 15_000;

/** PostgreSQL has no INSERT … SKIP LOCKED, so tryLanes waits this long for a lane row that another transaction inserts. */
const TRY_TIMEOUT = "1ms";

const MILLISECONDS = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
const BEGIN_WITH = `SELECT ${Object.entries(SETTINGS)
  .map(([name, value]) => `set_config('${name}', '${value}', true)`)
  .join(", ")}, ${MILLISECONDS} AS ms`;
const BEGIN = {
  write: "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
  read: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
};

// The CTE is materialized, so that the clock is read after the wait for the lock.
const lockLane = (repo: string): Statement => sql`WITH locked AS MATERIALIZED
  (SELECT repo FROM gate_lanes WHERE repo = ${repo} FOR UPDATE)
  SELECT ${raw(MILLISECONDS)} AS ms FROM locked`;

/** For each lane: 1 if it is now locked by this transaction, 0 if another holds the lock, NULL if it has no row.
 *  The names are one parameter, so that the text is the same for any number of lanes. They are joined LATERAL: in a
 *  plain join PostgreSQL scans all of gate_lanes. */
const tryLanes = (repos: readonly string[]): Statement => sql`SELECT wanted.repo, CASE
    WHEN locked.repo IS NOT NULL THEN 1
    WHEN (SELECT l.repo FROM gate_lanes l WHERE l.repo = wanted.repo) IS NOT NULL THEN 0 END AS locked
  FROM jsonb_array_elements_text(${JSON.stringify(repos)}) AS wanted(repo) LEFT JOIN LATERAL
    (SELECT l.repo FROM gate_lanes l WHERE l.repo = wanted.repo FOR UPDATE SKIP LOCKED) AS locked ON 1 = 1`;

const insertLane = (repo: string): Statement =>
  sql`INSERT INTO gate_lanes(repo, revision) VALUES (${repo}, 0) ON CONFLICT DO NOTHING`;

export type Rows = pg.QueryResult<Record<string, unknown>>;

/** pg honours `query_timeout` per query, but its types lack it. */
export interface Query extends pg.QueryConfig {
  readonly rowMode?: "array";
  readonly query_timeout?: number;
}

interface TransactionParts {
  readonly client: pg.PoolClient;
  readonly translate: (statement: Statement) => Translated;
  readonly usePreparedStatements: boolean;
  /** Sets the search path. */
  readonly pin: string;
  /** Replaces the database's clock in tests. */
  readonly clock: Clock | undefined;
}

export class Transaction {
  readonly #parts: TransactionParts;
  #now = 0;
  /** False once a command other than a row statement ran: a migration may take longer than any timeout. */
  #hasTimeout = true;
  /** True once a statement changed a row. */
  changed = false;

  constructor(parts: TransactionParts) {
    this.#parts = parts;
  }

  async begin(kind: "read" | "write"): Promise<void> {
    // The path comes first: until then an unqualified function might be another role's.
    const text = `${BEGIN[kind]}; ${this.#parts.pin}; ${BEGIN_WITH}`;
    try {
      const results: unknown = await this.#parts.client.query(this.#withTimeout({ text }));
      this.#advanceClock((results as Rows[]).at(-1));
    } catch (error) {
      throw beginFailureOf(error);
    }
  }

  /** @param check called before each step; it throws when nobody wants the value any more */
  async drive<T>(tx: Tx<T>, check?: () => void): Promise<T> {
    let step = tx.next();
    while (!step.done) {
      check?.();
      step = tx.next(await this.#answer(step.value));
    }
    return step.value;
  }

  async commit(kind: "read" | "write"): Promise<void> {
    let result: Rows;
    try {
      result = await this.#parts.client.query(this.#withTimeout({ text: "COMMIT" }));
    } catch (error) {
      // A read changes nothing, so it can run again even when the outcome of its COMMIT is unknown.
      throw kind === "read" ? failureOf(error) : commitFailureOf(error);
    }
    // PostgreSQL answers ROLLBACK to the COMMIT of a transaction that had already failed.
    if (result.command !== "COMMIT") throw failureOf(new Error("The transaction was rolled back."));
  }

  rollback(): Promise<unknown> {
    return this.#send({ text: "ROLLBACK" });
  }

  async #answer(step: Step): Promise<unknown> {
    switch (step.kind) {
      case "query": {
        const { command, rowCount, rows } = await this.#query(step.statement);
        this.changed ||= command !== "SELECT" && rowCount !== 0;
        return rows;
      }
      case "tuples":
        return (await this.#query(step.statement, "array")).rows;
      case "now":
        return this.#parts.clock?.() ?? this.#now;
      case "lane":
        return this.#lockLane(step.repo);
      case "lanes":
        return this.#tryLanes(step.repos);
    }
  }

  async #lockLane(repo: string): Promise<true> {
    for (;;) {
      const locked = await this.#query(lockLane(repo));
      if (locked.rows.length > 0) {
        this.#advanceClock(locked);
        return true;
      }
      await this.#query(insertLane(repo));
    }
  }

  /** @returns the lanes that this transaction has locked */
  async #tryLanes(repos: readonly string[]): Promise<string[]> {
    const { rows } = await this.#query(tryLanes(repos));
    const state = new Map(rows.map(({ repo, locked }) => [repo, locked]));
    const lockedRepos: string[] = [];
    for (const repo of repos)
      if (state.get(repo) === 1 || (state.get(repo) === null && (await this.#tryToInsertLane(repo))))
        lockedRepos.push(repo);
    return lockedRepos;
  }

  /** Inserts the lane's row, which locks it; false when another transaction is inserting it. */
  async #tryToInsertLane(repo: string): Promise<boolean> {
    await this.#send({ text: `SAVEPOINT lane; SET LOCAL lock_timeout = '${TRY_TIMEOUT}'` });
    try {
      await this.#query(insertLane(repo));
    } catch (error) {
      if (!(error instanceof Failure) || error.fault.kind !== "busy") throw error;
      await this.#send({ text: "ROLLBACK TO lane; RELEASE lane" });
      return false;
    }
    await this.#send({ text: `SET LOCAL lock_timeout = '${SETTINGS.lock_timeout}'; RELEASE lane` });
    // Another transaction may have inserted and committed the row meanwhile; then the INSERT locked nothing.
    return (await this.#query(tryLanes([repo]))).rows[0]?.locked === 1;
  }

  /** Takes over the database's time. It never goes back. */
  #advanceClock(result: Rows | undefined): void {
    this.#now = Math.max(this.#now, Number(result?.rows[0]?.ms));
  }

  #query({ sql, params }: Statement, rowMode?: "array"): Promise<Rows> {
    const { text, name, isRowStatement } = this.#parts.translate({ sql, params });
    this.#hasTimeout &&= isRowStatement;
    const values: Value[] = [...params];
    const query = { text, values, ...(rowMode && { rowMode }) };
    return this.#send(this.#parts.usePreparedStatements && name !== undefined ? { ...query, name } : query);
  }

  async #send(query: Query): Promise<Rows> {
    try {
      return await this.#parts.client.query(this.#withTimeout(query));
    } catch (error) {
      throw failureOf(error);
    }
  }

  #withTimeout(query: Query): Query {
    return this.#hasTimeout ? { ...query, query_timeout: RESPONSE_TIMEOUT_MS } : query;
  }
}
