/** Pages that a claim and a completion write to SQLite's log. A commit writes each of them, and the disk is the slowest part
 *  of it. The count has no noise, so that a new index or trigger which touches a page for each lane shows here. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, it, onTestFinished } from "vitest";
import { DROPPABLE_IN_SQLITE, lanesOf, seriesInSqlite } from "../bench/lanes.mjs";
import { claimsAndCompletions } from "../bench/pages.mjs";
import { Gate } from "../src/gate/gate.ts";
import { migrate } from "../src/store/migrate.ts";
import { openSqlite } from "../src/store/sqlite/store.ts";
import { DEFAULTS, POLICY } from "./support/fixtures.ts";

const LANES = 1_000;
const WAITING = 100;
const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** As measured. A change that needs more pages must say why, and raise these. */
const PAGES = { claims: 49, completions: 205 };

const withinTenth = (pages: number, measured: number): void => {
  expect(pages).toBeGreaterThan(measured * 0.9);
  expect(pages).toBeLessThan(measured * 1.1);
};

/** A gate on 1,000 lanes in each of which 100 tasks wait. */
const openLanes = async (): Promise<{ gate: Gate; file: string }> => {
  const folder = mkdtempSync(join(tmpdir(), "serial-gate-pages-"));
  const file = join(folder, "gate.db");
  const store = await openSqlite(file, Date.now);
  await migrate(store);
  const db = new Database(file);
  for (const drop of db.prepare(DROPPABLE_IN_SQLITE).pluck().all()) db.exec(String(drop));
  for (const fill of lanesOf(seriesInSqlite, { lanes: LANES, jobs: LANES * WAITING })) db.exec(fill);
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
    rmSync(folder, { recursive: true, force: true });
  });
  return { gate, file };
};

it(
  `writes about ${PAGES.claims} pages for 100 claims and ${PAGES.completions} for 100 completions that free the next job`,
  { timeout: 120_000 },
  async () => {
    const { gate, file } = await openLanes();
    const { claims, completions } = await claimsAndCompletions(gate, file, LANES);
    withinTenth(claims, PAGES.claims);
    withinTenth(completions, PAGES.completions);
  },
);
