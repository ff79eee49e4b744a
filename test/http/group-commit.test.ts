import { readFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, it } from "vitest";
import { temporaryFolder } from "../support/folder.ts";
import { startScript } from "../support/process.ts";
import { startService } from "../support/service.ts";

/** A file whose change counter every commit moves by one: that of a rollback journal's mode. */
const countedFile = (): string => {
  const path = join(temporaryFolder(), "gate.db");
  const db = new Database(path);
  db.pragma("journal_mode = delete");
  db.pragma("user_version = 1");
  db.close();
  return path;
};

const commits = (path: string): number => readFileSync(path).readUInt32BE(24);

it.each([
  [60, 6],
  [1, 1],
])("answers %i callers that connect anew after at most %i commits", async (callers, most) => {
  const path = countedFile();
  const { service } = await startService({ DATABASE_URL: `file:${path}` });
  const before = commits(path);
  const script = startScript("fresh-connections.mjs", [service.url, String(callers)]);
  // A slow disk: meanwhile all of them connect.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
  const { stdout, stderr } = await script.ended;
  expect(stderr).toBe("");
  expect(stdout.split("\n").filter((line) => line === "201")).toHaveLength(callers);
  expect(commits(path) - before).toBeLessThanOrEqual(most);
});
