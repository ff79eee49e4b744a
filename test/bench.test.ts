/** The benchmarks run and answer for every figure. What they measure is not judged here: that depends on the machine. */

import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";

interface Row {
  readonly id: string;
  readonly figure: string;
  readonly on: string;
  readonly reach: string;
  readonly median?: number;
  readonly skipped?: string;
}

/** One of each group of figures. All of them, and PostgreSQL, take longer than a test may. */
const FIGURES = [
  "claim-depth",
  "enqueue",
  "http-claim-10",
  "http-claim-queue-10",
  "steady-claiming-50",
  "pages-claim",
  "memory",
  "queue-cold",
  "queue-changed",
  "claim-beside-pollers",
  "queue-stall",
  "queue-page",
];
const ONLY = `^sqlite (${FIGURES.join("|")}) `;

it(
  "npm run bench --quick prints a number or a reason for every requested figure",
  { timeout: 300_000 },
  () => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ["scripts/bench.mjs", "--quick", "--json", "--only", ONLY],
      { encoding: "utf8" },
    );
    expect(status, stderr).toBe(0);
    const { machine, rows } = JSON.parse(stdout) as { machine: { node: string }; rows: Row[] };
    expect(machine.node).toBe(process.version);
    expect(rows.map(({ id }) => id).sort()).toEqual([...FIGURES].sort());
    for (const { on, figure, reach, median, skipped } of rows) {
      expect(on).toBe("SQLite");
      expect(reach).not.toBe("");
      expect(skipped ?? Number.isFinite(median), figure).toBeTruthy();
    }
  },
);
