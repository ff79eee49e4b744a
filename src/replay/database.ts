/** Checks the database of a replay before anything starts on it. */

import { openStore } from "../store/open.ts";
import { all, first } from "../store/port.ts";
import { raw, sql } from "../store/sql.ts";

/** True when the database has a task or a job. A database that was never migrated has none.
 *  @throws StoreFault when it cannot be read */
export const hasWork = async (url: string): Promise<boolean> => {
  const store = await openStore(url, { poolSize: 1 });
  try {
    return await store.read(function* () {
      const columns = yield* all<{ table_name: string }>(store.dialect.columns);
      const tables = new Set(columns.map(({ table_name }) => table_name));
      for (const table of ["tasks", "jobs"])
        if (tables.has(table) && (yield* first(sql`SELECT id FROM ${raw(table)} LIMIT 1`))) return true;
      return false;
    });
  } finally {
    await store.close();
  }
};
