/** Names the program's tables and functions by their schema. Every transaction and every trigger function of the program
 *  runs with PINNED as its search path: an unqualified function or operator is PostgreSQL's own, whatever other
 *  roles create in the program's schema or as temporary objects (docs/adr/0023). */

/** Temporary tables come last, where PostgreSQL would otherwise look first. */
export const PINNED = "pg_catalog, pg_temp";

const NAMES =
  /(?<=\b(?:FROM|JOIN|INTO|UPDATE|TABLE|TABLE IF EXISTS)\s+)(?:tasks|jobs|job_deps|repo_freeze|gate_\w+)\b|\bgate_\w+(?=\()/g;

/** Returns a function that qualifies the names in portable SQL.
 *  @param schema as SQL names it */
export const qualifier =
  (schema: string) =>
  (text: string): string =>
    text.replace(NAMES, (name) => `${schema}.${name}`);
