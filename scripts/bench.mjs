// npm run bench: the benchmarks, set up first if they must be.

import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { setUp } from "./setup.mjs";

const bench = fileURLToPath(new URL("../bench/", import.meta.url));

/** The queues to compare with are optional: without it they say so in the rows concerned. */
const installPeers = () => {
  const installed = `${bench}node_modules/.package-lock.json`;
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(`${bench}package-lock.json`).mtimeMs)
    return;
  console.error("Installing what the benchmarks compare with …");
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], {
    cwd: bench,
    stdio: ["ignore", 2, 2],
  });
  if (status !== 0) console.error("It could not be installed; the benchmarks go on without it.");
};

await setUp();
if (!process.argv.includes("--quick")) installPeers();
await import("../bench/main.mjs");
