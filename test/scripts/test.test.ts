/** `npm test` as CI runs it: the exit code and the closing line agree, however a run ends. */

import { expect, it } from "vitest";
import { startCommand, type Ended } from "../support/process.ts";

const FOLDER = "test/fixtures/outcomes/";
/** Another vitest runs inside this one, on a machine that has much else to do. */
const LONG_MS = 120_000;

const runFixture = (file: string, config = "vitest.config.ts", ...args: string[]): Promise<Ended> =>
  startCommand("test", ["--config", FOLDER + config, ...args, FOLDER + file]).ended;

const endOf = ({ code, stdout }: Ended): unknown => [code, stdout.trimEnd().split("\n").at(-1)];

it.each<[file: string, code: number, closingLine: string, lineBefore?: string]>([
  ["passes.ts", 0, "1 passed, 0 failed"],
  ["passes-beside-postgres.ts", 0, "1 passed, 0 failed"],
  ["fails.ts", 1, "1 passed, 1 failed"],
  ["fails-beside-postgres.ts", 1, "0 passed, 1 failed"],
  ["fails-in-a-hook.ts", 1, "0 passed, 1 failed", "1 skipped"],
  ["cannot-be-loaded.ts", 1, "0 passed, 1 failed"],
  ["rejects-outside-of-tests.ts", 1, "1 passed, 1 failed"],
  ["kills-vitest.ts", 1, "0 passed, 1 failed"],
  ["skips.ts", 1, "0 passed, 1 failed", "1 skipped"],
  ["no-such-file.ts", 1, "0 passed, 1 failed"],
])(
  "npm test of a file that %s ends with code %i and says %s",
  { timeout: LONG_MS },
  async (file, code, closingLine, lineBefore = "") => {
    const ended = await runFixture(file);
    expect(endOf(ended), ended.stdout + ended.stderr).toEqual([code, closingLine]);
    expect(ended.stdout.trimEnd().split("\n").at(-2)).toBe(lineBefore);
  },
);

it(
  "npm test fails after a failed test even when a library ends vitest with 0",
  { timeout: LONG_MS },
  async () => {
    const ended = await runFixture("fails.ts", "ends-with-zero.config.ts");
    expect(endOf(ended)).toEqual([1, "1 passed, 1 failed"]);
  },
);

it(
  "npm test fails when a reporter takes the place of the one that counts",
  { timeout: LONG_MS },
  async () => {
    const ended = await runFixture("passes.ts", undefined, "--reporter", "dot");
    expect(endOf(ended)).toEqual([1, "0 passed, 1 failed"]);
    expect(ended.stderr).toContain("pass --reporter ./test/summary-reporter.ts");
  },
);

it("npm test fails when vitest does not know an option", { timeout: LONG_MS }, async () => {
  expect(endOf(await runFixture("passes.ts", undefined, "--no-such-option"))).toEqual([
    1,
    "0 passed, 1 failed",
  ]);
});
