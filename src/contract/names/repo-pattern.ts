/** Patterns of repository names, by which a token is limited: a name, or `prefix*` for every name that begins so. */

/** `*` stands at the end only, for any rest, also an empty one. */
export const REPO_PATTERN = /^(?=[^\p{Cc}\p{Cs}*]{0,200}\*?$).+$/u;

export const PATTERN_FORM = "a repository name such as acme/web, or a prefix and * such as acme/libs-*";

/** The patterns of the repositories that a caller may know; null for all. An empty list is none. */
export type Reach = readonly string[] | null;

export const EVERYWHERE: Reach = null;
export const NOWHERE: Reach = [];

/** The prefix of a pattern that ends in `*`; undefined for a name. */
export const prefixOf = (pattern: string): string | undefined =>
  pattern.endsWith("*") ? pattern.slice(0, -1) : undefined;

/** Reads a list of patterns: `*` among them is every repository. */
export const reachOf = (patterns: readonly string[] | undefined): Reach =>
  patterns === undefined || patterns.includes("*") ? EVERYWHERE : patterns;

/** True for a repository that a caller of this reach may know. Work without a repository is for callers of all. */
export const sees = (reach: Reach, repo: string | null): boolean =>
  reach === null ||
  (repo !== null &&
    reach.some((pattern) => {
      const prefix = prefixOf(pattern);
      return prefix === undefined ? pattern === repo : repo.startsWith(prefix);
    }));
