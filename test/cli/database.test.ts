import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../support/folder.ts";
import { makeLegacy, using } from "../support/legacy.ts";
import { startProgram } from "../support/process.ts";

interface Said {
  readonly code: number | null;
  readonly text: string;
}

const runIn = async (folder: string, verb: string, env: Record<string, string> = {}): Promise<Said> => {
  const { code, stdout, stderr } = await startProgram([verb], env, folder).ended;
  return { code, text: stdout + stderr };
};

const NAME_IT = "Run it where the service runs, or set DATABASE_URL.\n";

it("doctor creates nothing and names the default database that is not there", async () => {
  const folder = temporaryFolder();
  expect(await runIn(folder, "doctor")).toEqual({
    code: 78,
    text: `No serial-gate database at ./data/serial-gate.db (DATABASE_URL, default). ${NAME_IT}`,
  });
  expect(readdirSync(folder)).toEqual([]);
});

it.each([
  [".env", {}],
  ["environment", { DATABASE_URL: "file:./typo/x.db" }],
])("doctor says that DATABASE_URL is set in %s", async (place, env) => {
  const folder = temporaryFolder();
  if (place === ".env") writeFileSync(join(folder, ".env"), "DATABASE_URL=file:./typo/x.db\n");
  expect((await runIn(folder, "doctor", env)).text).toBe(
    `No serial-gate database at ./typo/x.db (DATABASE_URL, ${place}). ${NAME_IT}`,
  );
  expect(existsSync(join(folder, "typo"))).toBe(false);
});

it("doctor leaves a folder, an empty file and a database that is not migrated as they are", async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "folder"));
  writeFileSync(join(folder, "empty.db"), "");
  const legacy = makeLegacy(join(folder, "legacy.db"));
  const before = readFileSync(legacy);
  const doctor = (path: string): Promise<Said> => runIn(folder, "doctor", { DATABASE_URL: `file:${path}` });
  expect((await doctor("folder")).text).toContain("it is a folder");
  expect((await doctor("empty.db")).text).toContain("it has no tables of serial-gate");
  expect(await doctor("legacy.db")).toEqual({
    code: 1,
    text: "The orchestrator's database at legacy.db (DATABASE_URL, environment) is not adopted yet. Take a copy of it, then run `serial-gate migrate` or start the service.\n",
  });
  expect(readFileSync(join(folder, "empty.db"))).toHaveLength(0);
  expect(readFileSync(legacy)).toEqual(before);
  expect(readdirSync(folder).sort()).toEqual(["empty.db", "folder", "legacy.db"]);
});

it("migrate says created, upgraded or current; doctor sends an outdated database to it", async () => {
  const folder = temporaryFolder();
  const env = { DATABASE_URL: "file:gate.db" };
  expect((await runIn(folder, "migrate", env)).text).toMatch(/^file:gate\.db: created, applied 001_/);
  expect((await runIn(folder, "migrate", env)).text).toBe("file:gate.db is current: nothing to do\n");
  using(join(folder, "gate.db"), (db) => db.exec("DROP INDEX gate_tasks_work_item"));
  expect(await runIn(folder, "doctor", env)).toMatchObject({
    code: 1,
    text: expect.stringContaining("not migrated to this version. Run `serial-gate migrate`") as string,
  });
  expect((await runIn(folder, "migrate", env)).text).toBe("file:gate.db: upgraded, applied 002_tasks\n");
  const doctor = await runIn(folder, "doctor", env);
  expect(doctor).toEqual({
    code: 0,
    text: "No service has started on this database yet: its first start builds the ready index\n",
  });
});

it.each(["doctor", "migrate", "serve"])(
  "%s refuses a SQLite URL that it cannot read as meant",
  async (verb) => {
    const folder = temporaryFolder();
    const { code, text } = await runIn(folder, verb, { DATABASE_URL: "file:gate.db?mode=ro" });
    expect(code).toBe(78);
    expect(text).toContain("DATABASE_URL: parameters such as ?mode=ro are not read");
    expect(readdirSync(folder)).toEqual([]);
  },
);

it("config says whether strict lanes are on and why", { timeout: 120_000 }, async () => {
  const folder = temporaryFolder();
  makeLegacy(join(folder, "legacy.db"));
  const strict = async (env: Record<string, string>): Promise<string | undefined> =>
    (await runIn(folder, "config", env)).text.split("\n").find((line) => line.startsWith("Strict lanes"));
  expect(await strict({})).toContain("No serial-gate database at ./data/serial-gate.db");
  for (const name of ["legacy.db", "new.db"])
    await runIn(folder, "migrate", { DATABASE_URL: `file:${name}` });
  expect(await strict({ DATABASE_URL: "file:legacy.db" })).toBe(
    "Strict lanes are off: the database was adopted from an orchestrator: legacy.db (DATABASE_URL, environment).",
  );
  expect(await strict({ DATABASE_URL: "file:new.db" })).toBe(
    "Strict lanes are on: serial-gate made the database: new.db (DATABASE_URL, environment).",
  );
  expect(await strict({ SERIAL_GATE_STRICT_LANES: "off" })).toBe(
    "Strict lanes are off: SERIAL_GATE_STRICT_LANES says so (environment).",
  );
});

it.each(["serve", "migrate"])(
  "%s refuses an empty file with the way out, and takes it where it may",
  async (verb) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "empty.db"), "");
    const env = { DATABASE_URL: "file:./empty.db", PORT: "0" };
    const { code, text } = await runIn(folder, verb, env);
    expect(code).toBe(1);
    expect(text).toBe(
      `The database ${join(folder, "empty.db")} exists and is empty: was it emptied by mistake? Restore a backup or, for a new database, delete the file or set SERIAL_GATE_ALLOW_EMPTY=true.\n`,
    );
    expect(readFileSync(join(folder, "empty.db"))).toHaveLength(0);
    expect(await runIn(folder, "migrate", { ...env, SERIAL_GATE_ALLOW_EMPTY: "true" })).toMatchObject({
      code: 0,
    });
  },
);

it.each([
  ["jobs", "SQLITE_CORRUPT"],
  ["the header", "SQLITE_NOTADB"],
])("serve names the file and the way out when %s is damaged", async (part, code) => {
  const folder = temporaryFolder();
  const path = join(folder, "gate.db");
  const env = { DATABASE_URL: "file:./gate.db", PORT: "0" };
  expect((await runIn(folder, "migrate", env)).code).toBe(0);
  const { root, size } = using(path, (db) => {
    db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
      INSERT INTO jobs(repo, agent, status) SELECT 'acme/web', 'analyst', 'queued' FROM n`);
    return {
      root: Number(db.prepare("SELECT rootpage FROM sqlite_master WHERE name = 'jobs'").pluck().get()),
      size: Number(db.pragma("page_size", { simple: true })),
    };
  });
  const bytes = readFileSync(path);
  const from = part === "jobs" ? (root - 1) * size : 0;
  writeFileSync(path, bytes.fill(0xff, from, from + (part === "jobs" ? size : 100)));
  const { text } = await runIn(folder, "serve", env);
  const lines = text.trimEnd().split("\n");
  expect(lines.at(-1)).toContain(`The database ${path} answered ${code}`);
  expect(lines.at(-1)).toMatch(/[Rr]estore a backup/);
});
