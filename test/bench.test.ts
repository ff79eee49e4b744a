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

const FIGURES = [
  "claim-depth",
  "nothing-depth",
  "claim-gate-off",
  "claim-walk",
  "enqueue",
  "pause",
  "freeze",
  "complete",
  "group-commit",
  "http-claim-100",
  "http-claim-10",
  "http-complete-50",
  "memory",
  "http-queue-304",
  "idle-polls",
  "queue-full",
  "queue-stall",
  "queue-stall-lane",
  "queue-page",
];

/** The other queues are optional, and PostgreSQL takes longer than a test may. */
const ONLY = "^sqlite (?!graphile|pg-boss)";

it(
  "npm run bench --quick gives a number or a reason for every figure on SQLite",
  { timeout: 180_000 },
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
