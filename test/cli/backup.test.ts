import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, it } from "vitest";
import { temporaryFolder } from "../support/folder.ts";
import { makeLegacy } from "../support/legacy.ts";
import { startProgram, type Ended } from "../support/process.ts";
import { startService } from "../support/service.ts";

const backUp = (databaseUrl: string, file: string, folder?: string): Promise<Ended> =>
  startProgram(["backup", file], { DATABASE_URL: databaseUrl }, folder).ended;

const workItems = (path: string): unknown[] => {
  const db = new Database(path, { fileMustExist: true });
  expect(db.pragma("integrity_check", { simple: true })).toBe("ok");
  const items = db.prepare("SELECT work_item_id FROM tasks ORDER BY id").pluck().all();
  db.close();
  return items;
};

it.each(["wal", "delete"])(
  "copies a database in the journal mode %s while a service writes to it",
  async (mode) => {
    const folder = temporaryFolder();
    const path = join(folder, "gate.db");
    const db = new Database(path);
    db.pragma(`journal_mode = ${mode}`);
    db.pragma("user_version = 1");
    db.close();
    const service = await startService({ DATABASE_URL: `file:${path}` });
    const add = (name: string) => service.post("/tasks", { repo: "acme/web", work_item_id: name });
    await add("BEFORE");
    const file = join(temporaryFolder(), "copy of gate.db");
    const copying = new AbortController();
    const writing = (async (): Promise<void> => {
      for (let index = 0; !copying.signal.aborted; index++)
        expect((await add(`DURING-${index}`)).status).toBe(201);
    })();
    const { code, stdout, stderr } = await backUp(`file:${path}`, file);
    copying.abort();
    await writing;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/\d+ queued jobs checked, 0 wrong in the ready index, 0 repaired\n/);
    expect(stdout).toContain(`${file}: a copy of ${path}`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(file, ".."))).toEqual(["copy of gate.db"]);
    expect(workItems(file)[0]).toBe("BEFORE");

    // The copy serves.
    const restored = await startService({ DATABASE_URL: `file:${file.replaceAll(" ", "%20")}` });
    expect((await restored.get("/readyz")).status).toBe(200);
  },
);

it("overwrites nothing", async () => {
  const folder = temporaryFolder();
  const { databaseUrl } = await startService();
  const file = join(folder, "taken.db");
  writeFileSync(file, "precious");
  const { code, stderr } = await backUp(databaseUrl, file);
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: `${file} exists and is not overwritten. Name another file.\n`,
  });
  expect(readFileSync(file, "utf8")).toBe("precious");
  expect(readdirSync(folder)).toEqual(["taken.db"]);
});

it("keeps no copy of a damaged database, and says what is damaged", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "gate.db");
  const service = await startService({ DATABASE_URL: `file:${path}` });
  for (let index = 0; index < 50; index++)
    await service.post("/tasks", { repo: "acme/web", work_item_id: `T-${index}` });
  await service.service.close();
  const db = new Database(path);
  const page = Number(
    db.prepare("SELECT rootpage FROM sqlite_master WHERE name = 'gate_events'").pluck().get(),
  );
  const size = Number(db.pragma("page_size", { simple: true }));
  db.close();
  const bytes = readFileSync(path);
  bytes.fill(0xff, (page - 1) * size, page * size);
  writeFileSync(path, bytes);
  const file = join(folder, "copy.db");
  const { code, stdout, stderr } = await backUp(`file:${path}`, file);
  expect(code).toBe(1);
  expect(stdout).toContain("damaged: ");
  expect(stderr).toContain("The copy is damaged");
  expect(existsSync(file)).toBe(false);
  expect(readdirSync(folder)).toEqual(["gate.db"]);
});

it("copies an orchestrator's database before it is adopted", async () => {
  const folder = temporaryFolder();
  const path = makeLegacy(join(folder, "orchestrator.db"));
  const { code, stdout } = await backUp(`file:${path}`, join(folder, "copy.db"));
  expect(code).toBe(0);
  expect(stdout).toContain("its pages alone were checked");
  expect(workItems(join(folder, "copy.db"))).toEqual(workItems(path));
});

it("sends the owner of a PostgreSQL database to pg_dump, and names a missing file", async () => {
  const folder = temporaryFolder();
  const server = await backUp("postgres://gate:secret@localhost/gate", "copy.db", folder);
  expect(server.code).toBe(2);
  expect(server.stderr).toContain("pg_dump");
  expect(server.stderr).not.toContain("secret");
  const missing = await backUp("file:./nowhere.db", "copy.db", folder);
  expect(missing.code).toBe(78);
  expect(missing.stderr).toContain("nowhere.db");
  expect(readdirSync(folder)).toEqual([]);
});
