/** Reading in pages, each so small that others are served in between. */

import { all, type Tx } from "../../store/port.ts";
import { list, raw, sql, when, type Statement } from "../../store/sql.ts";

/** The number of rows that one statement reads. */
export const PAGE = 500;

/** `AND <alias>.repo IN (…)` when only some repositories are asked for. */
export type Selection = (alias: string) => Statement;

export const selecting =
  (repos: readonly string[] | undefined): Selection =>
  (alias) =>
    when(repos !== undefined, sql` AND ${raw(alias)}.repo IN ${list(repos ?? [])}`);

/** Reads a page at a time. What is done with a page is done before the next is read, so that it never takes long.
 *  @param behind the statement of the page behind a row; of the first page when there is none */
export function* inPages<Row>(
  behind: (last: Row | undefined) => Statement,
  take: (page: readonly Row[]) => void,
): Tx<void> {
  for (let last: Row | undefined, more = true; more;) {
    const page: Row[] = yield* all<Row>(behind(last));
    take(page);
    last = page.at(-1);
    more = page.length === PAGE;
  }
}
