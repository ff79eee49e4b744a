/** Counts the pages that commits write to SQLite's log (WAL). A count is the same on any machine, however busy. The figures of
 *  the bench and the test that guards them (test/pages.test.ts) count with this. */

import { statSync } from "node:fs";
import Database from "better-sqlite3";

const LOG_HEADER = 32;
const FRAME_HEADER = 24;

/** Opens a counter on a database file in WAL mode. Nothing else may write to the file meanwhile. */
export const pageCounter = (file) => {
  const db = new Database(file);
  const frame = db.pragma("page_size", { simple: true }) + FRAME_HEADER;
  return {
    /** @returns how many pages the work writes; it must be less than what starts a checkpoint */
    count: async (work) => {
      db.pragma("wal_checkpoint(TRUNCATE)");
      await work();
      return Math.max(0, statSync(`${file}-wal`).size - LOG_HEADER) / frame;
    },
    close: () => {
      db.close();
    },
  };
};

/** Calls that arrive in one turn, and so share a commit. */
const TOGETHER = 100;

const each = (make) => Promise.all(Array.from({ length: TOGETHER }, (_, index) => make(index)));

/** Claims 100 jobs and completes them with the stage that ends their tasks, again and again: after the first pass over the
 *  lanes, each completion makes the next job of its lane ready.
 *  @param gate on lanes as `lanesOf` makes them
 *  @param lanes how many; a multiple of 100
 *  @returns pages per 100 of each, the mean of the second pass */
export const claimsAndCompletions = async (gate, file, lanes) => {
  const counter = pageCounter(file);
  const pages = { claims: 0, completions: 0 };
  const rounds = lanes / TOGETHER;
  for (let round = 0; round < 2 * rounds; round += 1) {
    let claimed = [];
    const claims = await counter.count(async () => {
      claimed = await each(() => gate.claim("pages", { max: 1, wait_ms: 0, worker: "pages" }));
    });
    const completions = await counter.count(() =>
      each((index) => {
        const [{ id, lease }] = claimed[index].jobs;
        return gate.complete("pages", id, { lease_token: lease.token, stage: "done" });
      }),
    );
    if (round < rounds) continue;
    pages.claims += claims / rounds;
    pages.completions += completions / rounds;
  }
  counter.close();
  return pages;
};
