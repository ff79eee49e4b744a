/** How SQLite describes itself to the migrations, and how it keeps triggers. */

import type { Dialect } from "../port.ts";
import { raw, writtenOut } from "../sql.ts";

export const DIALECT: Dialect = {
  name: "sqlite",
  // SQLite compares names without regard to case.
  columns: raw(`SELECT lower(m.name) AS table_name, lower(c.name) AS column_name
    FROM sqlite_master m JOIN pragma_table_info(m.name) c
    WHERE m.type = 'table' AND m.sql NOT LIKE 'CREATE VIRTUAL TABLE%'`),
  objects: raw(`SELECT lower(name) AS name FROM sqlite_master WHERE type IN ('index', 'trigger', 'view')`),
  makeTrigger: ({ name, table, after, when, body }) => [
    raw(`DROP TRIGGER IF EXISTS ${name}`),
    raw(`CREATE TRIGGER ${name} AFTER ${after} ON ${table} WHEN ${writtenOut(when)}
      BEGIN ${body.map((statement) => `${writtenOut(statement)};`).join("\n")} END`),
  ],
  dropTrigger: ({ name }) => [raw(`DROP TRIGGER IF EXISTS ${name}`)],
  migrationLock: raw("SELECT 1"), // BEGIN IMMEDIATE is the lock.
};
