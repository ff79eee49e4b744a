/** Chooses the adapter by the database URL, loads it with its driver and opens it. Only this file knows which adapters there are. */

import { pathOf, readDatabaseUrl } from "./database-url.ts";
import { filePermissionFaults } from "./sqlite/permissions.ts";
import type { Clock, Store } from "./port.ts";

export { isServer, pathOf, readDatabaseUrl, shownUrl } from "./database-url.ts";

export interface OpenOptions {
  /** Replaces the database's clock in tests. */
  readonly clock?: Clock;
  /** Refuses a file that does not exist instead of creating it. SQLite only: no URL creates a PostgreSQL database. */
  readonly mustExist?: boolean;
  /** Takes a file that exists and is empty for a new database. SQLite only. */
  readonly allowEmpty?: boolean;
  /** How many transactions run at once. PostgreSQL only. */
  readonly poolSize?: number;
}

/** A sentence when other users of this machine have access to the file of a database; none for a server's. */
export const fileExposures = (url: string): string[] => {
  const path = pathOf(url);
  return path === undefined ? [] : filePermissionFaults(path);
};

/** @param url `file:PATH` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
 *  @throws StoreFault when the database cannot be opened. */
export const openStore = async (
  url: string,
  { clock, mustExist, allowEmpty, poolSize }: OpenOptions = {},
): Promise<Store> => {
  const read = readDatabaseUrl(url);
  switch (read.kind) {
    case "file":
      return (await import("./sqlite/store.ts")).openSqlite(read.path, clock ?? Date.now, {
        mustExist,
        allowEmpty,
      });
    case "server":
      return (await import("./postgres/store.ts")).openPostgres(read.url, { clock, poolSize });
    case "invalid":
      throw new TypeError(`Not a database URL: ${read.reason}.`);
  }
};
