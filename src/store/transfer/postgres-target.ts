/** A PostgreSQL database as the target of a copy: the statements that fill any table and read it back.
 *  It does not know the purpose of a table. Tables are given as `nameIn` returns them. */

import type { Dialect } from "../port.ts";
import { raw, sql, type Statement } from "../sql.ts";

/** A table's name, as SQL takes it under any search path. */
export const nameIn = ({ schema }: Dialect, table: string): string => `${schema}."${table}"`;

const names = (columns: readonly string[]): string => columns.map((column) => `"${column}"`).join(", ");

/** Disables triggers, so that rows are inserted unchanged. The ALTER also locks the table against other writers until the
 *  transaction ends. */
export const disableTriggers = (table: string): Statement => raw(`ALTER TABLE ${table} DISABLE TRIGGER USER`);

export const enableTriggers = (table: string): Statement => raw(`ALTER TABLE ${table} ENABLE TRIGGER USER`);

export const selectAnyRow = (table: string): Statement => raw(`SELECT 1 FROM ${table} LIMIT 1`);

/** Inserts rows given as objects of texts and nulls; PostgreSQL reads each text as its column's type. */
export const insertRows = (table: string, columns: readonly string[], rows: readonly object[]): Statement =>
  sql`INSERT INTO ${raw(table)}(${raw(names(columns))})
    SELECT ${raw(names(columns))} FROM json_populate_recordset(NULL::${raw(table)}, ${JSON.stringify(rows)}::json)`;

const CURSOR = "gate_copied";

/** Opens a cursor over a table: every value as text, in no particular order. */
export const openCursor = (table: string, columns: readonly string[]): Statement =>
  raw(`DECLARE ${CURSOR} NO SCROLL CURSOR FOR
    SELECT ${columns.map((column) => `"${column}"::text`).join(", ")} FROM ${table}`);

/** Fetches the cursor's next rows; none at its end. */
export const fetchRows = (count: number): Statement => raw(`FETCH ${count} FROM ${CURSOR}`);

export const closeCursor = (): Statement => raw(`CLOSE ${CURSOR}`);

/** Rows `{column}`: the columns of a table that have a sequence. */
export const sequenceColumns = (table: string): Statement =>
  sql`SELECT attname AS "column" FROM pg_attribute WHERE attrelid = ${table}::regclass AND attnum > 0
    AND NOT attisdropped AND pg_get_serial_sequence(${table}, attname) IS NOT NULL`;

/** Advances the column's sequence beyond `last` and beyond every value in the table. */
export const advanceSequence = (table: string, column: string, last: number): Statement =>
  sql`SELECT setval(pg_get_serial_sequence(${table}, ${column}), drawn)
    FROM (SELECT GREATEST(MAX("${raw(column)}"), ${last}) AS drawn FROM ${raw(table)}) AS ids WHERE drawn > 0`;
