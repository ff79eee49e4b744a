/** Copies a SQLite database into an empty PostgreSQL database in one transaction, ids included, and verifies each table
 *  by a row count and a checksum.
 *  The file is only read. Tables and columns come from the two databases' catalogues; only their metadata tables are known
 *  here by name. */

import { createHash } from "node:crypto";
import { MigrationError, migrateWithin, recordOrigin } from "../migrate.ts";
import { all, first, run, StoreFault, type Dialect, type Store, type Tx } from "../port.ts";
import { EVENTS_FORGOTTEN, ORIGIN, originOf, SETTINGS } from "../settings.ts";
import { sql } from "../sql.ts";
import {
  selectAnyRow,
  enableTriggers,
  sequenceColumns,
  advanceSequence,
  closeCursor,
  insertRows,
  nameIn,
  fetchRows,
  disableTriggers,
  openCursor,
} from "./postgres-target.ts";
import { openSource, type Row, type Source, type SourceTable } from "./sqlite-source.ts";

/** Tables that describe the database itself: its migrations, and the settings that its triggers were rendered from. */
const METADATA_TABLES = ["gate_migrations", SETTINGS];

/** Rows fetched at once for verification. A row may be a megabyte. */
const FETCH_SIZE = 200;

export interface CopiedTable {
  readonly table: string;
  readonly rows: number;
  /** 16 hexadecimal digits, independent of the order of the rows. */
  readonly checksum: string;
}

export interface Copied {
  readonly tables: readonly CopiedTable[];
  /** Other programs' tables, which the target lacks. They were not copied. */
  readonly leftBehind: readonly string[];
}

/** The common form of a time in both databases: PostgreSQL prints a timestamp with a space, no trailing zeros and a
 *  zone. */
const canonical = (text: string): string =>
  text.replace(
    /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})(?:(\.\d*?)0*)?(?:\+00|Z)?$/,
    (_, day: string, time: string, fraction = "") =>
      `${day} ${time}${fraction === "." ? "" : String(fraction)}`,
  );

/** Counts rows and adds up their digests. */
class TableDigest {
  rows = 0;
  #sum = 0n;

  add(row: Row): void {
    const text = JSON.stringify(row.map((value) => (value === null ? null : canonical(value))));
    this.rows += 1;
    this.#sum += createHash("sha256").update(text).digest().readBigUInt64BE();
  }

  get checksum(): string {
    return BigInt.asUintN(64, this.#sum).toString(16).padStart(16, "0");
  }
}

/** @throws MigrationError for a text that PostgreSQL cannot store */
const refuseNul = ({ name, columns }: SourceTable, row: Row): void => {
  const index = row.findIndex((value) => value?.includes("\0"));
  if (index >= 0)
    throw new MigrationError(
      `${name}.${columns[index] ?? ""} (where ${columns[0] ?? ""} is ${row[0] ?? "NULL"}) contains a NUL character, which PostgreSQL cannot store. Nothing was copied.`,
    );
};

function* fill(source: Source, target: Dialect, table: SourceTable): Tx<TableDigest> {
  const { name, columns } = table;
  const digest = new TableDigest();
  for (const batch of source.batches(table)) {
    for (const row of batch) {
      refuseNul(table, row);
      digest.add(row);
    }
    const objects = batch.map((row) =>
      Object.fromEntries(columns.map((column, index) => [column, row[index]])),
    );
    yield* run(insertRows(nameIn(target, name), columns, objects));
  }
  return digest;
}

function* readBack(target: Dialect, { name, columns }: SourceTable): Tx<TableDigest> {
  const digest = new TableDigest();
  yield* run(openCursor(nameIn(target, name), columns));
  for (let count = FETCH_SIZE; count === FETCH_SIZE;) {
    const rows: Record<string, string | null>[] = yield* all(fetchRows(FETCH_SIZE));
    for (const row of rows) digest.add(columns.map((column) => row[column] ?? null));
    count = rows.length;
  }
  yield* run(closeCursor());
  return digest;
}

/** The tables that exist in both databases, without the metadata tables.
 *  @throws MigrationError when the target lacks a column */
function* tablesToCopy(source: Source, target: Dialect): Tx<SourceTable[]> {
  const targetColumns = new Map<string, string[]>();
  for (const { table_name, column_name } of yield* all<{ table_name: string; column_name: string }>(
    target.columns,
  ))
    targetColumns.set(table_name, [...(targetColumns.get(table_name) ?? []), column_name]);
  const tables = source.tables.filter(
    ({ name }) => targetColumns.has(name) && !METADATA_TABLES.includes(name),
  );
  for (const { name, columns } of tables) {
    const lacking = columns.filter((column) => !targetColumns.get(name)?.includes(column));
    if (lacking.length > 0)
      throw new MigrationError(
        `The target's table ${name} lacks a column of the file: ${lacking.join(", ")}. Add it first. Nothing was copied.`,
      );
  }
  // Tasks first: an orchestrator's own tables may reference them.
  return tables.sort((a, b) => Number(b.name === "tasks") - Number(a.name === "tasks"));
}

/** The file's rows of gate_settings, by name. */
const settingsIn = (source: Source): ReadonlyMap<string, string> => {
  const settings = source.tables.find(({ name }) => name === SETTINGS);
  if (!settings) return new Map();
  const [name, value] = [settings.columns.indexOf("name"), settings.columns.indexOf("value")];
  const rows = [...source.batches(settings)].flat();
  return new Map(rows.map((row) => [String(row[name]), String(row[value])]));
};

/** @param onTable called with each table before it is copied, and with undefined outside of the tables */
function* copyAll(source: Source, target: Dialect, onTable: (table: string | undefined) => void): Tx<Copied> {
  onTable(undefined);
  yield* migrateWithin(target);
  const settings = settingsIn(source);
  // The copy decides as the original did: the program that made the file made it.
  yield* recordOrigin(originOf(settings.get(ORIGIN)));
  const forgotten = settings.get(EVENTS_FORGOTTEN);
  yield* run(sql`DELETE FROM gate_settings WHERE name = ${EVENTS_FORGOTTEN}`);
  if (forgotten !== undefined)
    yield* run(sql`INSERT INTO gate_settings(name, value) VALUES (${EVENTS_FORGOTTEN}, ${forgotten})`);
  const tables = yield* tablesToCopy(source, target);
  for (const { name } of tables) yield* run(disableTriggers(nameIn(target, name)));
  for (const { name } of tables)
    if (yield* first(selectAnyRow(nameIn(target, name))))
      throw new MigrationError(
        `The target is not empty: its table ${name} has rows. Nothing was copied. Use an empty database.`,
      );

  const copied: CopiedTable[] = [];
  for (const table of tables) {
    onTable(table.name);
    const sent = yield* fill(source, target, table);
    const { rows, checksum } = yield* readBack(target, table);
    if (sent.rows !== rows || sent.checksum !== checksum)
      throw new MigrationError(
        `The copy of table ${table.name} differs: ${sent.rows} rows with the checksum ${sent.checksum} in the file, ${rows} with ${checksum} in the target. Nothing was copied.`,
      );
    copied.push({ table: table.name, rows, checksum });
  }
  onTable(undefined);
  for (const { name, lastId } of tables) {
    yield* run(enableTriggers(nameIn(target, name)));
    for (const { column } of yield* all<{ column: string }>(sequenceColumns(nameIn(target, name))))
      yield* run(advanceSequence(nameIn(target, name), column, lastId));
  }
  const known = [...METADATA_TABLES, ...tables.map(({ name }) => name)];
  return {
    tables: copied,
    leftBehind: source.tables.map(({ name }) => name).filter((name) => !known.includes(name)),
  };
}

/** Copies a SQLite file into an empty PostgreSQL database, which it migrates first.
 *  @throws MigrationError when the file is missing or in use, the target is not empty, or a value does not fit; nothing is
 *    copied
 *  @throws StoreFault when a database cannot be read or written; nothing is copied, unless the message says that the
 *    outcome is unknown */
export const copyDatabase = async (path: string, target: Store): Promise<Copied> => {
  const source = openSource(path);
  let table: string | undefined;
  try {
    return await target.write(() => copyAll(source, target.dialect, (name) => (table = name)));
  } catch (error) {
    if (!(error instanceof StoreFault) || table === undefined) throw error;
    throw new StoreFault(
      error.kind,
      `Table ${table} could not be copied: ${error.message}. Nothing was copied.`,
      error,
    );
  } finally {
    source.close();
  }
};
