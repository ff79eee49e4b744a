/** A SQLite file as the source of a copy: one snapshot, migrated, every value as text.
 *  The file stays unchanged, because its migration runs in a transaction that is never committed; the exclusive lock keeps
 *  other programs out meanwhile. */

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import Database from "better-sqlite3";
import { MigrationError, migrateWithin } from "../migrate.ts";
import { all, StoreFault, type Tx } from "../port.ts";
import { sql } from "../sql.ts";
import { connectionTo } from "../sqlite/connection.ts";
import { DIALECT } from "../sqlite/dialect.ts";
import { faultOf } from "../sqlite/faults.ts";

const BUSY_TIMEOUT_MS = 1_000;
/** The limits of a batch: the first one reached ends it. */
const BATCH = { rows: 1_000, bytes: 4_000_000 };

export type Row = readonly (string | null)[];

export interface SourceTable {
  readonly name: string;
  readonly columns: readonly string[];
  /** The highest id ever drawn, even if its row was deleted; 0 for a table without AUTOINCREMENT. */
  readonly lastId: number;
}

export interface Source {
  readonly tables: readonly SourceTable[];
  /** All rows of a table, in batches; one table at a time.
   *  @throws MigrationError for a value that has no form as text */
  batches(table: SourceTable): Generator<readonly Row[]>;
  close(): void;
}

/** A value as read: text as its bytes, because the driver replaces invalid UTF-8 silently. */
type SourceValue = number | bigint | Buffer | typeof BYTES | null;
const BYTES = "bytes";

const selectExpression = (column: string): string =>
  `CASE typeof("${column}") WHEN 'text' THEN CAST("${column}" AS BLOB) WHEN 'blob' THEN '${BYTES}' ELSE "${column}" END`;

/** Every table but SQLite's own, under lower-case names, as PostgreSQL has them. */
function* readTables(): Tx<SourceTable[]> {
  const columns = yield* all<{ table_name: string; column_name: string }>(DIALECT.columns);
  const drawn = yield* all<{ name: string; seq: number }>(
    sql`SELECT lower(name) AS name, seq FROM sqlite_sequence`,
  );
  const names = [...new Set(columns.map(({ table_name }) => table_name))];
  return names
    .filter((name) => !name.startsWith("sqlite_"))
    .sort()
    .map((name) => ({
      name,
      columns: columns.filter(({ table_name }) => table_name === name).map(({ column_name }) => column_name),
      lastId: drawn.find((row) => row.name === name)?.seq ?? 0,
    }));
}

/** Rewords an error for a file that cannot be the source of a copy. */
const refusalOf = (path: string, error: unknown): unknown => {
  const fault = faultOf(error, path);
  if (!(fault instanceof StoreFault)) return fault;
  return new MigrationError(
    fault.kind === "busy"
      ? `Another program has ${path} open. Stop it first: its later writes would not be copied.`
      : fault.message,
  );
};

/** Opens an existing file that no other program has open.
 *  @throws MigrationError when it cannot be copied from; its message is the reason */
export const openSource = (path: string): Source => {
  const file = resolve(path);
  if (!existsSync(file)) throw new MigrationError(`No database at ${path}.`);
  let db: Database.Database | undefined;
  try {
    db = new Database(file, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
    return sourceOf(db);
  } catch (error) {
    db?.close();
    throw refusalOf(path, error);
  }
};

const sourceOf = (db: Database.Database): Source => {
  // In WAL mode SQLite refuses this while another connection exists, even an idle one.
  db.pragma("locking_mode = EXCLUSIVE");
  db.pragma("foreign_keys = OFF");
  db.prepare("BEGIN EXCLUSIVE").run();
  const { drive } = connectionTo(db, Date.now);
  drive(migrateWithin(DIALECT));
  const tables = drive(readTables());

  const encoding = String(db.pragma("encoding", { simple: true }));
  const decoder = new TextDecoder(encoding.toLowerCase(), { fatal: true, ignoreBOM: true });
  const textOf = (value: SourceValue, where: () => string): string | null => {
    if (value === null) return null;
    if (value === BYTES) throw new MigrationError(`${where()} is binary, not text. Nothing was copied.`);
    if (!Buffer.isBuffer(value)) return String(value);
    try {
      return decoder.decode(value);
    } catch {
      throw new MigrationError(`${where()} is not valid ${encoding}. Nothing was copied.`);
    }
  };

  let reading: IterableIterator<SourceValue[]> | undefined;
  return {
    tables,
    *batches({ name, columns }) {
      reading?.return?.(); // The previous reader may have stopped before the end.
      reading = db
        .prepare<[], SourceValue[]>(`SELECT ${columns.map(selectExpression).join(", ")} FROM "${name}"`)
        .raw()
        .safeIntegers()
        .iterate();
      let batch: Row[] = [];
      let bytes = 0;
      for (const values of reading) {
        const row: Row = values.map((value, index) =>
          textOf(
            value,
            () => `${name}.${columns[index] ?? ""} (where ${columns[0] ?? ""} is ${String(values[0])})`,
          ),
        );
        batch.push(row);
        for (const value of values) if (Buffer.isBuffer(value)) bytes += value.length;
        if (batch.length < BATCH.rows && bytes < BATCH.bytes) continue;
        yield batch;
        [batch, bytes] = [[], 0];
      }
      if (batch.length > 0) yield batch;
    },
    close: () => {
      reading?.return?.();
      db.close();
    },
  };
};
