/** The short forms of the harnesses: they run, they find nothing, and they find planted bugs. The long forms are
 *  `npm run chaos`, `npm run fuzz` and `npm run mutants` with their flags; docs/reliability.md has their counts. */

import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";

const run = (script: string, ...args: string[]): { status: number | null; said: string } => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [`scripts/${script}.mjs`, ...args], {
    encoding: "utf8",
  });
  return { status, said: stdout + stderr };
};

it.each([
  ["sqlite", "3"],
  ["postgres", "2"],
])(
  "loses nothing that was acknowledged on %s when the service is killed and its storage fails",
  { timeout: 300_000 },
  (database, kills) => {
    const { status, said } = run("chaos", "--database", database, "--kills", kills, "--seed", "7");
    expect(status, said).toBe(0);
    expect(said).toMatch(/0 of \d kills broke a promise/);
  },
);

it("answers generated, nearly valid and hostile requests as openapi.yaml says", { timeout: 300_000 }, () => {
  const { status, said } = run("fuzz", "--requests", "1000", "--seed", "7");
  expect(status, said).toBe(0);
  expect(said).toMatch(/0 of \d+ requests broke a promise/);
});

it("catches planted bugs", { timeout: 300_000 }, () => {
  const { status, said } = run("mutants", "--short");
  expect(status, said).toBe(0);
  expect(said).toContain("4 of 4 planted bugs caught");
});

it("can still plant each of the twenty bugs", { timeout: 60_000 }, () => {
  const { status, said } = run("mutants", "--check");
  expect(status, said).toBe(0);
  expect(said).toContain("20 of 20");
});
