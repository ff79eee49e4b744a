/** The orchestrator's database from before the pause, and what any database is compared by. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";

/** A connection of another program's. */
export const using = <T>(path: string, work: (db: Database.Database) => T): T => {
  const db = new Database(path);
  try {
    return work(db);
  } finally {
    db.close();
  }
};

const LEGACY = readFileSync(
  fileURLToPath(new URL("../fixtures/orchestrator-before-pause.sql", import.meta.url)),
  "utf8",
);

/** Makes the orchestrator's database; returns its path. */
export const makeLegacy = (path: string): string => {
  using(path, (db) => db.exec(LEGACY));
  return path;
};

interface Column {
  readonly name: string;
  readonly type: string;
  readonly notnull: number;
  readonly dflt_value: string | null;
  readonly pk: number;
}

const columnsOf = (db: Database.Database, table: string): Column[] =>
  db
    .prepare<[string], Column>('SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_xinfo(?)')
    .all(table);

const tablesOf = (db: Database.Database): string[] =>
  db.prepare<[], string>("SELECT name FROM sqlite_master WHERE type = 'table'").pluck().all();

export interface Schema {
  /** By `table.column`; where in the table a column stands is no part of it. */
  readonly columns: Readonly<Record<string, Column>>;
  /** The text of every index, trigger and view, by `type name`; null for an index that a constraint makes. */
  readonly objects: Readonly<Record<string, string | null>>;
}

export const schemaOf = (path: string): Schema =>
  using(path, (db) => ({
    columns: Object.fromEntries(
      tablesOf(db).flatMap((table) =>
        columnsOf(db, table).map((column) => [`${table}.${column.name}`, column] as const),
      ),
    ),
    objects: Object.fromEntries(
      db
        .prepare<[], { object: string; sql: string | null }>(
          "SELECT type || ' ' || name AS object, sql FROM sqlite_master WHERE type <> 'table'",
        )
        .all()
        .map(({ object, sql }) => [object, sql]),
    ),
  }));

/** The orchestrator's tables and their columns, as its own file has them. */
const ORCHESTRATORS = using(":memory:", (db) => {
  db.exec(LEGACY);
  return tablesOf(db)
    .filter((table) => table !== "sqlite_sequence")
    .map((table) => ({ table, columns: columnsOf(db, table).map(({ name }) => name) }));
});

/** All that the orchestrator left: its columns in their order, its indexes and view, and every value of its rows
 *  as an SQL literal, which tells types and bytes apart. */
export const leftByOrchestrator = (path: string): unknown =>
  using(path, (db) => ({
    tables: ORCHESTRATORS.map(({ table, columns }) => ({
      table,
      columns: columnsOf(db, table).filter(({ name }) => columns.includes(name)),
      rows: db
        .prepare(`SELECT ${columns.map((column) => `quote(${column})`).join(", ")} FROM ${table} ORDER BY id`)
        .raw()
        .all(),
      lastId: db.prepare("SELECT seq FROM sqlite_sequence WHERE name = ?").pluck().get(table),
    })),
    objects: db
      .prepare(
        `SELECT type, name, tbl_name, sql FROM sqlite_master
          WHERE type IN ('index', 'view') AND substr(name, 1, 5) <> 'gate_' AND tbl_name NOT LIKE 'gate_%' ORDER BY name`,
      )
      .all(),
  }));

/** The text of the orchestrator's tables. */
export const tableTexts = (path: string): Record<string, string> =>
  using(path, (db) =>
    Object.fromEntries(
      ORCHESTRATORS.map(({ table }) => [
        table,
        db.prepare<[string], string>("SELECT sql FROM sqlite_master WHERE name = ?").pluck().get(table) ?? "",
      ]),
    ),
  );
