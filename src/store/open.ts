/** Opens the database that a URL names. */

import { openSqlite } from "./sqlite.ts";
import type { Clock, Store } from "./port.ts";

const PATH = /^file:(?:\/\/(?=\/))?(.+)$/;

/** The path in `file:PATH` (relative to the working folder) or `file:///PATH`; undefined for any other URL. */
export const pathOf = (url: string): string | undefined => PATH.exec(url)?.[1];

/** @param url `file:PATH`.
 *  @throws StoreFault when the database cannot be opened. */
export const openStore = (url: string, clock: Clock = Date.now): Promise<Store> => {
  const path = pathOf(url);
  if (path === undefined) throw new TypeError(`Not a database URL: ${url}`);
  return openSqlite(path, clock);
};
