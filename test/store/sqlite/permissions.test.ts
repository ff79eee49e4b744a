import { chmodSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { fileExposures } from "../../../src/store/open.ts";
import { openSqlite } from "../../../src/store/sqlite/store.ts";
import { migrate } from "../../../src/store/migrate.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { startService } from "../../support/service.ts";

const modeOf = (path: string): number => statSync(path).mode & 0o777;

let umask: number;
beforeEach(() => {
  umask = process.umask(0o022);
});
afterEach(() => {
  process.umask(umask);
});

it("makes the file and its folders for its owner alone, whatever the umask", async () => {
  const folder = join(temporaryFolder(), "data");
  const path = join(folder, "deep", "gate.db");
  const store = await openSqlite(path, Date.now);
  await migrate(store);
  for (const end of ["", "-wal", "-shm"]) expect(modeOf(path + end), end).toBe(0o600);
  for (const each of [folder, join(folder, "deep")]) expect(modeOf(each)).toBe(0o700);
  await store.close();
  expect(fileExposures(`file:${path}`)).toEqual([]);
});

it("leaves the permissions of a file and a folder that exist, and warns at the start", async () => {
  const folder = join(temporaryFolder(), "data");
  mkdirSync(folder, { mode: 0o755 });
  const path = join(folder, "gate.db");
  await (await openSqlite(path, Date.now)).close();
  chmodSync(path, 0o644);
  const { logs } = await startService({ DATABASE_URL: `file:${path}` });
  expect([modeOf(path), modeOf(folder)]).toEqual([0o644, 0o755]);
  expect(logs.join("")).toContain(
    `The database ${path} is open to every user of this machine (mode 644), with its payloads and lease tokens.`,
  );
});

it.each([
  [0o755, 0o600, []],
  [0o700, 0o666, []],
  [0o750, 0o644, ["its group"]],
  [0o755, 0o640, ["its group"]],
  [0o711, 0o604, ["every user of this machine"]],
])("in a folder of mode %o a file of mode %o is open to %j", async (folderMode, mode, open) => {
  const folder = join(temporaryFolder(), "data");
  const path = join(folder, "gate.db");
  await (await openSqlite(path, Date.now)).close();
  chmodSync(path, mode);
  chmodSync(folder, folderMode);
  const faults = fileExposures(`file:${path}`);
  expect(faults).toHaveLength(open.length);
  for (const each of open) expect(faults[0]).toContain(`is open to ${each} (`);
});

it("says nothing of a database in memory, of a server's, and of a file that is not there", () => {
  for (const url of ["file::memory:", "postgres://localhost/gate", "file:/nowhere/gate.db"])
    expect(fileExposures(url)).toEqual([]);
});
