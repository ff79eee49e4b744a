import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { verify } from "../../src/replay/verify.ts";
import { openStore } from "../../src/store/open.ts";
import { POLICY } from "../support/fixtures.ts";
import { killConnections } from "../support/connection-killer.ts";
import { temporaryFolder } from "../support/folder.ts";
import { startPostgres } from "../support/postgres-server.ts";
import { connectTo, testDatabase } from "../support/postgres.ts";
import { startProgram } from "../support/process.ts";

const SAMPLE = fileURLToPath(new URL("../../samples/work-items.jsonl", import.meta.url));
/** A replay of a few seconds, on a machine that has much else to do. */
const LONG_MS = 180_000;

const sampleOf = (lines: number): string => {
  const file = join(temporaryFolder(), "work-items.jsonl");
  writeFileSync(file, readFileSync(SAMPLE, "utf8").split("\n").slice(0, lines).join("\n"));
  return file;
};

it(
  "replays over two nodes of one database, verifies its rows, and prints no password",
  async () => {
    const url = await testDatabase("empty");
    const args = [sampleOf(40), "--database", url, "--nodes", "2", "--workers", "8"];
    const { code, stdout, stderr } = await startProgram(["replay", ...args]).ended;
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^nodes {2,}2$/m);
    expect(stdout).toMatch(/^verdict {2,}40 lines, all verified$/m);
    expect(stdout + stderr).not.toContain(new URL(url).password);

    const store = await openStore(url);
    onTestFinished(() => store.close());
    const verdict = await store.read(() => verify({ entryAgent: POLICY.entryAgent }));
    expect(verdict).toMatchObject({ tasks: 39, violations: [] });
    const again = await startProgram(["replay", ...args]).ended;
    expect(again).toMatchObject({ code: 2, stdout: "" });
    expect(again.stderr).toMatch(
      /^error: postgres:\/\/\S+ has tasks or jobs; a replay needs an empty database$/m,
    );
    expect(again.stderr).not.toContain(new URL(url).password);
  },
  LONG_MS,
);

/** Waits until the query finds a row. */
const until = async (url: string, query: string): Promise<void> => {
  const watcher = await connectTo(url);
  while ((await watcher.query(query).catch(() => undefined))?.rowCount !== 1) await sleep(50);
};

it(
  "verifies a replay while its database connections are killed",
  async () => {
    const url = await testDatabase("empty");
    const args = [sampleOf(60), "--database", url, "--nodes", "2", "--workers", "8"];
    const { ended } = startProgram(["replay", ...args]);
    // A node that is killed at its start is its supervisor's to start again: here both have started.
    await until(url, "SELECT 1 FROM gate_events LIMIT 1");
    const stopCutting = await killConnections(url);
    const { code, stdout, stderr } = await ended;
    expect(await stopCutting()).toBeGreaterThan(0);
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).toMatch(/^verdict {2,}60 lines, all verified$/m);
  },
  LONG_MS,
);

// A server of its own is killed, which takes its time.
it.runIf(process.env.SERIAL_GATE_TEST_LONG === "1")(
  "verifies a replay over four nodes whose database is killed and restarted two seconds later",
  async () => {
    const server = await startPostgres();
    onTestFinished(() => server.remove());
    const url = server.url("postgres");
    const { ended } = startProgram(["replay", sampleOf(200), "--database", url, "--nodes", "4"]);
    await until(url, "SELECT 1 FROM gate_events WHERE kind = 'job.claimed' OFFSET 200 LIMIT 1");
    await server.kill();
    await sleep(2_000);
    await server.start();
    const { code, stdout, stderr } = await ended;
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).toMatch(/^verdict {2,}200 lines, all verified$/m);
  },
  2 * LONG_MS,
);

it.each([
  [
    "several nodes without a database that they share",
    ["--nodes", "2"],
    /shared database: add --database postgres:\/\//,
  ],
  ["no node at all", ["--nodes", "0"], /Expected a whole number from 1 to 32\./],
  [
    "a database of another kind, without saying its password",
    ["--database", "mysql://root:not-said@127.0.0.1/gate"],
    /^error: --database takes postgres:\/\/USER:PASSWORD@HOST:PORT\/DATABASE$/m,
  ],
])("refuses %s", async (_, args, words) => {
  const { code, stdout, stderr } = await startProgram(["replay", ...args]).ended;
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(words);
  expect(stderr).not.toContain("not-said");
});
