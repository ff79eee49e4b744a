/** Brings a database to the schema of this program, whatever of it is there already.
 *  Every statement of a migration makes one thing (a table, a column, an index, a trigger) or fills one;
 *  the runner looks for the thing first, because SQLite has no ADD COLUMN IF NOT EXISTS. All of it is one
 *  transaction: a process that dies in the middle leaves the database as it was.
 *  Our own runner, because the database is not ours alone: see docs/adr/0003. */

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { all, now, run, type Dialect, type Store, type Tx } from "./port.ts";
import { raw, sql } from "./sql.ts";

export class MigrationError extends Error {
  override readonly name = "MigrationError";
}

/** What a statement makes, by which the runner sees whether it is there. */
type Made =
  | { readonly kind: "table"; readonly table: string; readonly columns: readonly string[] }
  | { readonly kind: "column"; readonly table: string; readonly column: string }
  | { readonly kind: "object"; readonly name: string }
  | { readonly kind: "rows" };

interface MigrationStatement {
  readonly text: string;
  readonly made: Made;
}

interface Migration {
  readonly name: string;
  readonly checksum: string;
  readonly statements: readonly MigrationStatement[];
}

const LEDGER = "gate_migrations";
const FOLDER = fileURLToPath(new URL("../../migrations/", import.meta.url));

/** A column that only the orchestrator uses: an adopted table may lack it. */
const NOT_OURS = "-- the orchestrator's own";

const columnsOf = (text: string): string[] =>
  text
    .split("\n")
    .filter((line) => !line.includes(NOT_OURS))
    .flatMap((line) => /^ {2}([a-z_]+) [A-Z]/.exec(line)?.[1] ?? []);

const madeBy = (text: string): Made => {
  const table = /^CREATE TABLE IF NOT EXISTS (\w+)/m.exec(text)?.[1];
  if (table) return { kind: "table", table, columns: columnsOf(text) };
  const [, altered, column] = /^ALTER TABLE (\w+) ADD COLUMN (\w+)/m.exec(text) ?? [];
  if (altered && column) return { kind: "column", table: altered, column };
  // PostgreSQL has no CREATE TRIGGER IF NOT EXISTS before 14; a function may have the name of its trigger.
  const name =
    /^CREATE (?:UNIQUE )?(?:INDEX|TRIGGER) (?:IF NOT EXISTS )?(\w+)/m.exec(text)?.[1] ??
    /^CREATE OR REPLACE FUNCTION (\w+\()/m.exec(text)?.[1]?.concat(")");
  return name ? { kind: "object", name } : { kind: "rows" };
};

/** A statement ends with a semicolon before an empty line, so that a trigger's body stays whole. */
const statementsOf = (text: string): MigrationStatement[] =>
  text
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.trim())
    .filter((paragraph) => paragraph.replace(/^--.*$/gm, "").trim() !== "")
    .map((paragraph) => ({ text: paragraph, made: madeBy(paragraph) }));

const readMigrations = (folder: string): Migration[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith(".sql"))
    .sort()
    .map((file) => {
      const text = readFileSync(`${folder}/${file}`, "utf8").replaceAll("\r\n", "\n");
      return {
        name: file.replace(/\.sql$/, ""),
        checksum: createHash("sha256").update(text).digest("hex"),
        statements: statementsOf(text),
      };
    });

/** What is in the database: names of tables, of `table.column` and of objects. */
interface Present {
  readonly tables: ReadonlySet<string>;
  readonly columns: ReadonlySet<string>;
  readonly objects: ReadonlySet<string>;
}

function* inspect(dialect: Dialect): Tx<Present> {
  const columns = yield* all<{ table_name: string; column_name: string }>(dialect.columns);
  const objects = yield* all<{ name: string }>(dialect.objects);
  return {
    tables: new Set(columns.map((row) => row.table_name)),
    columns: new Set(columns.map((row) => `${row.table_name}.${row.column_name}`)),
    objects: new Set(objects.map((row) => row.name)),
  };
}

const isThere = (made: Made, present: Present): boolean => {
  switch (made.kind) {
    case "table":
      return present.tables.has(made.table);
    case "column":
      return present.columns.has(`${made.table}.${made.column}`);
    case "object":
      return present.objects.has(made.name);
    case "rows":
      return true;
  }
};

/** A migration of which something is missing, or its record. */
interface Pending extends Migration {
  readonly recorded: boolean;
  /** Those whose thing is not there, with those that fill it. */
  readonly statements: readonly MigrationStatement[];
}

/** @throws MigrationError when the database is newer, or records another text for a migration. */
function* plan(dialect: Dialect, migrations: readonly Migration[]): Tx<Pending[]> {
  const present = yield* inspect(dialect);
  const recorded = present.tables.has(LEDGER)
    ? yield* all<{ name: string; checksum: string }>(
        sql`SELECT name, checksum FROM ${raw(LEDGER)} ORDER BY name`,
      )
    : [];
  const checksums = new Map(recorded.map((row) => [row.name, row.checksum]));
  const known = new Set(migrations.map((migration) => migration.name));

  const newer = recorded.map((row) => row.name).filter((name) => !known.has(name));
  if (newer.length > 0)
    throw new MigrationError(
      `The database is newer than this program: it has ${newer.join(", ")}. Start the program that made it, or a later one.`,
    );
  for (const { name, checksum } of migrations)
    if ((checksums.get(name) ?? checksum) !== checksum)
      throw new MigrationError(
        `The migration ${name} is not the one that this database records. A migration is never edited once it ran: restore its file.`,
      );

  return migrations
    .map((migration): Pending => {
      const recorded = checksums.has(migration.name);
      const missing = migration.statements.some(({ made }) => !isThere(made, present));
      const statements = migration.statements.filter(({ made }) =>
        made.kind === "rows" ? missing || !recorded : !isThere(made, present),
      );
      return { ...migration, recorded, statements };
    })
    .filter(({ recorded, statements }) => !recorded || statements.length > 0);
}

/** Refuses a database whose tables have our names and lack our columns: it is another program's. */
function* recognise(dialect: Dialect, migrations: readonly Migration[]): Tx<void> {
  const present = yield* inspect(dialect);
  const lacking = migrations
    .flatMap(({ statements }) => statements)
    .flatMap(({ made }) => (made.kind === "table" && isThere(made, present) ? [made] : []))
    .map(({ table, columns }) => ({
      table,
      columns: columns.filter((column) => !present.columns.has(`${table}.${column}`)),
    }))
    .filter(({ columns }) => columns.length > 0);
  if (lacking.length > 0)
    throw new MigrationError(
      `This is not a database that the orchestrator or serial-gate made: ${lacking
        .map(({ table, columns }) => `the table ${table} has no ${columns.join(", ")}`)
        .join("; ")}. Nothing was changed.`,
    );
}

function* apply(dialect: Dialect, migrations: readonly Migration[]): Tx<string[]> {
  yield* run(dialect.migrationLock);
  yield* recognise(dialect, migrations);
  const pending = yield* plan(dialect, migrations);
  yield* run(
    raw(`CREATE TABLE IF NOT EXISTS ${LEDGER} (
    name TEXT PRIMARY KEY, checksum TEXT NOT NULL, applied_at TEXT NOT NULL)`),
  );
  for (const { text } of pending.flatMap(({ statements }) => statements)) yield* run(raw(text));
  const at = new Date(yield* now()).toISOString();
  for (const { name, checksum } of pending.filter(({ recorded }) => !recorded))
    yield* run(sql`INSERT INTO ${raw(LEDGER)}(name, checksum, applied_at)
      VALUES (${name}, ${checksum}, ${at})`);
  return pending.map(({ name }) => name);
}

const folderOf = ({ name }: Dialect): string => `${FOLDER}${name}`;

/** The migration as a part of a transaction, with which it comes to nothing or stays. */
export const migrateWithin = (dialect: Dialect): Tx<string[]> =>
  apply(dialect, readMigrations(folderOf(dialect)));

/** Migrates the database, or finds that there is nothing to do and writes nothing.
 *  @param folder where the migrations are; the program's own unless told.
 *  @returns the names of the migrations of which it made or recorded something.
 *  @throws MigrationError when the database is newer, edited or another program's; it is left as it was.
 *  @throws StoreFault when the database cannot be read or written. */
export const migrate = async (store: Store, folder = folderOf(store.dialect)): Promise<string[]> => {
  const migrations = readMigrations(folder);
  const pending = await store.read(() => plan(store.dialect, migrations));
  if (pending.length === 0) return [];
  return store.write(() => apply(store.dialect, migrations));
};
