/** The program's SQL as PostgreSQL takes it: `$1` for `?`, under a name by which a connection knows it again.
 *  Text to text; nothing here talks to a database. */

import { createHash } from "node:crypto";
import type { Statement, Value } from "../sql.ts";

/** A connection keeps what it has prepared. Texts beyond these (lists come in every length) get no name. */
const NAMED_TEXTS = 500;

/** Literals, quoted names, dollar-quoted bodies and comments, in which a question mark is itself. */
const NOT_CODE = /'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$[\s\S]*?\$\1\$|--[^\n]*|\?/g;

const PREPARABLE = /^\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b/i;

const MOST_INTEGER = 2_147_483_647;

/** A number that PostgreSQL would refuse beside an INTEGER, which an orchestrator's ids may be. */
const isWide = (value: Value | undefined): boolean => typeof value === "number" && value > MOST_INTEGER;

const numbered = ({ sql, params }: Statement): string => {
  let next = 0;
  return sql.replace(NOT_CODE, (part) => {
    if (part !== "?") return part;
    const type = isWide(params[next]) ? "::bigint" : "";
    return `$${++next}${type}`;
  });
};

export interface Translated {
  readonly text: string;
  /** Only where the text is worth preparing. */
  readonly name: string | undefined;
  /** Whether it reads or writes rows; else it is a command, such as CREATE. */
  readonly ofRows: boolean;
}

/** Translates each text once. */
export const translator = (): ((statement: Statement) => Translated) => {
  const known = new Map<string, Translated>();
  return (statement) => {
    const { sql, params } = statement;
    const wide = params.flatMap((value, index) => (isWide(value) ? [index] : []));
    const key = wide.length > 0 ? `${wide.join()} ${sql}` : sql;
    const there = known.get(key);
    if (there) return there;
    const ofRows = PREPARABLE.test(sql);
    const keep = ofRows && known.size < NAMED_TEXTS;
    const text = params.length > 0 ? numbered(statement) : sql;
    const name = keep ? createHash("sha256").update(text).digest("hex").slice(0, 32) : undefined;
    const translated = { text, name, ofRows };
    if (keep) known.set(key, translated);
    return translated;
  };
};
