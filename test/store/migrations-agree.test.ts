import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { describe, expect, it, onTestFinished } from "vitest";
import { JOB_STATUSES, TERMINAL_STAGES } from "../../src/contract/vocabulary.ts";
import { migrate } from "../../src/store/migrate.ts";
import { openSqlite } from "../../src/store/sqlite/store.ts";
import { temporaryFolder } from "../support/folder.ts";
import { connectTo, testDatabase } from "../support/postgres.ts";

const folderOf = (dialect: string): string =>
  fileURLToPath(new URL(`../../migrations/${dialect}`, import.meta.url));

const filesIn = (dialect: string): string[] => readdirSync(folderOf(dialect)).sort();

const textOf = (dialect: string): string =>
  filesIn(dialect)
    .map((file) => readFileSync(join(folderOf(dialect), file), "utf8"))
    .join("\n");

/** The text of every index, by file. */
const indexesIn = (dialect: string): [string, string[]][] =>
  filesIn(dialect).map((file) => [
    file,
    readFileSync(join(folderOf(dialect), file), "utf8").match(/^CREATE (UNIQUE )?INDEX [^;]+;/gm) ?? [],
  ]);

interface Column {
  readonly table: string;
  readonly column: string;
  readonly type: "number" | "text";
  readonly required: boolean;
  /** `the time` for the time of the insert; null for none, or for an id that is drawn. */
  readonly default: string | null;
}

const columnsOfSqlite = async (): Promise<Column[]> => {
  const path = join(temporaryFolder(), "gate.db");
  const store = await openSqlite(path, Date.now);
  await migrate(store);
  await store.close();
  const db = new Database(path, { readonly: true });
  onTestFinished(() => {
    db.close();
  });
  const rows = db
    .prepare<
      [],
      { table: string; column: string; type: string; notnull: number; pk: number; dflt: string | null }
    >(
      `SELECT m.name AS "table", c.name AS "column", c.type, c."notnull", c.pk, c.dflt_value AS dflt
        FROM sqlite_master m JOIN pragma_table_info(m.name) c
        WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid`,
    )
    .all();
  return rows.map(({ table, column, type, notnull, pk, dflt }) => ({
    table,
    column,
    type: type === "INTEGER" ? "number" : "text",
    required: notnull === 1 || pk > 0,
    default: dflt === "datetime('now')" ? "the time" : dflt,
  }));
};

const columnsOfPostgres = async (): Promise<Column[]> => {
  const client = await connectTo(await testDatabase());
  const { rows } = await client.query<{
    table: string;
    column: string;
    type: string;
    nullable: string;
    dflt: string | null;
  }>(`SELECT table_name AS "table", column_name AS "column", data_type AS type, is_nullable AS nullable,
        column_default AS dflt
      FROM information_schema.columns WHERE table_schema = current_schema()
      ORDER BY table_name COLLATE "C", ordinal_position`);
  return rows.map(({ table, column, type, nullable, dflt }) => ({
    table,
    column,
    type: type === "text" ? "text" : "number",
    required: nullable === "NO",
    default: dflt?.startsWith("to_char(") ? "the time" : (dflt?.replace(/::\w+$/, "") ?? null),
  }));
};

describe("the migrations of both databases", () => {
  it("have the same names", () => {
    expect(filesIn("postgres")).toEqual(filesIn("sqlite"));
  });

  it("make the same tables with the same columns", async () => {
    const [sqlite, postgres] = await Promise.all([columnsOfSqlite(), columnsOfPostgres()]);
    expect(postgres).toEqual(sqlite);
    expect(sqlite.length).toBeGreaterThan(60);
  });

  it("make the same indexes", () => {
    expect(indexesIn("postgres")).toEqual(indexesIn("sqlite"));
    expect(indexesIn("sqlite").flatMap(([, indexes]) => indexes).length).toBeGreaterThan(15);
  });

  it("count the jobs of a lane in each of the contract's statuses", async () => {
    const lanes = (await columnsOfSqlite()).filter(({ table }) => table === "gate_lanes");
    expect(lanes.map(({ column }) => column)).toEqual([
      "repo",
      "revision",
      ...JOB_STATUSES,
      "folded",
      "mixed",
    ]);
  });

  it.each(["sqlite", "postgres"])("call the contract's stages terminal, and no others, on %s", (dialect) => {
    const lists = [...textOf(dialect).matchAll(/stage (?:NOT )?IN \(([^)]*)\)/g)].map(([, list]) => list);
    expect(lists.length).toBeGreaterThan(5);
    expect([...new Set(lists)]).toEqual([TERMINAL_STAGES.map((stage) => `'${stage}'`).join(", ")]);
  });

  it.each(["sqlite", "postgres"])("know no job status but the contract's on %s", (dialect) => {
    const found = [...textOf(dialect).matchAll(/\bstatus (?:=|DEFAULT|TEXT NOT NULL DEFAULT) '(\w+)'/g)].map(
      ([, status]) => status,
    );
    expect(found.length).toBeGreaterThan(3);
    expect(JOB_STATUSES).toEqual(expect.arrayContaining([...new Set(found)]));
  });

  it("give a row of another program the time in the same form", async () => {
    const client = await connectTo(await testDatabase());
    const { rows } = await client.query<{ created_at: string }>(
      "INSERT INTO tasks(repo) VALUES ('acme/web') RETURNING created_at",
    );
    const created = rows[0]?.created_at ?? "";
    expect(created).toMatch(/^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$/);
    expect(Math.abs(Date.parse(`${created.replace(" ", "T")}Z`) - Date.now())).toBeLessThan(60_000);
  });
});
