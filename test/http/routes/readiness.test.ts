import { closeSync, openSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import Database from "better-sqlite3";
import { describe, expect, it, onTestFinished } from "vitest";
import { connectTo } from "../../support/postgres.ts";
import { startService, type TestService } from "../../support/service.ts";

const pathOf = ({ databaseUrl }: TestService): string => databaseUrl.replace(/^file:/, "");

const newTask = (service: TestService, name: string) =>
  service.post<{ code?: string }>("/tasks", { repo: "acme/web", work_item_id: name });

const readiness = async (service: TestService): Promise<number> => (await service.get("/readyz")).status;

const turns = (service: TestService, status: number) =>
  expect.poll(() => readiness(service), { timeout: 8_000, interval: 200 }).toBe(status);

const messages = (service: TestService, text: string): string[] =>
  service.logs
    .map((line) => String((JSON.parse(line) as { msg?: unknown }).msg))
    .filter((message) => message.includes(text));

/** SQL of another program over SQLite, or of the owner over PostgreSQL. */
const foreign = async (service: TestService, text: string): Promise<void> => {
  if (!service.databaseUrl.startsWith("file:")) {
    const client = await connectTo(service.databaseUrl);
    await client.query(text);
    return;
  }
  const db = new Database(pathOf(service), { timeout: 2_000 });
  db.exec(text);
  db.close();
};

describe("the last write failed", () => {
  it.each(["gate_events", "jobs"])(
    "is not ready while %s cannot be written, and is again afterwards",
    async (table) => {
      const service = await startService();
      await newTask(service, "A");
      await turns(service, 200);
      await foreign(service, `ALTER TABLE ${table} RENAME TO hidden`);
      expect((await newTask(service, "B")).status).toBe(503);
      expect(await readiness(service)).toBe(503);
      expect(await readiness(service)).toBe(503);
      await foreign(service, `ALTER TABLE hidden RENAME TO ${table}`);
      await turns(service, 200);
      expect((await newTask(service, "B")).status).toBe(201);
      expect(messages(service, "The service is not ready")).toHaveLength(1);
      expect(messages(service, "takes work again")).toHaveLength(1);
    },
  );

  it("stays ready when a constraint refuses one caller", async () => {
    const service = await startService();
    if (service.databaseUrl.startsWith("file:"))
      await foreign(
        service,
        `CREATE TRIGGER refuse BEFORE INSERT ON tasks WHEN NEW.repo = 'acme/web' BEGIN SELECT RAISE(ABORT, 'no'); END`,
      );
    else await foreign(service, "ALTER TABLE tasks ADD CONSTRAINT refuse CHECK (repo <> 'acme/web')");
    expect((await newTask(service, "A")).body.code).toBe("storage_refused");
    expect(await readiness(service)).toBe(200);
  });
});

describe.skipIf(process.env.SERVICES_OVER === "PostgreSQL")("on SQLite", () => {
  it("is not ready while a trigger refuses every event", async () => {
    const service = await startService();
    await foreign(
      service,
      "CREATE TRIGGER refuse BEFORE INSERT ON gate_events BEGIN SELECT RAISE(ABORT, 'no'); END",
    );
    expect((await newTask(service, "A")).body.code).toBe("storage_refused");
    expect(await readiness(service)).toBe(503);
    await foreign(service, "DROP TRIGGER refuse");
    await turns(service, 200);
  });

  it("is not ready while another program holds the write lock", async () => {
    const service = await startService();
    const other = new Database(pathOf(service));
    onTestFinished(() => {
      other.close();
    });
    other.exec("BEGIN IMMEDIATE");
    expect(await readiness(service)).toBe(200);
    expect((await newTask(service, "A")).body.code).toBe("storage_busy");
    expect(await readiness(service)).toBe(503);
    other.exec("COMMIT");
    await turns(service, 200);
  });

  /** Overwrites the pages of an index or a table. */
  const damage = (path: string, name: string): void => {
    const db = new Database(path);
    db.pragma("wal_checkpoint(TRUNCATE)");
    const pages = db.prepare("SELECT pageno FROM dbstat WHERE name = ?").pluck().all(name) as number[];
    const size = Number(db.pragma("page_size", { simple: true }));
    db.close();
    const file = openSync(path, "r+");
    for (const page of pages) writeSync(file, Buffer.alloc(size, 0xff), 0, size, (page - 1) * size);
    closeSync(file);
  };

  it.each(["jobs", "gate_events", "tasks"])("is not ready over a damaged %s", async (table) => {
    const service = await startService();
    await newTask(service, "A");
    damage(pathOf(service), table);
    // Pages that are cached are read again once another program has written.
    await foreign(service, "PRAGMA user_version = 7");
    await newTask(service, "B");
    await turns(service, 503);
    expect((await service.get("/livez")).status).toBe(200);
  });

  it.each([
    [
      "deleted",
      (path: string) => {
        rmSync(path);
      },
      "is gone",
    ],
    [
      "moved away",
      (path: string) => {
        renameSync(path, `${path}.moved`);
      },
      "is gone",
    ],
    [
      "without its -wal",
      (path: string) => {
        rmSync(`${path}-wal`);
      },
      "-wal was deleted",
    ],
  ])(
    "is not ready within a second once its file was %s, and says so in one sentence",
    async (_, lose, sentence) => {
      const service = await startService();
      await newTask(service, "A");
      expect(statSync(`${pathOf(service)}-wal`).size).toBeGreaterThan(0);
      lose(pathOf(service));
      await expect
        .poll(() => messages(service, "The service is not ready"), { timeout: 3_000 })
        .toEqual([expect.stringContaining(sentence)]);
      expect(await readiness(service)).toBe(503);
      for (const path of ["/tasks", "/jobs/claim"])
        expect(
          (await service.post(path, path === "/tasks" ? { repo: "acme/web", work_item_id: "B" } : {})).status,
        ).toBe(503);
      expect(messages(service, "The service is not ready")).toHaveLength(1);
    },
  );
});

it("is not asked about parameters that it does not know", async () => {
  const service = await startService();
  expect((await service.get("/livez?x=1&y")).status).toBe(200);
  expect((await service.get("/readyz?x=1")).status).toBe(200);
});
