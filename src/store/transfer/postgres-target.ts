/** A PostgreSQL database as something to copy to: the statements that fill a table as it was elsewhere and read it
 *  back. What a table is for is not known here. */

import { raw, sql, type Statement } from "../sql.ts";

const names = (columns: readonly string[]): string => columns.map((column) => `"${column}"`).join(", ");

/** Keeps other writers out until the transaction ends, and lets the rows in as they are. */
export const openTable = (table: string): Statement => raw(`ALTER TABLE "${table}" DISABLE TRIGGER USER`);

export const closeTable = (table: string): Statement => raw(`ALTER TABLE "${table}" ENABLE TRIGGER USER`);

export const anyRow = (table: string): Statement => raw(`SELECT 1 FROM "${table}" LIMIT 1`);

/** Inserts rows, given as objects whose values are texts or null: each is read as its column's type. */
export const insertRows = (table: string, columns: readonly string[], rows: readonly object[]): Statement =>
  sql`INSERT INTO "${raw(table)}"(${raw(names(columns))})
    SELECT ${raw(names(columns))} FROM json_populate_recordset(NULL::"${raw(table)}", ${JSON.stringify(rows)}::json)`;

const CURSOR = "gate_copied";

/** Begins to read a table, every value as text, in no order. */
export const readRows = (table: string, columns: readonly string[]): Statement =>
  raw(`DECLARE ${CURSOR} NO SCROLL CURSOR FOR
    SELECT ${columns.map((column) => `"${column}"::text`).join(", ")} FROM "${table}"`);

/** The next rows of the table that is read; none at its end. */
export const nextRows = (count: number): Statement => raw(`FETCH ${count} FROM ${CURSOR}`);

export const endReading = (): Statement => raw(`CLOSE ${CURSOR}`);

/** Rows `{column}` of the columns of a table whose values the database draws. */
export const drawnColumns = (table: string): Statement =>
  sql`SELECT attname AS "column" FROM pg_attribute WHERE attrelid = quote_ident(${table})::regclass AND attnum > 0
    AND NOT attisdropped AND pg_get_serial_sequence(quote_ident(${table}), attname) IS NOT NULL`;

/** Nothing up to this, nor up to what is there, is drawn again. */
export const drawnUpTo = (table: string, column: string, last: number): Statement =>
  sql`SELECT setval(pg_get_serial_sequence(quote_ident(${table}), ${column}), drawn)
    FROM (SELECT GREATEST(MAX("${raw(column)}"), ${last}) AS drawn FROM "${raw(table)}") AS ids WHERE drawn > 0`;
