/** The orchestrator's database from before the pause, as one that keeps it in PostgreSQL would have it. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type pg from "pg";

/** How such an orchestrator may keep its times. */
export type TimeType = "TEXT" | "TIMESTAMP" | "TIMESTAMPTZ";

export const TIME_TYPES: readonly TimeType[] = ["TEXT", "TIMESTAMP", "TIMESTAMPTZ"];

const NOW: Record<TimeType, string> = {
  TEXT: "to_char(now() AT TIME ZONE 'utc', 'YYYY-MM-DD HH24:MI:SS')",
  TIMESTAMP: "(now() AT TIME ZONE 'utc')",
  TIMESTAMPTZ: "now()",
};

const tables = (time: TimeType): string => `
CREATE TABLE tasks (
  id SERIAL PRIMARY KEY,
  plane_id TEXT,
  work_item_id VARCHAR(64),
  repo TEXT NOT NULL,
  branch TEXT,
  stage VARCHAR(32) NOT NULL DEFAULT 'created',
  title TEXT,
  track TEXT,
  cancelled_at ${time},
  created_at ${time} DEFAULT ${NOW[time]},
  updated_at ${time} DEFAULT ${NOW[time]}
);
CREATE TABLE jobs (
  id SERIAL PRIMARY KEY,
  agent TEXT NOT NULL,
  repo TEXT,
  task_id INTEGER REFERENCES tasks(id),
  task_content TEXT,
  status TEXT NOT NULL DEFAULT 'queued',
  attempts INTEGER NOT NULL DEFAULT 0,
  max_attempts INTEGER NOT NULL DEFAULT 2,
  created_at ${time} DEFAULT ${NOW[time]},
  started_at ${time},
  finished_at ${time},
  error TEXT
);
CREATE TABLE job_deps (
  id SERIAL PRIMARY KEY,
  task_id INTEGER NOT NULL REFERENCES tasks(id),
  depends_on_task_id INTEGER NOT NULL REFERENCES tasks(id),
  created_at ${time} DEFAULT ${NOW[time]},
  UNIQUE(task_id, depends_on_task_id)
);
CREATE TABLE repo_freeze (
  id SERIAL PRIMARY KEY,
  repo TEXT NOT NULL,
  frozen_at ${time} DEFAULT ${NOW[time]},
  reason TEXT,
  work_item_id TEXT,
  cleared_at ${time}
);
CREATE INDEX idx_jobs_status ON jobs(status, id);
CREATE INDEX idx_freeze_repo ON repo_freeze(repo);
CREATE VIEW open_tasks AS SELECT id, work_item_id, repo, stage FROM tasks WHERE stage NOT IN ('done','cancelled');
`;

/** The same rows as in the orchestrator's file. */
const ROWS = (
  readFileSync(
    fileURLToPath(new URL("../fixtures/orchestrator-before-pause.sql", import.meta.url)),
    "utf8",
  ).match(/^(INSERT INTO|UPDATE) [^;]+;/gm) ?? []
).join("\n");

const ORCHESTRATORS = ["tasks", "jobs", "job_deps", "repo_freeze"];

/** Makes the orchestrator's tables in an empty database. */
export const makeLegacy = async (client: pg.Client, time: TimeType): Promise<void> => {
  await client.query("SET timezone = 'UTC'");
  await client.query(tables(time) + ROWS);
  for (const table of ORCHESTRATORS)
    await client.query(
      `SELECT setval(pg_get_serial_sequence('${table}', 'id'), (SELECT MAX(id) FROM ${table}))`,
    );
};

const rowsOf = async (client: pg.Client, text: string): Promise<unknown[]> =>
  (await client.query<Record<string, unknown>>(text)).rows;

export interface Schema {
  readonly columns: readonly unknown[];
  /** The text of every index, trigger, function and view, by name. */
  readonly objects: Readonly<Record<string, string>>;
}

const COLUMNS = `SELECT table_name, column_name, data_type, character_maximum_length, collation_name, column_default,
  is_nullable, is_identity FROM information_schema.columns WHERE table_schema = current_schema()`;

const OBJECTS = `SELECT * FROM (
  SELECT 'index ' || indexname AS name, indexdef AS text FROM pg_indexes WHERE schemaname = current_schema()
  UNION ALL SELECT 'trigger ' || t.tgname || ' on ' || t.tgrelid::regclass, pg_get_triggerdef(t.oid)
    FROM pg_trigger t WHERE NOT t.tgisinternal
  UNION ALL SELECT 'function ' || p.proname, pg_get_functiondef(p.oid)
    FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace
  UNION ALL SELECT 'view ' || viewname, definition FROM pg_views WHERE schemaname = current_schema()
  ) AS objects ORDER BY name COLLATE "C"`;

/** Where in its table a column stands is no part of it. */
export const schemaOf = async (client: pg.Client): Promise<Schema> => ({
  columns: await rowsOf(client, `${COLUMNS} ORDER BY table_name, column_name`),
  objects: Object.fromEntries(
    (await client.query<{ name: string; text: string }>(OBJECTS)).rows.map(({ name, text }) => [name, text]),
  ),
});

/** All that the orchestrator left: its columns in their order, its rows as text, its last ids, its indexes, constraints
 *  and view. */
export const leftByOrchestrator = async (
  client: pg.Client,
  columnsBefore?: readonly string[],
): Promise<{ columns: readonly string[]; left: unknown }> => {
  const found = await client.query<{ name: string }>(
    `SELECT table_name || '.' || column_name AS name FROM information_schema.columns
      WHERE table_schema = current_schema() AND table_name = ANY($1) ORDER BY table_name, ordinal_position`,
    [ORCHESTRATORS],
  );
  const columns = columnsBefore ?? found.rows.map(({ name }) => name);
  const left = [];
  for (const table of ORCHESTRATORS) {
    const own = columns
      .filter((name) => name.startsWith(`${table}.`))
      .map((name) => name.split(".")[1] ?? "");
    left.push({
      table,
      columns: await rowsOf(
        client,
        `SELECT * FROM (${COLUMNS} AND table_name = '${table}' ORDER BY ordinal_position) AS c
          WHERE column_name IN (${own.map((name) => `'${name}'`).join(", ")})`,
      ),
      rows: await rowsOf(
        client,
        `SELECT ${own.map((name) => `${name}::text`).join(", ")} FROM ${table} ORDER BY id`,
      ),
      lastId: await rowsOf(client, `SELECT last_value, is_called FROM ${table}_id_seq`),
      constraints: await rowsOf(
        client,
        `SELECT conname, pg_get_constraintdef(oid) AS text FROM pg_constraint
          WHERE conrelid = '${table}'::regclass AND contype <> 'n' ORDER BY conname`,
      ),
    });
  }
  const { objects } = await schemaOf(client);
  const theirs = Object.entries(objects).filter(([name]) => /^(index|view) (?!gate_)/.test(name));
  return { columns, left: { tables: left, objects: theirs.filter(([name]) => !name.includes(" gate_")) } };
};
