import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrate } from "../../src/store/migrate.ts";
import type { Clock, Store } from "../../src/store/port.ts";
import { openSqlite } from "../../src/store/sqlite/store.ts";

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
