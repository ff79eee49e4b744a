/** Opens the database that a URL names. */

import { openPostgres } from "./postgres/store.ts";
import { openSqlite } from "./sqlite/store.ts";
import type { Clock, Store } from "./port.ts";

const PATH = /^file:(?:\/\/(?=\/))?(.+)$/;
const SERVER = /^postgres(?:ql)?:\/\//;

/** The path in `file:PATH` (relative to the working folder) or `file:///PATH`; undefined for any other URL. */
export const pathOf = (url: string): string | undefined => PATH.exec(url)?.[1];

/** Whether the URL is `postgres://…` or `postgresql://…` and can be read. */
export const isServer = (url: string): boolean => SERVER.test(url) && URL.canParse(url);

/** The URL as it may be shown: without a password. */
export const shownUrl = (url: string): string => {
  if (!isServer(url)) return url;
  const shown = new URL(url);
  shown.password &&= "***";
  for (const name of [...shown.searchParams.keys()])
    if (/password/i.test(name)) shown.searchParams.set(name, "***");
  return shown.href;
};

export interface OpenOptions {
  /** In the place of the database's own clock. */
  readonly clock?: Clock;
  /** How many transactions run at once, where the database runs more than one. */
  readonly poolSize?: number;
}

/** @param url `file:PATH` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
 *  @throws StoreFault when the database cannot be opened. */
export const openStore = (url: string, { clock, poolSize }: OpenOptions = {}): Promise<Store> => {
  const path = pathOf(url);
  if (path !== undefined) return openSqlite(path, clock ?? Date.now);
  if (isServer(url)) return openPostgres(url, { clock, poolSize });
  throw new TypeError("Not the URL of a database.");
};
