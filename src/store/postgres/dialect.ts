/** How PostgreSQL describes itself to the migrations, and how it keeps triggers. */

import type { Dialect } from "../port.ts";
import { raw } from "../sql.ts";
import { exposuresOf, isOurs } from "./exposures.ts";
import { pinned, qualifierFor } from "./qualify.ts";
import { routinesIn } from "./routines.ts";
import { milliseconds, triggerMaker } from "./triggers.ts";

/** @param schema as SQL names it */
export const dialectIn = (schema: string): Dialect => {
  const namespace = `'${schema.replaceAll("'", "''")}'::regnamespace`;
  return {
    name: "postgres",
    schema,
    columns: raw(`SELECT c.relname AS table_name, a.attname AS column_name
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = ${namespace} AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped`),
    // A trigger or a function of ours that everyone may call counts as missing: a dump without privileges makes such a one.
    objects: raw(`SELECT c.relname AS name FROM pg_class c
      WHERE c.relnamespace = ${namespace} AND c.relkind IN ('i', 'I', 'v', 'm')
    UNION ALL SELECT t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
      WHERE c.relnamespace = ${namespace} AND NOT t.tgisinternal
        AND NOT (starts_with(t.tgname::text, 'gate_') AND has_function_privilege('public', t.tgfoid, 'EXECUTE'))
    UNION ALL SELECT p.proname || '()' FROM pg_proc p WHERE p.pronamespace = ${namespace}
        AND NOT (starts_with(p.proname::text, 'gate_') AND p.prorettype <> 'trigger'::regtype
          AND has_function_privilege('public', p.oid, 'EXECUTE'))`),
    writerIsAlone: false,
    routines: routinesIn(schema),
    makeTrigger: triggerMaker(schema),
    milliseconds,
    // With its function, on whatever table it is by now.
    dropTrigger: (name) => raw(`DROP FUNCTION IF EXISTS ${schema}.${name}() CASCADE`),
    dropsBeforeRelease: raw(`SELECT 'DROP FUNCTION ' || p.oid::regprocedure || ' CASCADE' AS statement
    FROM pg_proc p WHERE p.pronamespace = ${namespace}
      AND (p.proname LIKE 'gate\\_%' OR p.proname LIKE 'lane\\_marks\\_%')`),
    // Changing a schema may take its time: the lock waits as long as needed, and so does all after it.
    migrationLock: raw(`SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0;
    SELECT pg_advisory_xact_lock(hashtext('serial-gate'), hashtext('${schema.replaceAll("'", "''")}'))`),
    // Also an index's condition is resolved when it is made: the schema itself is not searched.
    inSchema: (text) => raw(`${pinned([])};\n${qualifierFor(schema).migration(text)}`),
    schemaRights: raw(`SELECT current_user AS role, CASE WHEN has_schema_privilege(${namespace}, 'CREATE')
      AND NOT EXISTS (SELECT 1 FROM pg_class c WHERE c.relnamespace = ${namespace} AND ${isOurs("c")}
        AND NOT pg_has_role(c.relowner, 'USAGE')) THEN 1 ELSE 0 END AS may`),
    // The server's own tools look for damage: pg_amcheck.
    damages: raw("SELECT '' AS damage WHERE 1 = 0"),
    exposures: raw(exposuresOf(namespace)),
    suspends: true,
  };
};
