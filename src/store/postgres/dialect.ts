/** How PostgreSQL describes itself to the migrations, and how it keeps triggers. */

import type { Dialect } from "../port.ts";
import { raw, writtenOut } from "../sql.ts";

const BODY = "$gate$";

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
  // Its function runs with our rights and search path: another program may lack both.
  makeTrigger: ({ name, table, after, when, body }) => [
    raw(`DROP FUNCTION IF EXISTS ${name}() CASCADE`),
    raw(`CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql
        SECURITY DEFINER SET search_path FROM CURRENT AS ${BODY}
      BEGIN
        IF ${writtenOut(when)} THEN
          ${body.map((statement) => `${writtenOut(statement)};`).join("\n")}
        END IF;
        RETURN NULL;
      END ${BODY}`),
    raw(`CREATE TRIGGER ${name} AFTER ${after} ON ${table} FOR EACH ROW EXECUTE FUNCTION ${name}()`),
  ],
  // With its function, on whatever table it is by now.
  dropTrigger: ({ name }) => [raw(`DROP FUNCTION IF EXISTS ${name}() CASCADE`)],
  // Changing a schema may take its time: the lock waits as long as needed, and so does all after it.
  migrationLock: raw(`SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0;
    SELECT pg_advisory_xact_lock(hashtext('serial-gate'), hashtext(current_schema()))`),
};
