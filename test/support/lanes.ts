/** A gate on an embedded database with lanes in which tasks wait, filled past the program as the bench does. */

import { join } from "node:path";
import Database from "better-sqlite3";
import { onTestFinished } from "vitest";
import { DROPPABLE_IN_SQLITE, lanesOf, seriesInSqlite } from "../../bench/lanes.mjs";
import { Gate } from "../../src/gate/gate.ts";
import { migrate } from "../../src/store/migrate.ts";
import { openSqlite } from "../../src/store/sqlite/store.ts";
import { DEFAULTS, POLICY } from "./fixtures.ts";
import { temporaryFolder } from "./folder.ts";

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** Opens it with as many tasks in each lane, strict lanes on; the first task of each may start. */
export const openLanes = async (lanes: number, waiting: number): Promise<{ gate: Gate; file: string }> => {
  const file = join(temporaryFolder(), "gate.db");
  const store = await openSqlite(file, Date.now);
  await migrate(store);
  const db = new Database(file);
  for (const drop of db.prepare(DROPPABLE_IN_SQLITE).pluck().all()) db.exec(String(drop));
  for (const fill of lanesOf(seriesInSqlite, { lanes, jobs: lanes * waiting })) db.exec(fill);
  db.close();
  await migrate(store);
  const gate = new Gate({
    store,
    policy: { ...POLICY, strictLanes: true },
    defaults: DEFAULTS,
    log: SILENT,
  });
  await gate.adopt();
  onTestFinished(async () => {
    gate.drain();
    await store.close();
  });
  return { gate, file };
};
