// npm test: every test, set up first if it must be. `--long` runs the soaks too.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { setUp } from "./setup.mjs";

setUp();
const [flag, ...others] = process.argv.slice(2);
const long = flag === "--long";
const { status } = spawnSync(
  process.execPath,
  ["node_modules/vitest/vitest.mjs", "run", ...(long ? others : [flag, ...others].filter(Boolean))],
  {
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    stdio: "inherit",
    env: { ...process.env, ...(long ? { SERIAL_GATE_TEST_LONG: "1" } : {}) },
  },
);
process.exit(status ?? 1);
