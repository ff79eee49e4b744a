import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, it, onTestFinished } from "vitest";
import { temporaryFolder } from "./support/folder.ts";
import { startProgram, type Running } from "./support/process.ts";

interface Serving {
  readonly running: Running;
  readonly url: string;
}

/** The built service on a file, in a process of its own. */
const serving = async (path: string): Promise<Serving> => {
  const running = startProgram(["serve"], { PORT: "0", DATABASE_URL: `file:${path}` });
  onTestFinished(async () => {
    running.kill("SIGKILL");
    await running.ended;
  });
  await running.lines(1);
  const [, url = ""] = /serial-gate (http:\S+)/.exec(running.heard.stdout) ?? [];
  expect(url, running.heard.stderr).not.toBe("");
  return { running, url };
};

const newTask = async ({ url }: Serving, name: string): Promise<number> => {
  const body = JSON.stringify({ repo: "acme/web", work_item_id: name, title: "x".repeat(3_000) });
  const headers = { "content-type": "application/json" };
  return (await fetch(`${url}/tasks`, { method: "POST", headers, body })).status;
};

const statusOf = async ({ url }: Serving, path: string): Promise<number> => (await fetch(url + path)).status;

const stop = async ({ running }: Serving, signal: NodeJS.Signals): Promise<void> => {
  running.kill(signal);
  await running.ended;
};

/** The work items of a whole file that nobody has open. */
const workItems = (path: string): unknown[] => {
  const db = new Database(path, { fileMustExist: true });
  try {
    expect(db.pragma("integrity_check", { simple: true })).toBe("ok");
    return db.prepare("SELECT work_item_id FROM tasks ORDER BY id").pluck().all();
  } finally {
    db.close();
  }
};

it.each<[string, NodeJS.Signals]>([
  ["is stopped", "SIGTERM"],
  ["is killed", "SIGKILL"],
])("leaves a backup that is moved over its file whole when it %s", async (_, signal) => {
  const folder = temporaryFolder();
  const path = join(folder, "gate.db");
  const first = await serving(path);
  expect(await newTask(first, "RESTORED")).toBe(201);
  await stop(first, "SIGTERM");
  copyFileSync(path, join(folder, "backup.db"));

  const service = await serving(path);
  for (let index = 0; index < 200; index++) expect(await newTask(service, `LOST-${index}`)).toBe(201);
  renameSync(join(folder, "backup.db"), path);
  expect(await newTask(service, "REFUSED")).toBe(503);
  expect(await statusOf(service, "/readyz")).toBe(503);
  expect(await statusOf(service, "/livez")).toBe(200);
  await stop(service, signal);
  expect(workItems(path)).toEqual(["RESTORED"]);
  expect(readdirSync(folder)).toEqual(["gate.db"]);

  const again = await serving(path);
  expect(await newTask(again, "AFTER")).toBe(201);
  await stop(again, "SIGTERM");
  expect(workItems(path)).toEqual(["RESTORED", "AFTER"]);
});

const hasPrlimit = ["/usr/bin/prlimit", "/bin/prlimit"].some((program) => existsSync(program));

it.skipIf(!hasPrlimit)(
  "is not ready while the process may write no larger files, and loses nothing (needs prlimit)",
  async () => {
    const path = join(temporaryFolder(), "gate.db");
    const service = await serving(path);
    const kept: string[] = [];
    const write = async (name: string): Promise<number> => {
      const status = await newTask(service, name);
      if (status === 201) kept.push(name);
      return status;
    };
    expect(await write("BEFORE")).toBe(201);
    expect(await statusOf(service, "/readyz")).toBe(200);
    const limit = (bytes: string): void => {
      execFileSync("prlimit", ["--pid", String(service.running.pid), `--fsize=${bytes}:unlimited`]);
    };
    limit(String(statSync(`${path}-wal`).size));
    for (let index = 0; index < 5; index++) expect(await write(`DURING-${index}`)).toBe(503);
    expect(await statusOf(service, "/readyz")).toBe(503);
    limit("unlimited");
    await expect.poll(() => statusOf(service, "/readyz"), { timeout: 5_000, interval: 200 }).toBe(200);
    expect(await write("AFTER")).toBe(201);
    await stop(service, "SIGKILL");
    expect(workItems(path)).toEqual(kept);
    expect(service.running.heard.stderr).toContain("ulimit -f");
  },
);

/** A small file system in memory; undefined where this user may mount none. */
const tinyDisk = (): string | undefined => {
  const folder = join(temporaryFolder(), "disk");
  mkdirSync(folder);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  onTestFinished(() => {
    execFileSync("umount", ["-l", folder]);
  });
  return folder;
};

it("is not ready while the disk is full, and loses nothing (needs the right to mount)", async ({ skip }) => {
  const folder = tinyDisk();
  if (folder === undefined) return skip("this user may mount no tmpfs");
  const path = join(folder, "gate.db");
  const service = await serving(path);
  const kept: string[] = [];
  let status = 0;
  for (let index = 0; status !== 503 && index < 2_000; index++) {
    status = await newTask(service, `T-${index}`);
    if (status === 201) kept.push(`T-${index}`);
  }
  expect(status).toBe(503);
  expect(await statusOf(service, "/readyz")).toBe(503);
  execFileSync("mount", ["-o", "remount,size=64m", folder]);
  await expect.poll(() => statusOf(service, "/readyz"), { timeout: 5_000, interval: 200 }).toBe(200);
  expect(await newTask(service, "AFTER")).toBe(201);
  await stop(service, "SIGKILL");
  expect(workItems(path)).toEqual([...kept, "AFTER"]);
  expect(service.running.heard.stderr).toContain("Make room on its disk");
});

it("does not start on a read-only file system, whatever a killed service left there, and says why (needs the right to mount)", async ({
  skip,
}) => {
  const folder = tinyDisk();
  if (folder === undefined) return skip("this user may mount no tmpfs");
  const path = join(folder, "gate.db");
  const remount = (how: "ro" | "rw"): void => {
    execFileSync("mount", ["-o", `remount,${how}`, folder]);
  };
  for (const [name, signal] of [
    ["STOPPED", "SIGTERM"],
    // It leaves a log, which SQLite can read.
    ["KILLED", "SIGKILL"],
  ] as const) {
    const service = await serving(path);
    expect(await newTask(service, name)).toBe(201);
    await stop(service, signal);
    remount("ro");
    const refused = startProgram(["serve"], { PORT: "0", DATABASE_URL: `file:${path}` });
    expect(await refused.ended).toMatchObject({ code: 1 });
    expect(refused.heard.stderr).toContain("that the mount is writable");
    remount("rw");
  }
  expect(workItems(path)).toEqual(["STOPPED", "KILLED"]);
});
