/** Translates portable SQL for PostgreSQL: qualified names, `$1` for `?`, and a name under which a connection prepares the
 *  statement.
 *  Text to text; nothing here talks to a database. */

import { createHash } from "node:crypto";
import type { Statement, Value } from "../sql.ts";

/** A connection keeps its prepared statements for good, so further texts (lists have every length) get no name. */
const NAMED_TEXTS = 500;

/** Literals, quoted names, dollar-quoted bodies and comments, in which a question mark is no placeholder; or a placeholder. */
const LITERAL_OR_PLACEHOLDER = /'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$[\s\S]*?\$\1\$|--[^\n]*|\?/g;

const ROW_STATEMENT = /^\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b/i;

const MAX_INTEGER = 2_147_483_647;

/** True for a number that PostgreSQL refuses to compare with an INTEGER column, such as an orchestrator's id, untyped. */
const isWide = (value: Value | undefined): boolean => typeof value === "number" && value > MAX_INTEGER;

const numbered = ({ sql, params }: Statement): string => {
  let next = 0;
  return sql.replace(LITERAL_OR_PLACEHOLDER, (part) => {
    if (part !== "?") return part;
    const type = isWide(params[next]) ? "::bigint" : "";
    return `$${++next}${type}`;
  });
};

export interface Translated {
  readonly text: string;
  /** Undefined where the statement is not to be prepared. */
  readonly name: string | undefined;
  /** True for a statement that reads or writes rows, false for a command such as CREATE. */
  readonly isRowStatement: boolean;
}

/** Returns a translator that caches its translations.
 *  @param qualify names our tables by their schema: see qualify.ts */
export const translator = (qualify: (text: string) => string): ((statement: Statement) => Translated) => {
  const known = new Map<string, Translated>();
  return (statement) => {
    const { sql, params } = statement;
    const wide = params.flatMap((value, index) => (isWide(value) ? [index] : []));
    const key = wide.length > 0 ? `${wide.join()} ${sql}` : sql;
    const cached = known.get(key);
    if (cached) return cached;
    const isRowStatement = ROW_STATEMENT.test(sql);
    const isNamed = isRowStatement && known.size < NAMED_TEXTS;
    const qualified = isRowStatement ? qualify(sql) : sql;
    const text = params.length > 0 ? numbered({ sql: qualified, params }) : qualified;
    const name = isNamed ? createHash("sha256").update(text).digest("hex").slice(0, 32) : undefined;
    const translated = { text, name, isRowStatement };
    if (isNamed) known.set(key, translated);
    return translated;
  };
};
