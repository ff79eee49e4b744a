/** SQL as a value: text with its bound parameters, which can be spliced into other SQL. Input is always bound; only `raw`
 *  puts text into a statement.
 *  Portable: a placeholder is `?`, and the PostgreSQL adapter rewrites it. */

export type Value = string | number | null;

export interface Statement {
  readonly sql: string;
  readonly params: readonly Value[];
}

const isStatement = (part: Value | Statement): part is Statement => typeof part === "object" && part !== null;

/** A statement, or a fragment of one: interpolated fragments are spliced, interpolated values are bound. */
export const sql = (text: TemplateStringsArray, ...parts: readonly (Value | Statement)[]): Statement => {
  let joined = text[0] ?? "";
  const params: Value[] = [];
  parts.forEach((part, index) => {
    if (isStatement(part)) {
      joined += part.sql;
      params.push(...part.params);
    } else {
      joined += "?";
      params.push(part);
    }
    joined += text[index + 1] ?? "";
  });
  return { sql: joined, params };
};

/** SQL text as it is. For names and constants of the program, never for input. */
export const raw = (text: string): Statement => ({ sql: text, params: [] });

/** An integer as text, for LIMIT in frequent statements: SQLite prepares a statement with a bound LIMIT again on each run,
 *  which costs ten times as much as a claim's lookup. */
export const inlineInteger = (value: number): Statement => raw(String(Math.trunc(value)));

const NOTHING = raw("");

/** The fragment if the condition is true, otherwise no text. */
export const when = (condition: boolean, fragment: Statement): Statement => (condition ? fragment : NOTHING);

/** The fragments one after the other, the separator between them. */
export const join = (fragments: readonly Statement[], separator: string): Statement => ({
  sql: fragments.map((fragment) => fragment.sql).join(separator),
  params: fragments.flatMap((fragment) => fragment.params),
});

/** PostgreSQL assumes that json_each returns 100 rows and scans the other table. Up to this many values, a LIMIT tells it
 *  their real number. */
const FEW_ROWS = 16;

/** Numbered values as rows `key` and `value`, for FROM. They are one parameter, so that any number of them has the same
 *  text; and an object, because PostgreSQL's `json_each` does not accept an array. */
export const rowsOf = (entries: Iterable<readonly [number, unknown]>): Statement => {
  const all = [...entries];
  const each = sql`json_each(${JSON.stringify(Object.fromEntries(all))})`;
  if (all.length > FEW_ROWS) return each;
  return sql`(SELECT key, value FROM ${each} LIMIT ${inlineInteger(2 ** Math.ceil(Math.log2(Math.max(1, all.length))))})`;
};

/** `(SELECT …)` for IN, over any number of ids. */
export const idsIn = (ids: readonly number[]): Statement =>
  sql`(SELECT CAST(listed.key AS BIGINT) FROM ${rowsOf(ids.map((id) => [id, 1]))} AS listed)`;

/** Texts as rows `value ->> 'text'`, for FROM. */
export const rowsOfTexts = (texts: readonly string[]): Statement =>
  rowsOf(texts.map((text, index) => [index, { text }]));

/** `(SELECT …)` for IN, over any number of texts. */
const textsIn = (texts: readonly string[]): Statement =>
  sql`(SELECT listed.value ->> 'text' FROM ${rowsOfTexts(texts)} AS listed)`;

/** The longest list that is bound value by value. A statement may have several, and SQLite takes 32,766 values in all,
 *  PostgreSQL 65,535. */
const FEW_VALUES = 100;

/** `(?, ?, …)` for IN; a long list of numbers, or of texts, is one value. The list must not be empty: no database takes `IN ()`. */
export const list = (values: readonly Value[]): Statement => {
  if (values.length > FEW_VALUES) {
    if (values.every((value) => typeof value === "number")) return idsIn(values);
    if (values.every((value) => typeof value === "string")) return textsIn(values);
  }
  return { sql: `(${values.map(() => "?").join(", ")})`, params: values };
};

/** True when the FROM and WHERE find a row. */
export const exists = (rows: Statement): Statement => sql`EXISTS (SELECT 1 FROM ${rows})`;

/** 1 where the condition is true, otherwise 0: a column that both databases return as the same value. */
export const flag = (condition: Statement): Statement => sql`CASE WHEN ${condition} THEN 1 ELSE 0 END`;

const literal = (value: Value): string =>
  typeof value === "string" ? `'${value.replaceAll("'", "''")}'` : String(value ?? "NULL");

/** The statement as text with its parameters as literals, for stored SQL such as a trigger. Apart from placeholders it
 *  must not contain a question mark. */
export const writtenOut = ({ sql: text, params }: Statement): string => {
  let next = 0;
  return text.replaceAll("?", () => literal(params[next++] ?? null));
};
