/** Reading in pages, each so small that others are served in between. */

import { all, type Tx } from "../../store/port.ts";
import type { Reach } from "../../contract/names/repo-pattern.ts";
import { inReach } from "../rule/reach.ts";
import { list, raw, sql, when, type Statement } from "../../store/sql.ts";

/** The number of rows that one statement reads. */
export const PAGE = 500;

/** ` AND <alias>.repo IN (…)` when only some repositories are asked for, or may be known. */
export type Selection = (alias: string) => Statement;

export const selecting =
  (repos: readonly string[] | undefined, reach: Reach): Selection =>
  (alias) =>
    sql`${when(repos !== undefined, sql` AND ${raw(alias)}.repo IN ${list(repos ?? [])}`)}${inReach(reach, alias)}`;

/** Reads a page at a time. What is done with a page is done before the next is read, so that it never takes long.
 *  @param behind the statement of the page behind a row; of the first page when there is none
 *  @param take returns false when no further page is wanted
 *  @param read `all`, or `tuples` */
export function* inPages<Row>(
  behind: (last: Row | undefined) => Statement,
  take: (page: readonly Row[]) => boolean | undefined,
  read: (statement: Statement) => Tx<unknown[]> = all,
): Tx<void> {
  for (let last: Row | undefined, more = true; more;) {
    const page = (yield* read(behind(last))) as Row[];
    more = take(page) !== false && page.length === PAGE;
    last = page.at(-1);
  }
}
