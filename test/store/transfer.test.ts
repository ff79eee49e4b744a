/** `serial-gate migrate --from file:… --to postgres://…`: a database moves out of its file. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Gate } from "../../src/gate/gate.ts";
import type { Queue } from "../../src/contract/queue.ts";
import { copyDatabase } from "../../src/store/transfer/copy.ts";
import { migrate } from "../../src/store/migrate.ts";
import { openStore } from "../../src/store/open.ts";
import type { Store } from "../../src/store/port.ts";
import { TestClock, World } from "../gate/world.ts";
import { killConnections } from "../support/connection-killer.ts";
import { temporaryFolder } from "../support/folder.ts";
import { makeLegacy as makeLegacyPostgres, schemaOf } from "../support/legacy-postgres.ts";
import { makeLegacy, using } from "../support/legacy.ts";
import { connectTo, testDatabase } from "../support/postgres.ts";
import { startProgram, type Ended } from "../support/process.ts";
import { startService } from "../support/service.ts";
import { EVERYWHERE } from "../../src/contract/names/repo-pattern.ts";

const newPath = (): string => join(temporaryFolder(), "gate.db");
const newLegacy = (): string => makeLegacy(newPath());

const open = async (url: string, clock?: TestClock): Promise<Store> => {
  const store = await openStore(url, clock && { clock: clock.read });
  onTestFinished(() => store.close());
  return store;
};

/** `serial-gate migrate`; whatever it says, it does not say a password. */
const migrateVerb = async (...args: string[]): Promise<Ended> => {
  const ended = await startProgram(["migrate", ...args]).ended;
  expect(ended.stdout + ended.stderr).not.toMatch(/not-a-secret|hush/);
  return ended;
};

const move = (path: string, url: string): Promise<Ended> =>
  migrateVerb("--from", `file:${path}`, "--to", url);

type Tables = Record<string, string[]>;

/** Every row of every table that holds work, as text, whatever its order. */
const OF_THE_DATABASE = /^(sqlite_|gate_migrations$|gate_settings$)/;

const rowsInFile = (path: string): Tables =>
  using(path, (db) => {
    const names = db.prepare<[], string>("SELECT name FROM sqlite_master WHERE type = 'table'").pluck().all();
    return Object.fromEntries(
      names
        .filter((name) => !OF_THE_DATABASE.test(name))
        .map((name) => {
          const rows = db.prepare<[], Record<string, string>>(`SELECT * FROM ${name}`).all();
          return [name, rows.map(textOf).sort()];
        }),
    );
  });

/** A row by its columns' names; one database counts where the other spells. */
const textOf = (row: Readonly<Record<string, string | number | null>>): string =>
  JSON.stringify(
    Object.keys(row)
      .sort()
      .map((column) => [column, row[column]?.toString()]),
  );

const rowsInPostgres = async (url: string): Promise<Tables> => {
  const client = await connectTo(url);
  const { rows } = await client.query<{ name: string }>(
    "SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace",
  );
  const tables: Tables = {};
  for (const { name } of rows.filter(({ name }) => !OF_THE_DATABASE.test(name)))
    tables[name] = (await client.query<Record<string, string>>(`SELECT * FROM ${name}`)).rows
      .map(textOf)
      .sort();
  return tables;
};

/** A file's rows as they are once it is migrated, which is what its copy holds. */
const migratedRows = async (path: string): Promise<Tables> => {
  const copy = newPath();
  writeFileSync(copy, readFileSync(path));
  const store = await open(`file:${copy}`);
  await migrate(store);
  return rowsInFile(copy);
};

/** The command's lines about the tables, by name. */
const toldIn = (stdout: string): Record<string, number> =>
  Object.fromEntries(
    [...stdout.matchAll(/^(\w+) +(\d+) +[0-9a-f]{16}$/gm)].map(([, table = "", rows]) => [
      table,
      Number(rows),
    ]),
  );

const countsOf = (tables: Tables): Record<string, number> =>
  Object.fromEntries(Object.entries(tables).map(([name, rows]) => [name, rows.length]));

const queueOf = async (gate: Gate): Promise<Queue> => {
  const queue = await gate.queue(undefined, EVERYWHERE);
  return { ...queue, generated_at: "" };
};

it("copies an adopted database unchanged and leaves the file as it was", { timeout: 60_000 }, async () => {
  const path = newLegacy();
  const url = await testDatabase("empty");
  const before = readFileSync(path);
  const { code, stdout, stderr } = await move(path, url);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(readFileSync(path)).toEqual(before);
  const expected = await migratedRows(path);
  const found = await rowsInPostgres(url);
  // The copy has been adopted too: it has the ready index, whose flags move the lanes that have them, and lanes by the names
  // that look alike.
  const unadopted = (rows: string[] = []) =>
    rows
      .map((row) =>
        row
          .replace('["ready","1"]', '["ready","0"]')
          .replace('["revision","2"]', '["revision","1"]')
          .replace(/\["folded",[^\]]*\]/, '["folded",null]'),
      )
      .sort();
  expect({
    ...found,
    jobs: unadopted(found.jobs),
    gate_lanes: unadopted(found.gate_lanes),
  }).toEqual(expected);
  expect(toldIn(stdout)).toEqual(countsOf(expected));
});

it(
  "serves a copied database at once, with the same answers, and continues its ids",
  { timeout: 60_000 },
  async () => {
    const path = newLegacy();
    const url = await testDatabase("empty");
    expect(await move(path, url)).toMatchObject({ code: 0 });
    const doctor = await startProgram(["doctor"], { DATABASE_URL: url }).ended;
    expect(doctor.stdout).toMatch(/^\d+ queued jobs checked, 0 wrong in the ready index, 0 repaired$/m);
    const moved = await startService({ DATABASE_URL: url });
    const stayed = await startService({ DATABASE_URL: `file:${path}` });
    for (const [method, call, body] of [
      ["GET", "/tasks"],
      ["POST", "/jobs/claim", { max: 100 }],
      ["POST", "/tasks", { repo: "web-shop", work_item_id: "WEB-9" }],
      ["GET", "/tasks/10"],
      ["POST", "/serial-gate/pause?work_item=WEB-7"],
      ["POST", "/jobs/claim", { max: 100 }],
    ] as const) {
      const [here, there] = await Promise.all([
        moved.call(method, call, body),
        stayed.call(method, call, body),
      ]);
      const timeless = (answer: unknown): unknown =>
        JSON.parse(JSON.stringify(answer).replaceAll(/"20\d\d-[^"]*Z"|"[0-9a-f]{32}"/g, '"…"'));
      expect(here.status).toBe(there.status);
      expect(timeless(here.body)).toEqual(timeless(there.body));
    }
  },
);

it("copies every kind of row into an equal database", { timeout: 120_000 }, async () => {
  const path = newPath();
  const url = await testDatabase("empty");
  const clock = new TestClock();
  const store = await openStore(`file:${path}`, { clock: clock.read });
  await migrate(store);
  // The file counts as made by serial-gate, and so does its copy: their ready index is that of strict lanes.
  const world = new World(store, clock, { strictLanes: true });
  await world.gate.adopt();
  let replays = 0;
  const call = { actor: "ana", key: "a key", fingerprint: "a call", replayed: () => (replays += 1) };
  const answered = { repo: "acme/web", work_item_id: "WEB-0", stage: "done" };
  const fill = async (): Promise<string> => {
    const { gate } = world;
    const text = `„Übergröße“ 日本語 🦉 \u0001\t\n\\ "quoted" 'single' \u{fffd} ?$1`;
    const large = "é🦉".repeat(100_000);
    await world.task("acme/web", "WEB-1", { title: text, entry_job: { payload: { text, large } } });
    await world.task("acme/web", "WEB-2", { title: "", depends_on: ["WEB-1"] });
    await gate.createTask(call, answered);
    await world.task("acme/web", "WEB-3", { entry_job: false });
    for (let n = 1; n <= 6; n += 1) await world.task(`acme/r${n}`, `R-${n}`);
    const claimed = (await world.claim({ max: 100, lease_ms: 3_600_000 })).jobs;
    const jobOf = (workItem: string) => {
      const job = claimed.find(({ work_item_id }) => work_item_id === workItem);
      if (!job) throw new Error(`${workItem} is not claimed.`);
      return { id: job.id, lease_token: job.lease.token };
    };
    const [r1, r2, r3, r4] = ["R-1", "R-2", "R-3", "R-4"].map(jobOf);
    if (!r1 || !r2 || !r3 || !r4) throw new Error("Nothing is claimed.");
    await gate.complete("ana", r1.id, {
      lease_token: r1.lease_token,
      stage: "done",
      result: { text, large },
    });
    await gate.fail("ana", r2.id, { lease_token: r2.lease_token, error: text, retry: true });
    await gate.fail("ana", r3.id, { lease_token: r3.lease_token, error: "no", retry: false });
    await gate.release("ana", r4.id, { lease_token: r4.lease_token });
    await gate.cancelTask("ana", { id: (await world.task("acme/r5", "R-5b")).id });
    // Parked and overtaken, then frozen, thawed and frozen again.
    await gate.pause("ana", { work_item: "R-6" }, { reason: text, until: "2026-06-20T08:00:00.000Z" });
    await world.task("acme/r6", "R-7");
    const [overtaker] = (await world.claim({ repos: ["acme/r6"], max: 1 })).jobs;
    if (overtaker)
      await gate.complete(null, overtaker.id, { lease_token: overtaker.lease.token, stage: "done" });
    await gate.freeze("ana", { repo: "acme/web" }, { reason: text });
    await gate.unfreeze("ana", { repo: "acme/web" });
    await gate.freeze("ana", { repo: "acme/web" }, { reason: "again", work_item_id: "WEB-1" });
    await world.sql("INSERT INTO jobs(agent, task_content) VALUES ('janitor', '{}')");
    // The highest ids are gone: they are not drawn again.
    await world.task("acme/web", "WEB-99");
    await world.sql("DELETE FROM jobs WHERE id = (SELECT MAX(id) FROM jobs)");
    await world.sql("DELETE FROM tasks WHERE work_item_id = 'WEB-99'");
    return jobOf("WEB-1").lease_token;
  };
  const token = await fill();
  await world.adopt();
  const before = await queueOf(world.gate);
  const [{ task: last } = { task: NaN }] = await world.rows<{ task: number }>(
    "SELECT seq AS task FROM sqlite_sequence WHERE name = 'tasks'",
  );
  await store.close();

  const expected = rowsInFile(path);
  for (const name of [
    "tasks",
    "jobs",
    "job_deps",
    "repo_freeze",
    "gate_events",
    "gate_finishes",
    "gate_lanes",
    "gate_idempotency",
  ])
    expect(expected[name]?.length).toBeGreaterThan(0);
  const { code, stdout, stderr } = await move(path, url);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(await rowsInPostgres(url)).toEqual(expected);
  expect(toldIn(stdout)).toEqual(countsOf(expected));

  const moved = new World(await open(url, clock), clock, { strictLanes: true });
  await moved.gate.adopt();
  expect(moved.logged).toEqual([]);
  expect(await queueOf(moved.gate)).toEqual(before);
  await moved.gate.createTask(call, answered);
  expect(replays).toBe(1);
  expect((await moved.task("acme/r1", "R-8")).id).toBe(last + 1);
  const [job] = await moved.rows<{ id: number }>(`SELECT id FROM jobs WHERE lease_token = '${token}'`);
  const { task } = await moved.gate.complete("ana", job?.id ?? NaN, { lease_token: token, stage: "done" });
  expect(task).toMatchObject({ work_item_id: "WEB-1", stage: "done" });
});

it("copies later tables and columns and names the tables that it leaves", { timeout: 60_000 }, async () => {
  const path = newLegacy();
  const url = await testDatabase("empty");
  using(path, (db) =>
    db.exec(`ALTER TABLE jobs ADD COLUMN cost REAL;
        UPDATE jobs SET cost = id / 3.0;
        CREATE TABLE gate_words (word TEXT PRIMARY KEY, at INTEGER) WITHOUT ROWID;
        INSERT INTO gate_words VALUES ('b', 9007199254740993), ('a', NULL);
        CREATE TABLE scratch (anything)`),
  );
  const other = await connectTo(url);
  await other.query(`CREATE TABLE gate_words (word TEXT PRIMARY KEY, at BIGINT)`);
  const lacking = await move(path, url);
  expect(lacking).toMatchObject({
    code: 1,
    stdout: "",
    stderr: "The target's table jobs lacks a column of the file: cost. Add it first. Nothing was copied.\n",
  });
  const store = await open(url);
  await migrate(store);
  await other.query("ALTER TABLE jobs ADD COLUMN cost DOUBLE PRECISION");
  const { code, stdout, stderr } = await move(path, url);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain("belong to another program: scratch\n");
  const { rows } = await other.query("SELECT word, at::text FROM gate_words ORDER BY word");
  expect(rows).toEqual([
    { word: "a", at: null },
    { word: "b", at: "9007199254740993" },
  ]);
  expect((await other.query("SELECT ROUND(SUM(cost)) AS cost FROM jobs")).rows).toMatchObject([{ cost: 12 }]);
});

it("copies into an orchestrator's tables whose times have a time type", { timeout: 60_000 }, async () => {
  const path = newLegacy();
  const url = await testDatabase("empty");
  const other = await connectTo(url);
  await makeLegacyPostgres(other, "TIMESTAMPTZ");
  const times = "SELECT id, created_at::text FROM tasks ORDER BY id";
  const { rows } = await other.query(times);
  await other.query("TRUNCATE tasks, jobs, job_deps, repo_freeze");
  expect(await move(path, url)).toMatchObject({ code: 0, stderr: "" });
  expect((await other.query(times)).rows).toEqual(rows);
});

describe("interrupted copy", () => {
  const many = (): string => {
    const path = newLegacy();
    using(path, (db) =>
      db.exec(`INSERT INTO jobs(agent, repo, task_id, task_content, status)
        WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 40000)
        SELECT 'developer', 'api', 8, printf('{"n": %d}', id), 'queued' FROM n`),
    );
    return path;
  };

  it(
    "leaves nothing after its connection was killed, and can be repeated",
    { timeout: 120_000 },
    async () => {
      const path = many();
      const url = await testDatabase("empty");
      const target = await open(url);
      const stopCutting = await killConnections(url);
      await expect(copyDatabase(path, target)).rejects.toMatchObject({
        name: "StoreFault",
        kind: "unavailable",
      });
      expect(await stopCutting()).toBeGreaterThan(0);
      expect(await rowsInPostgres(url)).toEqual({});
      const { tables } = await copyDatabase(path, target);
      expect(tables).toContainEqual({ table: "jobs", rows: 40_008, checksum: expect.any(String) as string });
    },
  );

  it("leaves nothing after its process was killed, and can be repeated", { timeout: 120_000 }, async () => {
    const path = many();
    const url = await testDatabase("empty");
    const operator = await connectTo(url);
    const copying = startProgram(["migrate", "--from", `file:${path}`, "--to", url]);
    onTestFinished(() => {
      copying.kill("SIGKILL");
    });
    const begun = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'INSERT INTO public."jobs"%'`;
    while ((await operator.query(begun)).rowCount === 0) await sleep(5);
    copying.kill("SIGKILL");
    expect(await copying.ended).toMatchObject({ signal: "SIGKILL", stdout: "" });
    expect(await rowsInPostgres(url)).toEqual({});
    const { code, stdout } = await move(path, url);
    expect(code).toBe(0);
    expect(toldIn(stdout)).toMatchObject({ jobs: 40_008 });
  });
});

describe("refused copy", () => {
  const changed = (text: string) => (): string => {
    const path = newLegacy();
    using(path, (db) => db.exec(text));
    return path;
  };

  it.each<[string, () => string | Promise<string>, RegExp]>([
    ["a file that is not there", newPath, /^No database at \S+\.$/],
    [
      "a file that is no database",
      () => {
        const path = newPath();
        writeFileSync(path, "no database, but long enough to be read as one\n".repeat(20));
        return path;
      },
      /^The database \S+ answered SQLITE_NOTADB: .*Name another file/,
    ],
    [
      "another program's database",
      () => {
        const path = newPath();
        using(path, (db) => db.exec("CREATE TABLE tasks (id)"));
        return path;
      },
      /^This is not a database that the orchestrator or serial-gate made: .* Nothing was changed\.$/,
    ],
    [
      "a file that a service has open",
      async () => {
        const path = newPath();
        await migrate(await open(`file:${path}`));
        return path;
      },
      /^Another program has \S+ open\. Stop it first/,
    ],
    [
      "bytes",
      changed("UPDATE jobs SET task_content = x'00ff' WHERE id = 3"),
      /^jobs\.task_content \(where id is 3\) is binary, not text\. Nothing was copied\.$/,
    ],
    [
      "a text that is not valid UTF-8",
      changed("UPDATE tasks SET title = CAST(x'61f09f98' AS TEXT) WHERE id = 4"),
      /^tasks\.title \(where id is 4\) is not valid UTF-8\. Nothing was copied\.$/,
    ],
    [
      "a NUL character",
      changed("UPDATE tasks SET title = 'a' || char(0) || 'b' WHERE id = 5"),
      /^tasks\.title \(where id is 5\) contains a NUL character, .* Nothing was copied\.$/,
    ],
    [
      "a word in a number column",
      changed("UPDATE jobs SET attempts = 'many' WHERE id = 2"),
      /^Table jobs could not be copied: .*integer.*"many".* Nothing was copied\.$/,
    ],
    [
      "a number too large for its column",
      changed("UPDATE jobs SET max_attempts = 9000000000 WHERE id = 2"),
      /^Table jobs could not be copied: .*9000000000.* Nothing was copied\.$/,
    ],
  ])("refuses to copy %s", async (_, make, says) => {
    const path = await make();
    const url = await testDatabase("empty");
    const { code, stdout, stderr } = await move(path, url);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr.trimEnd()).toMatch(says);
    expect(await rowsInPostgres(url)).toEqual({});
  });

  it("refuses a target that is not empty", { timeout: 60_000 }, async () => {
    const path = newLegacy();
    const url = await testDatabase("empty");
    const other = await connectTo(url);
    await makeLegacyPostgres(other, "TEXT");
    const before = [await schemaOf(other), await rowsInPostgres(url), readFileSync(path)];
    expect(await move(path, url)).toMatchObject({
      code: 1,
      stdout: "",
      stderr:
        "The target is not empty: its table tasks has rows. Nothing was copied. Use an empty database.\n",
    });
    expect([await schemaOf(other), await rowsInPostgres(url), readFileSync(path)]).toEqual(before);
  });

  it("refuses a second copy into the same target", { timeout: 60_000 }, async () => {
    const path = newLegacy();
    const url = await testDatabase("empty");
    expect(await move(path, url)).toMatchObject({ code: 0 });
    const before = await rowsInPostgres(url);
    expect(await move(path, url)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("not empty") as string,
    });
    expect(await rowsInPostgres(url)).toEqual(before);
  });

  it("refuses a target that is unreachable or denies access", { timeout: 60_000 }, async () => {
    const path = newLegacy();
    const url = new URL(await testDatabase("empty"));
    url.password = "hush";
    for (const to of [url.href, "postgres://ana:hush@127.0.0.1:1/gate"]) {
      const { code, stdout, stderr } = await move(path, to);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toMatch(/^The database [^\n]+\n$/);
    }
  });
});

describe("migrate options", () => {
  const SERVER = "postgres://ana:hush@127.0.0.1:1/gate";

  it.each([
    [["--from", "file:./gate.db"], "go together"],
    [["--to", SERVER], "go together"],
    [["--from", SERVER, "--to", SERVER], "--from takes file:"],
    [["--from", "file:./a.db", "--to", "file:./b.db"], "--to takes postgres://"],
    [["--from", "file:./a.db", "--to", "postgres://ana:hush@["], "--to takes postgres://"],
  ])("refuses the options %j as a usage error", async (args, says) => {
    const { code, stdout, stderr } = await migrateVerb(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(says);
  });
});
