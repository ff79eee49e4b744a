/** Moves a database out of its file: copies all that serial-gate and the orchestrator keep there into an empty
 *  PostgreSQL database, ids and all, and proves by a count and a checksum of every table that it is the same.
 *  One transaction: nothing is there before everything is. The file is only read. Which columns there are is asked
 *  of the two databases; here no table is known but by what it says of a database itself. */

import { createHash } from "node:crypto";
import { MigrationError, migrateWithin } from "../migrate.ts";
import { all, first, run, StoreFault, type Dialect, type Store, type Tx } from "../port.ts";
import {
  anyRow,
  closeTable,
  drawnColumns,
  drawnUpTo,
  endReading,
  insertRows,
  nextRows,
  openTable,
  readRows,
} from "./postgres-target.ts";
import { openSource, type Row, type Source, type SourceTable } from "./sqlite-source.ts";

/** What a database says of itself, not of the work: its migrations, and what its triggers were made from. */
const OF_THE_DATABASE = ["gate_migrations", "gate_settings"];

/** How many rows are read back at once: each may hold a megabyte. */
const READ_BACK = 200;

export interface CopiedTable {
  readonly table: string;
  readonly rows: number;
  /** 16 hexadecimal digits; whatever the order of the rows. */
  readonly checksum: string;
}

export interface Copied {
  readonly tables: readonly CopiedTable[];
  /** Tables of other programs, which the target does not have. */
  readonly leftBehind: readonly string[];
}

/** A time as PostgreSQL writes one that it keeps as a time: no more digits than needed, a space, and a zone. */
const canonical = (text: string): string =>
  text.replace(
    /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})(?:(\.\d*?)0*)?(?:\+00|Z)?$/,
    (_, day: string, time: string, fraction = "") =>
      `${day} ${time}${fraction === "." ? "" : String(fraction)}`,
  );

/** Counts rows and adds up their digests. */
class Tally {
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

/** @throws MigrationError for a text that PostgreSQL does not take */
const refuseNul = ({ name, columns }: SourceTable, row: Row): void => {
  const index = row.findIndex((value) => value?.includes("\0"));
  if (index >= 0)
    throw new MigrationError(
      `${name}.${columns[index] ?? ""} (where ${columns[0] ?? ""} is ${row[0] ?? "NULL"}) holds a NUL character, which PostgreSQL does not take. Nothing was copied.`,
    );
};

function* fill(source: Source, table: SourceTable): Tx<Tally> {
  const { name, columns } = table;
  const tally = new Tally();
  for (const batch of source.batches(table)) {
    for (const row of batch) {
      refuseNul(table, row);
      tally.add(row);
    }
    const objects = batch.map((row) =>
      Object.fromEntries(columns.map((column, index) => [column, row[index]])),
    );
    yield* run(insertRows(name, columns, objects));
  }
  return tally;
}

function* readBack({ name, columns }: SourceTable): Tx<Tally> {
  const tally = new Tally();
  yield* run(readRows(name, columns));
  for (let count = READ_BACK; count === READ_BACK;) {
    const rows: Record<string, string | null>[] = yield* all(nextRows(READ_BACK));
    for (const row of rows) tally.add(columns.map((column) => row[column] ?? null));
    count = rows.length;
  }
  yield* run(endReading());
  return tally;
}

/** The tables that both have, and that hold work.
 *  @throws MigrationError when the target would lose a column */
function* tablesToCopy(source: Source, target: Dialect): Tx<SourceTable[]> {
  const there = new Map<string, string[]>();
  for (const { table_name, column_name } of yield* all<{ table_name: string; column_name: string }>(
    target.columns,
  ))
    there.set(table_name, [...(there.get(table_name) ?? []), column_name]);
  const tables = source.tables.filter(({ name }) => there.has(name) && !OF_THE_DATABASE.includes(name));
  for (const { name, columns } of tables) {
    const lacking = columns.filter((column) => !there.get(name)?.includes(column));
    if (lacking.length > 0)
      throw new MigrationError(
        `The file's table ${name} has ${lacking.join(", ")}, and the target's has not: add it there first. Nothing was copied.`,
      );
  }
  // An orchestrator's own tables refer to tasks.
  return tables.sort((a, b) => Number(b.name === "tasks") - Number(a.name === "tasks"));
}

/** @param at is told which table is copied, and at last that none is */
function* copyAll(source: Source, target: Dialect, at: (table: string | undefined) => void): Tx<Copied> {
  at(undefined);
  yield* migrateWithin(target);
  const tables = yield* tablesToCopy(source, target);
  for (const { name } of tables) yield* run(openTable(name));
  for (const { name } of tables)
    if (yield* first(anyRow(name)))
      throw new MigrationError(
        `The target is not empty: its table ${name} has rows. Nothing was copied; it wants an empty database.`,
      );

  const copied: CopiedTable[] = [];
  for (const table of tables) {
    at(table.name);
    const sent = yield* fill(source, table);
    const { rows, checksum } = yield* readBack(table);
    if (sent.rows !== rows || sent.checksum !== checksum)
      throw new MigrationError(
        `The table ${table.name} did not arrive as it is: ${sent.rows} rows with the checksum ${sent.checksum} became ${rows} with ${checksum}. Nothing was copied.`,
      );
    copied.push({ table: table.name, rows, checksum });
  }
  at(undefined);
  for (const { name, lastId } of tables) {
    yield* run(closeTable(name));
    for (const { column } of yield* all<{ column: string }>(drawnColumns(name)))
      yield* run(drawnUpTo(name, column, lastId));
  }
  const known = [...OF_THE_DATABASE, ...tables.map(({ name }) => name)];
  return {
    tables: copied,
    leftBehind: source.tables.map(({ name }) => name).filter((name) => !known.includes(name)),
  };
}

/** Copies the database in a file into an empty PostgreSQL database, which is migrated first.
 *  @throws MigrationError when the file is not there or in use, the target is not empty, or something does not fit;
 *    nothing is copied then
 *  @throws StoreFault when one of the two cannot be read or written; nothing is copied then, unless the message says
 *    that no one knows */
export const copyDatabase = async (path: string, target: Store): Promise<Copied> => {
  const source = openSource(path);
  let table: string | undefined;
  try {
    return await target.write(() => copyAll(source, target.dialect, (name) => (table = name)));
  } catch (error) {
    if (!(error instanceof StoreFault) || table === undefined) throw error;
    throw new StoreFault(
      error.kind,
      `The table ${table} could not be copied: ${error.message}. Nothing was copied.`,
      error,
    );
  } finally {
    source.close();
  }
};
