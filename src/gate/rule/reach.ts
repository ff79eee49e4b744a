/** The repositories that a caller may know, as a condition on rows and as a last look at an answer. A caller of all costs
 *  nothing: its statements are the same, and its answers are not looked at. */

import { prefixOf, sees, type Reach } from "../../contract/names/repo-pattern.ts";
import { GateError } from "../../contract/errors.ts";
import { join, raw, sql, when, type Statement } from "../../store/sql.ts";

/** The caller: its name, and its limits. */
export interface Identity {
  /** The name of its token; null when the service asks for none. */
  readonly actor: string | null;
  readonly reach: Reach;
  /** The agents whose jobs it may claim; null for all. */
  readonly agents: readonly string[] | null;
}

const matches = (column: Statement, pattern: string): Statement => {
  const prefix = prefixOf(pattern);
  return prefix === undefined
    ? sql`${column} = ${pattern}`
    : sql`substr(${column}, 1, ${Array.from(prefix).length}) = ${prefix}`;
};

/** ` AND (…)` for the rows of an alias with a `repo` that the caller may know; nothing for a caller of all. */
export const inReach = (reach: Reach, alias: string): Statement => {
  const patterns = reach ?? [];
  const column = raw(`${alias}.repo`);
  return when(
    reach !== null,
    patterns.length === 0
      ? raw(" AND 1 = 0")
      : sql` AND (${join(
          patterns.map((pattern) => matches(column, pattern)),
          " OR ",
        )})`,
  );
};

export const unknownRepo = (repo: string): GateError =>
  new GateError("unknown_repo", `The token may know no repository ${repo}.`, {
    hint: "Check the name, and the `repos` of the token.",
  });

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null;

/** Members that are a caller's own JSON, and name no repository of ours. */
const CONTENTS = ["payload", "result", "detail"];

const isSeen = (reach: Reach, part: unknown): boolean =>
  !isObject(part) || typeof part.repo !== "string" || sees(reach, part.repo);

/** The answer without the parts of its lists that are in repositories that the caller may not know: dependencies, effects
 *  on other repositories, near names. Lists that are read in pages are selected by `inReach` before. */
export const withinReach = <T>(reach: Reach, answer: T): T =>
  reach === null ? answer : (pruned(reach, answer) as T);

const pruned = (reach: Reach, value: unknown, name = ""): unknown => {
  if (Array.isArray(value)) {
    const seen = value.filter((part) =>
      name === "near" || name === "repos" ? sees(reach, String(part)) : isSeen(reach, part),
    );
    return seen.map((part) => pruned(reach, part));
  }
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [
      key,
      CONTENTS.includes(key) ? part : pruned(reach, part, key),
    ]),
  );
};
