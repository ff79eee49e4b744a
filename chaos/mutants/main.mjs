/** npm run mutants: plants twenty bugs, one at a time, in a copy of the tree, and runs what must catch each: a test file, the
 *  chaos harness or the fuzzer. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { LEASE_BUGS } from "./leases.mjs";
import { RULE_BUGS } from "./rule.mjs";
import { STORAGE_BUGS } from "./storage.mjs";
import { copyTree, plant } from "./tree.mjs";

const USAGE = `npm run mutants -- [--short] [--only TEXT] [--seed SEED] [--check]

  --short  four of them, by the cheapest means
  --only   those whose names have the text
  --seed   that of the harnesses (1)
  --check  says only whether each still applies`;

const BUGS = [...STORAGE_BUGS, ...RULE_BUGS, ...LEASE_BUGS];
const SHORT = [
  "a reply before its commit",
  "a lease token that is used again",
  "the limit of a body ignored",
  "an effect from before",
];
const LIMIT_MS = 400_000;

const { values } = parseArgs({
  options: {
    short: { type: "boolean", default: false },
    only: { type: "string" },
    seed: { type: "string", default: "1" },
    check: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}

const folder = mkdtempSync(join(tmpdir(), "serial-gate-mutants-"));
const run = (args) =>
  spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: "utf8",
    timeout: LIMIT_MS,
    env: { PATH: process.env.PATH, HOME: process.env.HOME },
  });

/** The first sentence of a harness that found something. */
const harness = (script, args) => {
  const { status, stdout, stderr } = run([script, ...args, "--seed", values.seed]);
  const [, found] = /^[1-9]\d* violations.*\n {2}(.*)/m.exec(stdout) ?? [];
  if (status === 1 && found !== undefined) return { caught: found.slice(0, 160) };
  return { missed: `${status}: ${(stdout + stderr).slice(-600)}` };
};

const CATCHERS = {
  chaos: (args) => harness("chaos/main.mjs", ["--database", "sqlite", ...args]),
  fuzz: (args) => harness("chaos/fuzz/main.mjs", args),
  test: (file) => {
    const output = join(folder, "result.json");
    rmSync(output, { force: true });
    const { stderr, stdout } = run([
      "node_modules/vitest/vitest.mjs",
      "run",
      "--project",
      "all",
      "--bail",
      "1",
      "--reporter=json",
      `--outputFile=${output}`,
      file,
    ]);
    try {
      const failed = JSON.parse(readFileSync(output, "utf8")).testResults.flatMap(({ assertionResults }) =>
        assertionResults.filter(({ status }) => status === "failed"),
      );
      if (failed.length > 0) return { caught: failed[0].fullName.trim() };
    } catch {
      // The run did not come to an end: what it said is shown.
    }
    return { missed: (stdout + stderr).slice(-600) };
  },
};

const hasCompiler = () => spawnSync("cc", ["--version"]).error === undefined;

const chosen = BUGS.filter(({ name }) =>
  values.short
    ? SHORT.some((part) => name.startsWith(part))
    : values.only === undefined || name.includes(values.only),
);
const sum = { caught: 0, missed: 0, skipped: 0 };
try {
  copyTree(folder);
  for (const bug of chosen) {
    const [by] = Object.keys(CATCHERS).filter((each) => bug[each] !== undefined);
    const takeOut = plant(folder, bug);
    const began = Date.now();
    let result = { caught: "not run" };
    if (!values.check)
      result =
        bug.needs === "cc" && !hasCompiler()
          ? { skipped: "this machine has no C compiler" }
          : CATCHERS[by](bug[by]);
    takeOut();
    const [outcome] = Object.keys(result);
    sum[outcome] += 1;
    const means = by === "test" ? bug.test : `${by} ${bug[by].join(" ")}`;
    console.log(
      `${(values.check ? "applies" : outcome).padEnd(7)} ${bug.name}\n          ${means}, ${Math.round((Date.now() - began) / 1_000)} s: ${result[outcome]}`,
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(
  `\n${sum.caught} of ${chosen.length} planted bugs ${values.check ? "apply" : "caught"}${sum.skipped > 0 ? `, ${sum.skipped} skipped` : ""}`,
);
process.exit(sum.missed > 0 ? 1 : 0);
