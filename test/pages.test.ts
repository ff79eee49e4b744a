/** Pages that a claim and a completion write to SQLite's log. A commit writes each of them, and the disk is the slowest part
 *  of it. The count has no noise, so that a new index or trigger which touches a page for each lane shows here. */

import { expect, it } from "vitest";
import { claimsAndCompletions } from "../bench/pages.mjs";
import { openLanes } from "./support/lanes.ts";

const LANES = 1_000;

/** As measured. A change that needs more pages must say why, and raise these. */
const PAGES = { claims: 49, completions: 205 };

const withinTenth = (pages: number, measured: number): void => {
  expect(pages).toBeGreaterThan(measured * 0.9);
  expect(pages).toBeLessThan(measured * 1.1);
};

it(
  `writes about ${PAGES.claims} pages for 100 claims and ${PAGES.completions} for 100 completions that free the next job`,
  { timeout: 120_000 },
  async () => {
    const { gate, file } = await openLanes(LANES, 100);
    const { claims, completions } = await claimsAndCompletions(gate, file, LANES);
    withinTenth(claims, PAGES.claims);
    withinTenth(completions, PAGES.completions);
  },
);
