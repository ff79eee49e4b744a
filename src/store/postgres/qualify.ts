/** Names the program's tables and functions by their schema, and sets the search path under which they run: whatever
 *  other roles create in the schema or as temporary objects, it is not found in the place of PostgreSQL's own or of
 *  ours (docs/adr/0023). */

/** The search path of the program's functions. Temporary tables come last: unnamed, they would come first. */
export const PINNED = "pg_catalog, pg_temp";

/** The command that sets the search path of a transaction, with these schemas behind PostgreSQL's own. */
export const pinned = (schemas: readonly string[]): string =>
  `SET LOCAL search_path = ${["pg_catalog", ...schemas, "pg_temp"].join(", ")}`;

const namesAfter = (keywords: string): RegExp =>
  new RegExp(
    String.raw`(?<=\b(?:${keywords})\s+)(?:tasks|jobs|job_deps|repo_freeze|gate_\w+)\b|\bgate_\w+(?=\()`,
    "g",
  );

const IN_STATEMENTS = namesAfter("FROM|JOIN|INTO|UPDATE");
const IN_MIGRATIONS = namesAfter("FROM|JOIN|INTO|UPDATE|TABLE|TABLE IF NOT EXISTS|INDEX IF EXISTS|ON");

interface Qualifier {
  /** Qualifies the names in portable SQL about rows. */
  readonly statement: (text: string) => string;
  /** Qualifies the names in a migration, so that it makes its tables and indexes in the schema. */
  readonly migration: (text: string) => string;
}

/** @param schema as SQL names it */
export const qualifierFor = (schema: string): Qualifier => {
  const qualify = (names: RegExp) => (text: string) => text.replace(names, (name) => `${schema}.${name}`);
  return { statement: qualify(IN_STATEMENTS), migration: qualify(IN_MIGRATIONS) };
};
