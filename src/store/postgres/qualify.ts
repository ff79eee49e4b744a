/** Names the program's tables and functions by their schema, and sets the search path under which they run: whatever
 *  other roles create in the schema or as temporary objects, it is not found in the place of PostgreSQL's own or of
 *  ours (docs/adr/0023). */

/** The search path of the program's functions. Temporary tables come last: unnamed, they would come first. */
export const PINNED = "pg_catalog, pg_temp";

/** The command that sets the search path of a transaction, with these schemas behind PostgreSQL's own. */
export const pinned = (schemas: readonly string[]): string =>
  `SET LOCAL search_path = ${["pg_catalog", ...schemas, "pg_temp"].join(", ")}`;

const NAMES =
  /(?<=\b(?:FROM|JOIN|INTO|UPDATE|TABLE|TABLE IF EXISTS)\s+)(?:tasks|jobs|job_deps|repo_freeze|gate_\w+)\b|\bgate_\w+(?=\()/g;

/** Returns a function that qualifies the names in portable SQL.
 *  @param schema as SQL names it */
export const qualifier =
  (schema: string) =>
  (text: string): string =>
    text.replace(NAMES, (name) => `${schema}.${name}`);
