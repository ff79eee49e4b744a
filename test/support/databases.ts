/** Fresh databases for tests, and suites that run on each of them. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe } from "vitest";
import { migrate } from "../../src/store/migrate.ts";
import type { Clock, Store } from "../../src/store/port.ts";
import { openSqlite } from "../../src/store/sqlite/store.ts";
import { openTestPostgres } from "./postgres.ts";

/** Opens a fresh, migrated database whose clock is the given one. */
export type OpenDatabase = (clock: Clock) => Promise<Store>;

/** A fresh, migrated file under that clock; it is removed when the store is closed. */
export const openTestSqlite = async (clock: Clock): Promise<Store> => {
  const folder = mkdtempSync(join(tmpdir(), "serial-gate-"));
  const store = await openSqlite(join(folder, "gate.db"), clock);
  await migrate(store);
  return {
    ...store,
    close: async () => {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};

const DATABASES = [
  ["SQLite", openTestSqlite],
  ["PostgreSQL", openTestPostgres],
] as const;

/** Declares the same tests on SQLite and on PostgreSQL. */
export const onEveryDatabase = (
  suite: (open: OpenDatabase, name: (typeof DATABASES)[number][0]) => void,
): void => {
  describe.each(DATABASES)("on %s", (name, open) => {
    suite(open, name);
  });
};
