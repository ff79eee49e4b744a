// npm test: every test, set up first if it must be. `--long` runs the soaks too.
// Ends with a line that any CI can read, `N passed, N failed`, and an exit code that agrees with it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { findChromium } from "./browser/chromium.mjs";
import { setUp } from "./setup.mjs";

const counts = { passed: 0, failed: 0, skipped: 0 };
/** Why the browser tests do not run; undefined when they do. */
let noBrowser;

// Every way out of this process leads through here, so the line and the exit code cannot disagree.
process.on("exit", (code) => {
  if (code !== 0) counts.failed ||= 1;
  const { passed, failed, skipped } = counts;
  if (noBrowser !== undefined) console.log(`\nThe browser tests were skipped. ${noBrowser}`);
  console.log(`\n${skipped > 0 ? `${skipped} skipped\n` : ""}${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
});

/** Counts a failure that no test tells of. */
const fail = (sentence) => {
  console.error(`\n${sentence}`);
  counts.failed ||= 1;
};

await setUp();
const [flag, ...others] = process.argv.slice(2);
const long = flag === "--long";

/** Finds the browser that the tests of the dashboard need, unless only other files are asked for. CI skips none. */
const browserEnv = () => {
  const files = process.argv.slice(2).filter((word) => word.includes("test/"));
  if (files.length > 0 && !files.some((file) => file.includes("test/web"))) return {};
  const { path, missing } = findChromium();
  if (path !== undefined) return { CHROME_PATH: path };
  if (process.env.CI === "true") fail(`The browser tests cannot run. ${missing}`);
  else noBrowser = missing;
  return {};
};

const browser = browserEnv();
const vitest = spawn(
  process.execPath,
  ["node_modules/vitest/vitest.mjs", "run", ...(long ? others : [flag, ...others].filter(Boolean))],
  {
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: { ...process.env, ...browser, ...(long ? { SERIAL_GATE_TEST_LONG: "1" } : {}) },
  },
);
let reported = false;
// The counts come from test/summary-reporter.ts.
vitest.on("message", (message) => {
  reported = true;
  Object.assign(counts, message);
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => vitest.kill(signal));

const [code, signal] = await once(vitest, "close");
if (signal) fail(`vitest was ended by ${signal}.`);
else if (code !== 0 && counts.failed === 0) fail(`vitest ended with exit code ${code}, and no test failed.`);
else if (!reported)
  fail("vitest reported no counts: beside --reporter NAME, pass --reporter ./test/summary-reporter.ts.");
else if (counts.passed + counts.failed === 0) fail("No test ran.");
