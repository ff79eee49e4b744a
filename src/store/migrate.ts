/** Brings a database to the schema of this program, whatever part of it is there already: the numbered migrations make
 *  tables, columns and indexes, then the catalogue's triggers are installed. The runner looks for each thing first,
 *  because SQLite has no ADD COLUMN IF NOT EXISTS. One transaction: a process that dies in the middle leaves the
 *  database as it was. Why a runner of our own: docs/adr/0003. */

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { all, first, now, run, type Dialect, type Store, type Tx } from "./port.ts";
import { ORIGIN, originOf, SETTINGS, type Origin } from "./settings.ts";
import { list, raw, sql } from "./sql.ts";
import { MigrationError, requireSchemaRights } from "./schema-rights.ts";
import { CATALOGUE } from "./triggers/catalogue.ts";
import { areTriggersInstalled, installTriggers } from "./triggers/install.ts";
import { countLanes } from "./triggers/lane-counters.ts";
import { CATALOGUE_SET } from "./triggers/sets.ts";
import { fillTimes } from "./triggers/times.ts";

export { MigrationError };

/** The thing that a statement makes: the runner looks for it first. */
type Made =
  | { readonly kind: "table"; readonly table: string; readonly columns: readonly string[] }
  | { readonly kind: "column"; readonly table: string; readonly column: string }
  | { readonly kind: "object"; readonly name: string }
  /** Takes away the index that an earlier migration made. */
  | { readonly kind: "no object"; readonly name: string }
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

/** Stands for the catalogue's triggers among the names of what was applied. */
const TRIGGERS = "triggers";

/** Migrations of the program before its release, which no released program has. Their database has the tables, columns
 *  and indexes of ours, and other triggers. */
const BEFORE_RELEASE = [
  "001_orchestrator",
  "002_pause",
  "003_leases",
  "004_events",
  "005_lanes",
  "006_overtakes",
  "007_marks",
  "008_operators",
  "009_foreign_events",
  "010_idempotency",
];
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
  const dropped = /^DROP INDEX IF EXISTS (\w+)/m.exec(text)?.[1];
  if (dropped) return { kind: "no object", name: dropped };
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

/** Leaves out the indexes that a later migration drops: looked for, they would be made again by every migration. */
const withoutDropped = (migrations: readonly Migration[]): Migration[] => {
  const dropped = new Set(
    migrations.flatMap(({ statements }) =>
      statements.flatMap(({ made }) => (made.kind === "no object" ? [made.name] : [])),
    ),
  );
  return migrations.map((migration) => ({
    ...migration,
    statements: migration.statements.filter(({ made }) => made.kind !== "object" || !dropped.has(made.name)),
  }));
};

const readMigrations = (folder: string): Migration[] => withoutDropped(readFiles(folder));

const readFiles = (folder: string): Migration[] =>
  readdirSync(folder)
    .filter((file) => /^\d{3}_.*\.sql$/.test(file))
    .sort()
    .map((file) => {
      const text = readFileSync(`${folder}/${file}`, "utf8").replaceAll("\r\n", "\n");
      return {
        name: file.replace(/\.sql$/, ""),
        checksum: createHash("sha256").update(text).digest("hex"),
        statements: statementsOf(text),
      };
    });

/** The contents of the database: names of tables, of `table.column` and of objects. */
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
    // The routines are installed with the triggers: their older text in a numbered migration is never made again.
    objects: new Set([...objects, ...dialect.routines].map(({ name }) => name)),
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
    case "no object":
      return !present.objects.has(made.name);
    case "rows":
      return true;
  }
};

/** A migration of which something is missing, or its record. */
interface Pending extends Migration {
  readonly recorded: boolean;
  /** The statements whose thing is missing, with the ones that fill it. */
  readonly statements: readonly MigrationStatement[];
}

interface Plan {
  readonly migrations: readonly Pending[];
  /** Triggers are missing or have another text. */
  readonly triggers: boolean;
}

const namesIn = ({ migrations, triggers }: Plan): string[] => [
  ...migrations.map(({ name }) => name),
  ...(triggers ? [TRIGGERS] : []),
];

const isNothing = ({ migrations, triggers }: Plan): boolean => migrations.length === 0 && !triggers;

/** The checksum of each migration that the database records. */
function* recordedIn(present: Present): Tx<Map<string, string>> {
  if (!present.tables.has(LEDGER)) return new Map();
  const rows = yield* all<{ name: string; checksum: string }>(
    sql`SELECT name, checksum FROM ${raw(LEDGER)} ORDER BY name`,
  );
  return new Map(rows.map((row) => [row.name, row.checksum]));
}

const isBeforeRelease = (recorded: ReadonlyMap<string, string>, known: ReadonlySet<string>): boolean =>
  BEFORE_RELEASE.some((name) => recorded.has(name) && !known.has(name));

const namesOf = (migrations: readonly Migration[]): ReadonlySet<string> =>
  new Set(migrations.map(({ name }) => name));

/** @throws MigrationError when the database is newer, or records another text for a migration. */
function* plan(dialect: Dialect, migrations: readonly Migration[]): Tx<Plan> {
  const present = yield* inspect(dialect);
  const recorded = yield* recordedIn(present);
  const known = namesOf(migrations);
  // Carried over: every migration is made and recorded as if none had been, which changes only what is missing.
  if (isBeforeRelease(recorded, known)) for (const name of BEFORE_RELEASE) recorded.delete(name);

  const newer = [...recorded.keys()].filter((name) => !known.has(name));
  if (newer.length > 0)
    throw new MigrationError(
      `The database is newer than this program: it has ${newer.join(", ")}. Start the program that made it, or a later one.`,
    );
  for (const { name, checksum } of migrations)
    if ((recorded.get(name) ?? checksum) !== checksum)
      throw new MigrationError(
        `The migration ${name} is not the one that this database records. A migration is never edited once it ran: restore its file.`,
      );

  const pending = migrations
    .map((migration): Pending => {
      const isRecorded = recorded.has(migration.name);
      const missing = migration.statements.some(({ made }) => !isThere(made, present));
      const statements = migration.statements.filter(({ made }) =>
        made.kind === "rows" ? missing || !isRecorded : !isThere(made, present),
      );
      return { ...migration, recorded: isRecorded, statements };
    })
    .filter((migration) => !migration.recorded || migration.statements.length > 0);
  const triggers =
    !present.tables.has(SETTINGS) || !(yield* areTriggersInstalled(dialect, CATALOGUE_SET, CATALOGUE));
  return { migrations: pending, triggers };
}

/** Plans a change that the program's role may make.
 *  @throws MigrationError also when the role may not */
function* planOurs(dialect: Dialect, migrations: readonly Migration[]): Tx<Plan> {
  const pending = yield* plan(dialect, migrations);
  if (!isNothing(pending)) yield* requireSchemaRights(dialect, namesIn(pending).join(", "));
  return pending;
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

/** Takes away what a program before the release recorded, and all its triggers.
 *  @returns false when no such program made or adopted the database */
function* carryOver(dialect: Dialect, migrations: readonly Migration[]): Tx<boolean> {
  const present = yield* inspect(dialect);
  if (!isBeforeRelease(yield* recordedIn(present), namesOf(migrations))) return false;
  for (const { statement } of yield* all<{ statement: string }>(dialect.dropsBeforeRelease))
    yield* run(raw(statement));
  yield* run(sql`DELETE FROM ${raw(LEDGER)} WHERE name IN ${list(BEFORE_RELEASE)}`);
  if (present.tables.has(SETTINGS)) yield* run(sql`DELETE FROM ${raw(SETTINGS)} WHERE name = 'marks'`);
  return true;
}

/** Reads which program made the database. */
export function* readOrigin(): Tx<Origin> {
  const row = yield* first<{ value: string }>(sql`SELECT value FROM ${raw(SETTINGS)} WHERE name = ${ORIGIN}`);
  return originOf(row?.value);
}

/** Records the origin in the place of any other. */
export function* recordOrigin(origin: Origin): Tx<void> {
  yield* run(sql`DELETE FROM ${raw(SETTINGS)} WHERE name = ${ORIGIN}`);
  yield* run(sql`INSERT INTO ${raw(SETTINGS)}(name, value) VALUES (${ORIGIN}, ${origin})`);
}

function* apply(dialect: Dialect, migrations: readonly Migration[]): Tx<string[]> {
  yield* run(dialect.migrationLock);
  const isNew = !(yield* inspect(dialect)).tables.has("tasks");
  yield* recognise(dialect, migrations);
  const isCarriedOver = yield* carryOver(dialect, migrations);
  const pending = yield* plan(dialect, migrations);
  if (isNothing(pending)) return []; // Another program was faster.

  yield* run(
    dialect.inSchema(`CREATE TABLE IF NOT EXISTS ${LEDGER} (
    name TEXT PRIMARY KEY, checksum TEXT NOT NULL, applied_at TEXT NOT NULL)`),
  );
  for (const { text } of pending.migrations.flatMap(({ statements }) => statements))
    yield* run(dialect.inSchema(text));
  if (isNew) yield* recordOrigin("serial-gate");
  if (isCarriedOver) yield* recordOrigin("before-release");
  yield* installTriggers(dialect, CATALOGUE_SET, CATALOGUE);
  // While something was missing, changes may have gone unseen.
  for (const statement of [...countLanes, ...fillTimes(dialect)]) yield* run(statement);

  const at = new Date(yield* now()).toISOString();
  for (const { name, checksum } of pending.migrations.filter(({ recorded }) => !recorded))
    yield* run(sql`INSERT INTO ${raw(LEDGER)}(name, checksum, applied_at)
      VALUES (${name}, ${checksum}, ${at})`);
  return namesIn(pending);
}

/** The schema of a database: `none` without our tables, the `orchestrator`'s before it is adopted, `outdated` when a
 *  migration or a trigger is missing. */
export type SchemaState = "none" | "orchestrator" | "outdated" | "current";

function* schemaState(dialect: Dialect, migrations: readonly Migration[]): Tx<SchemaState> {
  const { tables } = yield* inspect(dialect);
  if (!tables.has("tasks")) return "none";
  yield* recognise(dialect, migrations);
  if (isNothing(yield* plan(dialect, migrations))) return "current";
  return tables.has(LEDGER) ? "outdated" : "orchestrator";
}

/** Reads what `migrate` would find. Writes nothing.
 *  @throws MigrationError when the database is newer, edited or another program's
 *  @throws StoreFault when the database cannot be read */
export const readSchema = (store: Store): Promise<SchemaState> => {
  const migrations = readMigrations(folderOf(store.dialect));
  return store.read(() => schemaState(store.dialect, migrations));
};

const folderOf = ({ name }: Dialect): string => `${FOLDER}${name}`;

/** The migration as a part of a transaction, with which it comes to nothing or stays. */
export function* migrateWithin(dialect: Dialect): Tx<string[]> {
  const migrations = readMigrations(folderOf(dialect));
  yield* planOurs(dialect, migrations);
  return yield* apply(dialect, migrations);
}

/** Migrates the database, or finds that there is nothing to do and writes nothing.
 *  @param folder where the migrations are; the program's own unless told.
 *  @returns the names of the migrations of which it made or recorded something, and `triggers` if it made any.
 *  @throws MigrationError when the database is newer, edited or another program's, or the program's role may not change it;
 *    it is left as it was.
 *  @throws StoreFault when the database cannot be read or written. */
export const migrate = async (store: Store, folder = folderOf(store.dialect)): Promise<string[]> => {
  const migrations = readMigrations(folder);
  const pending = await store.read(() => planOurs(store.dialect, migrations));
  if (isNothing(pending)) return [];
  return store.write(() => apply(store.dialect, migrations));
};
