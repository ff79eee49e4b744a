/** Chooses the adapter by the database URL and opens it. Only this file knows which adapters there are. */

import { openPostgres } from "./postgres/store.ts";
import { openSqlite } from "./sqlite/store.ts";
import type { Clock, Store } from "./port.ts";

const PATH = /^file:(?:\/\/(?=\/))?(.+)$/;
const SERVER = /^postgres(?:ql)?:\/\//;

/** The path in `file:PATH` (relative to the working folder) or `file:///PATH`; undefined for any other URL. */
export const pathOf = (url: string): string | undefined => PATH.exec(url)?.[1];

/** True for a valid `postgres://…` or `postgresql://…` URL. */
export const isServer = (url: string): boolean => SERVER.test(url) && URL.canParse(url);

/** The URL with its passwords masked, for logs and error messages. */
export const shownUrl = (url: string): string => {
  if (!isServer(url)) return url;
  const shown = new URL(url);
  shown.password &&= "***";
  for (const name of [...shown.searchParams.keys()])
    if (/password/i.test(name)) shown.searchParams.set(name, "***");
  return shown.href;
};

export interface OpenOptions {
  /** Replaces the database's clock in tests. */
  readonly clock?: Clock;
  /** How many transactions run at once. PostgreSQL only. */
  readonly poolSize?: number;
}

/** @param url `file:PATH` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
 *  @throws StoreFault when the database cannot be opened. */
export const openStore = (url: string, { clock, poolSize }: OpenOptions = {}): Promise<Store> => {
  const path = pathOf(url);
  if (path !== undefined) return openSqlite(path, clock ?? Date.now);
  if (isServer(url)) return openPostgres(url, { clock, poolSize });
  throw new TypeError("Not a database URL: use file:PATH or postgres://…");
};
