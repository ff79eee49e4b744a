import { createHash } from "node:crypto";
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { migrate, MigrationError } from "../../src/store/migrate.ts";
import { openStore } from "../../src/store/open.ts";
import { StoreFault } from "../../src/store/port.ts";
import { temporaryFolder } from "../support/folder.ts";
import {
  leftByOrchestrator,
  makeLegacy,
  schemaOf,
  tableTexts,
  using,
  type Schema,
} from "../support/legacy.ts";
import { startProgram, startScript } from "../support/process.ts";

/** All moments of a kill, for which a machine of two cores takes a minute. */
const LONG = process.env.SERIAL_GATE_TEST_LONG === "1";

const MIGRATIONS = fileURLToPath(new URL("../../migrations/sqlite", import.meta.url));
const NAMES = readdirSync(MIGRATIONS)
  .filter((file) => file !== "triggers.sql")
  .map((file) => file.replace(/\.sql$/, ""))
  .sort();

/** The answer of a migration that makes all of it. */
const EVERYTHING = [...NAMES, "triggers"];

const newPath = (): string => join(temporaryFolder(), "gate.db");
const newLegacy = (): string => makeLegacy(newPath());

const migrateFile = async (path: string, folder?: string): Promise<string[]> => {
  const store = await openStore(`file:${path}`);
  try {
    return await migrate(store, folder);
  } finally {
    await store.close();
  }
};

const pragma = (path: string, name: string): unknown =>
  using(path, (db) => db.pragma(name, { simple: true }));

/** The digests of the files of a database: its own, and those of a journal that stayed behind. */
const bytesOf = (path: string): Record<string, string> =>
  Object.fromEntries(
    ["", "-journal", "-wal", "-shm"]
      .map((suffix) => path + suffix)
      .filter((file) => existsSync(file))
      .map((file) => [file, createHash("sha256").update(readFileSync(file)).digest("hex")]),
  );

const failureOf = async (work: Promise<unknown>): Promise<Error> => {
  const failure = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (failure instanceof Error) return failure;
  throw new Error("It did not fail.");
};

/** The orchestrator's database after a migration, by which every other is judged. */
const migratedLegacy = async (): Promise<{ path: string; schema: Schema; left: unknown }> => {
  const path = newLegacy();
  await migrateFile(path);
  return { path, schema: schemaOf(path), left: leftByOrchestrator(path) };
};

describe("migration of a new database", () => {
  it("makes the folder and a file in WAL mode, and records every migration", async () => {
    const path = join(temporaryFolder(), "not", "there", "yet.db");
    expect(await migrateFile(path)).toEqual(EVERYTHING);
    expect(pragma(path, "journal_mode")).toBe("wal");
    const recorded = using(path, (db) =>
      db.prepare("SELECT name FROM gate_migrations ORDER BY name").pluck().all(),
    );
    expect(recorded).toEqual(NAMES);
  });

  it("makes the tables, columns, indexes and triggers that an adopted database gets", async () => {
    const path = newPath();
    await migrateFile(path);
    const { schema } = await migratedLegacy();
    const { "view open_tasks": theirs, ...objects } = schema.objects;
    expect(theirs).toBeTypeOf("string");
    expect(schemaOf(path).columns).toEqual(schema.columns);
    expect(Object.keys(schemaOf(path).objects).sort()).toEqual(Object.keys(objects).sort());
  });
});

describe("adoption of the orchestrator's database", () => {
  it("leaves its columns, indexes, view and rows as they were", async () => {
    const path = newLegacy();
    const before = leftByOrchestrator(path);
    expect(await migrateFile(path)).toEqual(EVERYTHING);
    expect(leftByOrchestrator(path)).toEqual(before);
    expect(pragma(path, "integrity_check")).toBe("ok");
  });

  it("leaves the text of its tables and appends our columns", async () => {
    const path = newLegacy();
    const before = tableTexts(path);
    await migrateFile(path);
    for (const [table, text] of Object.entries(tableTexts(path))) {
      const old = before[table] ?? "";
      // SQLite puts a column before the constraints of the table, if it has any.
      const appended = text.replace(", gate_writes INTEGER NOT NULL DEFAULT 0", "");
      if (appended !== old) expect(appended.startsWith(`${old.slice(0, -1)}, `), text).toBe(true);
    }
  });

  it("makes a lane for every repository in its rows", async () => {
    const { path } = await migratedLegacy();
    const lanes = using(path, (db) => db.prepare("SELECT repo FROM gate_lanes ORDER BY repo").pluck().all());
    expect(lanes).toEqual(["api", "orchestrator", "web-shop"]);
  });

  it.each(["delete", "wal"])("keeps the journal mode %s", async (mode) => {
    const path = newLegacy();
    using(path, (db) => db.pragma(`journal_mode = ${mode}`));
    await migrateFile(path);
    expect(pragma(path, "journal_mode")).toBe(mode);
  });

  it("recognises tables and columns whose names are in upper case", async () => {
    const path = newLegacy();
    using(path, (db) =>
      db.exec(
        "ALTER TABLE tasks RENAME TO t; ALTER TABLE t RENAME TO Tasks; ALTER TABLE Tasks ADD COLUMN Paused_At TEXT",
      ),
    );
    expect(await migrateFile(path)).toEqual(EVERYTHING);
    const { schema } = await migratedLegacy();
    expect(
      Object.keys(schemaOf(path).columns)
        .map((column) => column.toLowerCase())
        .sort(),
    ).toEqual(Object.keys(schema.columns).sort());
  });
});

describe("a second migration", () => {
  it.each([
    ["a new database", newPath],
    ["an adopted one", newLegacy],
  ])("leaves %s as it is, to the byte", async (_, make) => {
    const path = make();
    await migrateFile(path);
    const before = bytesOf(path);
    expect(await migrateFile(path)).toEqual([]);
    expect(bytesOf(path)).toEqual(before);
  });

  it("writes nothing while another program reads", async () => {
    const { path } = await migratedLegacy();
    const other = new Database(path);
    onTestFinished(() => {
      other.close();
    });
    const versions = (): unknown[] => [other.pragma("data_version"), other.pragma("schema_version")];
    const before = versions();
    expect(await migrateFile(path)).toEqual([]);
    expect(versions()).toEqual(before);
  });

  it("applies a migration that is new, and only that one", async () => {
    const { path } = await migratedLegacy();
    const folder = temporaryFolder();
    cpSync(MIGRATIONS, folder, { recursive: true });
    writeFileSync(
      join(folder, "900_more.sql"),
      "CREATE TABLE IF NOT EXISTS gate_more (\n  id INTEGER PRIMARY KEY\n);\n",
    );
    expect(await migrateFile(path, folder)).toEqual(["900_more"]);
    expect(schemaOf(path).columns).toHaveProperty(["gate_more.id"]);
  });

  it("leaves the database as it was when a new migration fails half-way", async () => {
    const { path } = await migratedLegacy();
    const before = bytesOf(path);
    const folder = temporaryFolder();
    cpSync(MIGRATIONS, folder, { recursive: true });
    writeFileSync(
      join(folder, "900_wrong.sql"),
      "ALTER TABLE tasks ADD COLUMN half TEXT;\n\nCREATE INDEX IF NOT EXISTS gate_wrong ON tasks(no_such_column);\n",
    );
    expect(await failureOf(migrateFile(path, folder))).toBeInstanceOf(StoreFault);
    expect(bytesOf(path)).toEqual(before);
  });
});

describe("migration of a partial schema", () => {
  interface Part {
    readonly name: string;
    readonly remove: string;
  }

  /** All that a migration made in that database, each with the statement that takes it away, in an order that
   *  SQLite allows: a column goes only when no index or trigger names it and every trigger has its tables. */
  const partsOf = (path: string): readonly Part[] => {
    const { columns, objects } = schemaOf(path);
    const theirs = schemaOf(newLegacy());
    const tables = [...new Set(Object.keys(columns).map((column) => column.split(".")[0] ?? ""))];
    const isOurs = (table: string): boolean => table.startsWith("gate_");
    return [
      ...Object.keys(objects)
        .filter((object) => /^(trigger|index) gate_/.test(object))
        .map((object) => ({ name: object, remove: `DROP ${object}` })),
      ...Object.keys(columns)
        .filter((column) => !(column in theirs.columns) && !isOurs(column))
        .map((name) => ({ name, remove: `ALTER TABLE ${name.replace(".", " DROP COLUMN ")}` })),
      ...tables.filter(isOurs).map((table) => ({ name: `table ${table}`, remove: `DROP TABLE ${table}` })),
    ];
  };

  /** Takes the parts away, and with a column whatever names it. */
  const remove = (path: string, parts: readonly Part[], forgotten: readonly string[]): void => {
    using(path, (db) => {
      const columns = parts.flatMap(({ name }) => /^\w+\.(\w+)$/.exec(name)?.[1] ?? []);
      const dependents = Object.entries(schemaOf(path).objects)
        .filter(([object]) => /^(trigger|index) gate_/.test(object))
        .filter(([, text]) => columns.some((column) => text?.includes(column)))
        .map(([object]) => `DROP ${object}`);
      for (const name of forgotten) db.prepare("DELETE FROM gate_migrations WHERE name = ?").run(name);
      for (const statement of new Set([...dependents, ...parts.map((part) => part.remove)]))
        db.exec(statement.replace(/^DROP (TABLE|trigger|index) /, "DROP $1 IF EXISTS "));
    });
  };

  it(
    "completes the schema, whichever parts are missing, and changes no row",
    { timeout: 120_000 },
    async () => {
      const { path: whole, schema, left } = await migratedLegacy();
      const parts = partsOf(whole);
      expect(parts.length).toBeGreaterThan(30);
      const folder = temporaryFolder();
      await fc.assert(
        fc.asyncProperty(fc.subarray([...parts]), fc.subarray(NAMES), async (missing, forgotten) => {
          const path = join(folder, "partial.db");
          copyFileSync(whole, path);
          remove(path, missing, forgotten);
          const applied = await migrateFile(path);
          expect(applied.length > 0).toBe(missing.length + forgotten.length > 0);
          expect(schemaOf(path)).toEqual(schema);
          expect(leftByOrchestrator(path)).toEqual(left);
          expect(await migrateFile(path)).toEqual([]);
        }),
        { numRuns: 40 },
      );
    },
  );

  it("finds each part that is missing alone", { timeout: 60_000 }, async () => {
    const { path: whole, schema } = await migratedLegacy();
    const path = newPath();
    for (const part of partsOf(whole)) {
      copyFileSync(whole, path);
      remove(path, [part], []);
      expect(await migrateFile(path), `without ${part.name}`).not.toEqual([]);
      expect(schemaOf(path), `without ${part.name}`).toEqual(schema);
    }
  });

  it("makes the lanes of tasks that came while the triggers were missing", async () => {
    const { path } = await migratedLegacy();
    using(path, (db) =>
      db.exec(
        "DROP TRIGGER gate_lane_tasks_inserted; INSERT INTO tasks(repo, work_item_id) VALUES ('new/one', 'N-1')",
      ),
    );
    await migrateFile(path);
    const lane = using(path, (db) =>
      db.prepare("SELECT 1 FROM gate_lanes WHERE repo = 'new/one'").pluck().get(),
    );
    expect(lane).toBe(1);
  });
});

describe("refused migration", () => {
  const without = (migration: string): string => {
    const folder = temporaryFolder();
    cpSync(MIGRATIONS, folder, { recursive: true });
    rmSync(join(folder, `${migration}.sql`));
    return folder;
  };
  const edited = (migration: string): string => {
    const folder = temporaryFolder();
    cpSync(MIGRATIONS, folder, { recursive: true });
    appendFileSync(join(folder, `${migration}.sql`), "-- one more word\n");
    return folder;
  };

  interface Case {
    readonly make: () => Promise<string>;
    readonly folder?: () => string;
    readonly error: typeof MigrationError | typeof StoreFault;
    readonly says: (path: string) => readonly string[];
  }

  const migrated = async (): Promise<string> => (await migratedLegacy()).path;
  const holding = (text: string) => (): Promise<string> => {
    const path = newPath();
    writeFileSync(path, text);
    return Promise.resolve(path);
  };
  const madeBy = (text: string) => (): Promise<string> => {
    const path = newPath();
    using(path, (db) => db.exec(text));
    return Promise.resolve(path);
  };

  const CASES: readonly (readonly [string, Case])[] = [
    [
      "a database that a later program migrated",
      {
        make: async () => {
          const path = await migrated();
          using(path, (db) =>
            db.exec("INSERT INTO gate_migrations VALUES ('999_future', 'x', '2030-01-01T00:00:00.000Z')"),
          );
          return path;
        },
        error: MigrationError,
        says: () => ["newer", "999_future"],
      },
    ],
    [
      "a database with a migration that this program lacks",
      {
        make: migrated,
        folder: () => without(NAMES.at(-1) ?? ""),
        error: MigrationError,
        says: () => ["newer", NAMES.at(-1) ?? ""],
      },
    ],
    [
      "a database whose migration was edited afterwards",
      {
        make: migrated,
        folder: () => edited("002_tasks"),
        error: MigrationError,
        says: () => ["002_tasks", "restore its file"],
      },
    ],
    [
      "a text file",
      {
        make: holding("To whom it may concern: this is no database.\n"),
        error: StoreFault,
        says: (path) => [path, "not a database"],
      },
    ],
    [
      "a long text file",
      {
        make: holding("To whom it may concern: this is no database.\n".repeat(500)),
        error: StoreFault,
        says: (path) => [path, "not a database"],
      },
    ],
    [
      "another program's database with other tasks",
      {
        make: madeBy(
          "CREATE TABLE tasks (id INTEGER PRIMARY KEY, title TEXT, stage TEXT); INSERT INTO tasks VALUES (1, 'mow', 'x')",
        ),
        error: MigrationError,
        says: () => ["table tasks", "repo", "work_item_id"],
      },
    ],
    [
      "another program's database with other events and jobs",
      {
        make: madeBy("CREATE TABLE jobs (id INTEGER PRIMARY KEY); CREATE TABLE gate_events (happened TEXT)"),
        error: MigrationError,
        says: () => ["table jobs", "agent", "table gate_events", "kind"],
      },
    ],
  ];

  it.each(CASES)(
    "refuses %s in plain words and leaves it untouched",
    async (_, { make, folder, error, says }) => {
      const path = await make();
      const before = bytesOf(path);
      const failure = await failureOf(migrateFile(path, folder?.()));
      expect(failure).toBeInstanceOf(error);
      for (const words of says(path)) expect(failure.message).toContain(words);
      expect(bytesOf(path)).toEqual(before);
    },
  );

  it.each([
    ["is below a regular file", (folder: string) => join(folder, "file", "data", "gate.db")],
    ["is a folder", (folder: string) => folder],
  ])("refuses a path that %s and names it", async (_, pathIn) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "");
    const path = pathIn(folder);
    const failure = await failureOf(migrateFile(path));
    expect(failure).toBeInstanceOf(StoreFault);
    expect(failure).toMatchObject({ kind: "unavailable" });
    expect(failure.message).toContain(path);
    expect(readdirSync(folder)).toEqual(["file"]);
  });
});

describe("concurrent migration", () => {
  it.each([
    ["an orchestrator's database", newLegacy],
    ["a database that is not there yet", newPath],
  ])("migrates %s once when eight processes start together", { timeout: 120_000 }, async (_, make) => {
    const path = make();
    const ended = await Promise.all(
      Array.from({ length: 8 }, () => startProgram(["migrate"], { DATABASE_URL: `file:${path}` }).ended),
    );
    expect(ended.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
      Array.from({ length: 8 }, () => ({ code: 0, stderr: "" })),
    );
    expect(ended.filter(({ stdout }) => stdout.includes("applied"))).toHaveLength(1);
    expect(ended.filter(({ stdout }) => stdout.includes("nothing to do"))).toHaveLength(7);
    const { schema } = await migratedLegacy();
    expect(schemaOf(path).columns).toEqual(schema.columns);
    expect(Object.keys(schema.objects)).toEqual(expect.arrayContaining(Object.keys(schemaOf(path).objects)));
    expect(pragma(path, "integrity_check")).toBe("ok");
  });
});

describe("killed migration", () => {
  const points = async (path: string): Promise<number> =>
    Number((await startScript("killed-migration.mjs", [path, "0"]).ended).stdout);

  /** Kills a migration of that file at each of the points, two at a time. */
  const killedAt = async (
    file: string | undefined,
    points: readonly number[],
    check: (path: string, point: number) => Promise<void>,
  ): Promise<void> => {
    const waiting = [...points];
    const folder = temporaryFolder();
    const killer = async (): Promise<void> => {
      for (let point = waiting.shift(); point !== undefined; point = waiting.shift()) {
        const path = join(folder, `killed-at-${point}.db`);
        if (file !== undefined) copyFileSync(file, path);
        const { signal, stderr } = await startScript("killed-migration.mjs", [path, String(point)]).ended;
        expect({ point, signal, stderr }).toEqual({ point, signal: "SIGKILL", stderr: "" });
        await check(path, point);
      }
    };
    await Promise.all([killer(), killer()]);
  };

  it(
    "leaves the orchestrator's file as it was or whole, at whichever statement it is killed",
    { timeout: 180_000 },
    async () => {
      const legacy = newLegacy();
      const old = schemaOf(legacy);
      const { schema, left } = await migratedLegacy();
      const last = await points(makeLegacy(newPath()));
      expect(last).toBeGreaterThan(40);
      const step = LONG ? 1 : 3;
      const chosen = Array.from({ length: last }, (_, index) => index + 1).filter(
        (point) => point % step === 0 || point >= last - 1,
      );
      const untouched: number[] = [];
      let halfWritten = 0;
      await killedAt(legacy, chosen, async (path, point) => {
        if (existsSync(`${path}-journal`) && !readFileSync(path).equals(readFileSync(legacy))) halfWritten++;
        const found = schemaOf(path);
        const isUntouched = !("gate_migrations.name" in found.columns);
        if (isUntouched) untouched.push(point);
        expect(found, `killed at ${point}`).toEqual(isUntouched ? old : schema);
        expect(leftByOrchestrator(path)).toEqual(left);
        expect(await migrateFile(path)).toEqual(isUntouched ? EVERYTHING : []);
        expect(schemaOf(path)).toEqual(schema);
        expect(leftByOrchestrator(path)).toEqual(left);
      });
      // The last point is after the commit; every other is before it.
      expect(untouched.sort((a, b) => a - b)).toEqual(chosen.slice(0, -1));
      expect(halfWritten).toBeGreaterThan(10 / step);
    },
  );

  it("leaves a new file that the next migration completes", { timeout: 180_000 }, async () => {
    const last = await points(newPath());
    const coarse = Array.from({ length: last }, (_, index) => index + 1).filter(
      (point) => point <= 2 || point % 9 === 0 || point >= last - 1,
    );
    const whole = newPath();
    await migrateFile(whole);
    const schema = schemaOf(whole);
    await killedAt(undefined, coarse, async (path, point) => {
      expect(schemaOf(path), `killed at ${point}`).toEqual(
        point === last ? schema : { columns: {}, objects: {} },
      );
      expect(await migrateFile(path)).toEqual(point === last ? [] : EVERYTHING);
      expect(schemaOf(path)).toEqual(schema);
      expect(pragma(path, "journal_mode")).toBe("wal");
    });
  });
});

describe("serial-gate migrate", () => {
  const migrateVerb = (path: string) => startProgram(["migrate"], { DATABASE_URL: `file:${path}` }).ended;

  it("names the applied migrations, and then says that there is nothing to do", async () => {
    const path = newLegacy();
    expect(await migrateVerb(path)).toMatchObject({
      code: 0,
      stdout: `file:${path}: upgraded, applied ${EVERYTHING.join(", ")}\nThe orchestrator's database is adopted: 9 tasks, 6 unfinished.\n`,
      stderr: "",
    });
    expect(await migrateVerb(path)).toMatchObject({
      code: 0,
      stdout: `file:${path} is current: nothing to do\n`,
      stderr: "",
    });
  });

  it("names the migration whose missing part it restored", async () => {
    const { path } = await migratedLegacy();
    using(path, (db) => db.exec("DROP INDEX gate_tasks_work_item"));
    expect((await migrateVerb(path)).stdout).toBe(`file:${path}: upgraded, applied 002_tasks\n`);
  });

  it.each([
    [
      "a file that is no database",
      (path: string) => {
        writeFileSync(path, "no database\n");
        return path;
      },
    ],
    [
      "another program's database",
      (path: string) => {
        using(path, (db) => db.exec("CREATE TABLE tasks (id)"));
        return path;
      },
    ],
    [
      "a path that cannot be",
      (path: string) => {
        writeFileSync(path, "");
        return join(path, "gate.db");
      },
    ],
  ])("ends with 1 and one line for %s", async (_, make) => {
    const { code, stdout, stderr } = await migrateVerb(make(newPath()));
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^[A-Z][^\n]+\n$/);
  });
});
