/** How PostgreSQL describes itself to the migrations, and how it keeps triggers. */

import type { Dialect } from "../port.ts";
import { raw } from "../sql.ts";
import { makeTrigger, milliseconds } from "./triggers.ts";

export const DIALECT: Dialect = {
  name: "postgres",
  columns: raw(`SELECT c.relname AS table_name, a.attname AS column_name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped`),
  objects: raw(`SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = current_schema() AND c.relkind IN ('i', 'I', 'v', 'm')
    UNION ALL SELECT t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = current_schema() AND NOT t.tgisinternal
    UNION ALL SELECT p.proname || '()' FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE n.nspname = current_schema()`),
  makeTrigger,
  milliseconds,
  // With its function, on whatever table it is by now.
  dropTrigger: (name) => raw(`DROP FUNCTION IF EXISTS ${name}() CASCADE`),
  dropsBeforeRelease: raw(`SELECT 'DROP FUNCTION ' || p.oid::regprocedure || ' CASCADE' AS statement
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = current_schema() AND (p.proname LIKE 'gate\\_%' OR p.proname LIKE 'lane\\_marks\\_%')`),
  // Changing a schema may take its time: the lock waits as long as needed, and so does all after it.
  migrationLock: raw(`SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0;
    SELECT pg_advisory_xact_lock(hashtext('serial-gate'), hashtext(current_schema()))`),
};
