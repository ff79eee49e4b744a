import { appendFileSync, cpSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type pg from "pg";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Queue } from "../../../src/contract/queue.ts";
import { migrate, MigrationError } from "../../../src/store/migrate.ts";
import { run, StoreFault, type Store, type Tx } from "../../../src/store/port.ts";
import { openPostgres } from "../../../src/store/postgres/store.ts";
import { openSqlite } from "../../../src/store/sqlite/store.ts";
import { raw } from "../../../src/store/sql.ts";
import { TestClock, World } from "../../gate/world.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { makeLegacy as makeLegacyFile } from "../../support/legacy.ts";
import {
  leftByOrchestrator,
  makeLegacy,
  schemaOf,
  TIME_TYPES,
  type Schema,
  type TimeType,
} from "../../support/legacy-postgres.ts";
import { connectTo, testDatabase } from "../../support/postgres.ts";
import { EVERYWHERE } from "../../../src/contract/names/repo-pattern.ts";

const MIGRATIONS = fileURLToPath(new URL("../../../migrations/postgres", import.meta.url));
const NAMES = readdirSync(MIGRATIONS)
  .filter((file) => file !== "triggers.sql")
  .map((file) => file.replace(/\.sql$/, ""))
  .sort();

/** The answer of a migration that makes all of it. */
const EVERYTHING = [...NAMES, "triggers"];

interface Place {
  readonly url: string;
  /** Another program's connection. */
  readonly client: pg.Client;
}

const empty = async (): Promise<Place> => {
  const url = await testDatabase("empty");
  return { url, client: await connectTo(url) };
};

const legacy = async (time: TimeType): Promise<Place> => {
  const place = await empty();
  await makeLegacy(place.client, time);
  return place;
};

const open = async (url: string): Promise<Store> => {
  const store = await openPostgres(url);
  onTestFinished(() => store.close());
  return store;
};

const migrateAt = async (url: string, folder?: string): Promise<string[]> => {
  const store = await openPostgres(url);
  try {
    return await migrate(store, folder);
  } finally {
    await store.close();
  }
};

const ofOurs = ({ objects }: Schema): string[] =>
  Object.keys(objects).filter((name) => name.includes(" gate_"));

describe("migration of a new database", () => {
  it("records every migration and finds nothing to do a second time", async () => {
    const { url, client } = await empty();
    expect(await migrateAt(url)).toEqual(EVERYTHING);
    const { rows } = await client.query<{ name: string }>("SELECT name FROM gate_migrations ORDER BY name");
    expect(rows.map(({ name }) => name)).toEqual(NAMES);
    const made = await schemaOf(client);
    expect(await migrateAt(url)).toEqual([]);
    expect(await schemaOf(client)).toEqual(made);
  });

  it("makes its tables in the schema of the search_path, beside other schemas", async () => {
    const { url, client } = await empty();
    await client.query("CREATE TABLE tasks (mowed BOOLEAN); CREATE SCHEMA gate");
    const inSchema = `${url}?options=${encodeURIComponent("-c search_path=gate")}`;
    expect(await migrateAt(inSchema)).toEqual(EVERYTHING);
    expect(await migrateAt(inSchema)).toEqual([]);
    await client.query("INSERT INTO gate.tasks(repo) VALUES ('acme/web')");
    const { rows } = await client.query("SELECT repo FROM gate.gate_lanes");
    expect(rows).toEqual([{ repo: "acme/web" }]);
  });
});

describe("adoption of the orchestrator's database", () => {
  it.each(TIME_TYPES)(
    "leaves columns, indexes, view and rows as they were, with times as %s",
    async (time) => {
      const { url, client } = await legacy(time);
      const { columns, left } = await leftByOrchestrator(client);
      expect(await migrateAt(url)).toEqual(EVERYTHING);
      expect((await leftByOrchestrator(client, columns)).left).toEqual(left);
      expect(await migrateAt(url)).toEqual([]);
    },
  );

  it("makes everything that a new database has", async () => {
    const [old, fresh] = [await legacy("TEXT"), await empty()];
    await migrateAt(old.url);
    await migrateAt(fresh.url);
    expect(ofOurs(await schemaOf(old.client))).toEqual(ofOurs(await schemaOf(fresh.client)));
  });

  /** The gate's answers and changes, without anything that differs in any two runs. */
  const lifeOf = async (store: Store): Promise<unknown> => {
    const clock = new TestClock();
    const world = new World(store, clock);
    await world.gate.adopt();
    const seen: unknown[] = [];
    const look = async (): Promise<void> => {
      const { revision: _, ...queue }: Queue = await world.gate.queue(undefined, EVERYWHERE);
      seen.push(queue);
    };
    await look();
    seen.push(await world.gate.task(4, EVERYWHERE));
    await world.gate.pause("ann", { work_item: "ORCH-116" }, { reason: "waits" });
    const claimed = await world.claim({ max: 10 });
    seen.push(claimed.jobs.map(({ lease: _, ...job }) => job));
    await world.gate.unfreeze("ann", { repo: "api" });
    seen.push(
      (await world.gate.createTask("ann", { repo: "api", work_item_id: "API-3", stage: "analysis" })).task,
    );
    for (const { id, lease } of claimed.jobs)
      seen.push(
        await world.gate.complete(null, id, { lease_token: lease.token, stage: "done" }).catch(String),
      );
    await world.gate.cancelTask("ann", { id: 8 });
    await look();
    seen.push((await world.gate.listTasks({ limit: 100 }, EVERYWHERE)).tasks);
    world.gate.drain();
    return seen;
  };

  it.each(TIME_TYPES)("behaves as the same database in a SQLite file, with times as %s", async (time) => {
    const clock = new TestClock();
    const file = await openSqlite(makeLegacyFile(join(temporaryFolder(), "gate.db")), clock.read);
    onTestFinished(() => file.close());
    await migrate(file);
    const { url } = await legacy(time);
    const store = await openPostgres(url, { clock: clock.read });
    onTestFinished(() => store.close());
    await migrate(store);
    expect(await lifeOf(store)).toEqual(await lifeOf(file));
  });
});

describe("migration of a partial schema", () => {
  it("finds each part that is missing alone", { timeout: 120_000 }, async () => {
    const { url, client } = await legacy("TEXT");
    const { columns, left } = await leftByOrchestrator(client);
    await migrateAt(url);
    const whole = await schemaOf(client);
    const theirs = ["tasks", "jobs", "job_deps", "repo_freeze"];
    const parts = [
      ...ofOurs(whole).map((name) => {
        const [, kind = "", object = "", on = ""] = /^(\w+) (\w+)(?: on (\w+))?$/.exec(name) ?? [];
        if (kind === "trigger") return `DROP TRIGGER ${object} ON ${on}`;
        return `DROP ${kind} ${object} ${kind === "function" ? "CASCADE" : ""}`;
      }),
      ...["gate_lanes", "gate_events", "gate_overtakes", "gate_settings"].map(
        (table) => `DROP TABLE ${table}`,
      ),
      ...(whole.columns as { table_name: string; column_name: string }[])
        .filter(
          ({ table_name, column_name }) =>
            /^(pause|lease)_|^(ready|result)$/.test(column_name) && theirs.includes(table_name),
        )
        .map(({ table_name, column_name }) => `ALTER TABLE ${table_name} DROP COLUMN ${column_name} CASCADE`),
    ].filter((part) => !/_(pkey|key)\b/.test(part));
    expect(parts.length).toBeGreaterThan(35);
    for (const part of parts) {
      await client.query(part);
      expect(await migrateAt(url), part).not.toEqual([]);
      expect(await schemaOf(client), part).toEqual(whole);
    }
    expect((await leftByOrchestrator(client, columns)).left).toEqual(left);
  });
});

describe("concurrent migration", () => {
  it.each<[string, () => Promise<Place>]>([
    ["an orchestrator's database", () => legacy("TIMESTAMP")],
    ["an empty one", empty],
  ])("migrates %s once when eight start together", { timeout: 60_000 }, async (_, make) => {
    const { url, client } = await make();
    const stores = await Promise.all(Array.from({ length: 8 }, () => open(url)));
    const applied = await Promise.all(stores.map((store) => migrate(store)));
    expect(applied.filter((names) => names.length > 0)).toEqual([EVERYTHING]);
    const made = await schemaOf(client);
    expect(await migrateAt(url)).toEqual([]);
    expect(await schemaOf(client)).toEqual(made);
  });
});

describe("interrupted migration", () => {
  /** Cuts the connection at the point-th statement of the first attempt. */
  const cutAt = (store: Store, point: number): { store: Store; statements: () => number } => {
    let reached = 0;
    const cutting = function* <T>(tx: Tx<T>): Tx<T> {
      let step = tx.next();
      while (!step.done) {
        if (++reached === point) yield* run(raw("SELECT pg_terminate_backend(pg_backend_pid())"));
        step = tx.next(yield step.value);
      }
      return step.value;
    };
    return {
      store: { ...store, write: (operation) => store.write(() => cutting(operation())) },
      statements: () => reached,
    };
  };

  it(
    "starts again after its connection was cut at any statement, with the same result",
    { timeout: 60_000 },
    async () => {
      const { url, client } = await legacy("TEXT");
      const whole = cutAt(await open(url), 0);
      await migrate(whole.store);
      const schema = await schemaOf(client);
      const last = whole.statements();
      expect(last).toBeGreaterThan(40);
      for (const point of [1, 2, Math.floor(last / 3), Math.floor(last / 2), last]) {
        const again = await legacy("TEXT");
        const { store } = cutAt(await open(again.url), point);
        expect(await migrate(store)).toEqual(EVERYTHING);
        expect(await schemaOf(again.client), `cut at ${point}`).toEqual(schema);
      }
    },
  );
});

describe("refused migration", () => {
  const folderWith = (change: (folder: string) => void) => (): string => {
    const folder = temporaryFolder();
    cpSync(MIGRATIONS, folder, { recursive: true });
    change(folder);
    return folder;
  };

  interface Case {
    /** Changes that other programs made before. */
    readonly sql?: string;
    readonly migrated: boolean;
    readonly folder?: () => string;
    readonly error: typeof MigrationError | typeof StoreFault;
    readonly says: readonly string[];
  }

  it.each<[string, Case]>([
    [
      "a database that a later program migrated",
      {
        migrated: true,
        sql: "INSERT INTO gate_migrations VALUES ('999_future', 'x', '2030-01-01T00:00:00.000Z')",
        error: MigrationError,
        says: ["newer", "999_future"],
      },
    ],
    [
      "a database with a migration that this program lacks",
      {
        migrated: true,
        folder: folderWith((folder) => {
          rmSync(join(folder, `${NAMES.at(-1) ?? ""}.sql`));
        }),
        error: MigrationError,
        says: ["newer", NAMES.at(-1) ?? ""],
      },
    ],
    [
      "a database whose migration was edited afterwards",
      {
        migrated: true,
        folder: folderWith((folder) => {
          appendFileSync(join(folder, "002_tasks.sql"), "-- one more word\n");
        }),
        error: MigrationError,
        says: ["002_tasks", "restore its file"],
      },
    ],
    [
      "another program's database with other tasks",
      {
        migrated: false,
        sql: "CREATE TABLE tasks (id INT, title TEXT); INSERT INTO tasks VALUES (1, 'mow')",
        error: MigrationError,
        says: ["table tasks", "repo", "work_item_id"],
      },
    ],
    [
      "a database in which a new migration fails half-way",
      {
        migrated: true,
        folder: folderWith((folder) => {
          writeFileSync(
            join(folder, "900_wrong.sql"),
            "ALTER TABLE tasks ADD COLUMN half TEXT;\n\nCREATE INDEX IF NOT EXISTS gate_wrong ON tasks(no_such_column);\n",
          );
        }),
        error: StoreFault,
        says: ["no_such_column"],
      },
    ],
  ])(
    "refuses %s in plain words and leaves it untouched",
    async (_, { sql, migrated, folder, error, says }) => {
      const { url, client } = await empty();
      if (migrated) await migrateAt(url);
      if (sql !== undefined) await client.query(sql);
      const before = await schemaOf(client);
      const failed = migrateAt(url, folder?.());
      await expect(failed).rejects.toBeInstanceOf(error);
      for (const words of says) await expect(failed).rejects.toThrow(words);
      expect(await schemaOf(client)).toEqual(before);
    },
  );
});
