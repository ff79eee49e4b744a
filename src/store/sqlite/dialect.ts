/** How SQLite describes itself to the migrations, and how it keeps triggers. */

import type { Dialect } from "../port.ts";
import { raw } from "../sql.ts";
import { milliseconds } from "./milliseconds.ts";
import { makeTrigger } from "./triggers.ts";

export const DIALECT: Dialect = {
  name: "sqlite",
  schema: "main",
  // SQLite compares names without regard to case.
  columns: raw(`SELECT lower(m.name) AS table_name, lower(c.name) AS column_name
    FROM sqlite_master m JOIN pragma_table_info(m.name) c
    WHERE m.type = 'table' AND m.sql NOT LIKE 'CREATE VIRTUAL TABLE%'`),
  objects: raw(`SELECT lower(name) AS name FROM sqlite_master WHERE type IN ('index', 'trigger', 'view')`),
  writerIsAlone: true, // BEGIN IMMEDIATE
  routines: [],
  makeTrigger,
  milliseconds,
  dropTrigger: (name) => raw(`DROP TRIGGER IF EXISTS ${name}`),
  dropsBeforeRelease: raw(`SELECT 'DROP TRIGGER ' || name AS statement FROM sqlite_master
    WHERE type = 'trigger' AND (name LIKE 'gate\\_%' ESCAPE '\\' OR name LIKE 'lane\\_marks\\_%' ESCAPE '\\')`),
  migrationLock: raw("SELECT 1"), // BEGIN IMMEDIATE is the lock.
  inSchema: raw,
  // A file has no roles: a program that may write to it may change all of it.
  schemaRights: raw("SELECT '' AS role, 1 AS may"),
  damages: raw("SELECT integrity_check AS damage FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
  exposures: raw("SELECT '' AS exposure WHERE 0"),
  suspends: false,
};
