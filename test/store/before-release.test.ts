import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { migrate } from "../../src/store/migrate.ts";
import { openStore } from "../../src/store/open.ts";
import { temporaryFolder } from "../support/folder.ts";
import { schemaOf as schemaOfFile, using } from "../support/legacy.ts";
import { schemaOf as schemaOfPostgres } from "../support/legacy-postgres.ts";
import { connectTo, testDatabase } from "../support/postgres.ts";

const fixture = (dialect: string): string =>
  readFileSync(fileURLToPath(new URL(`../fixtures/before-release-${dialect}.sql`, import.meta.url)), "utf8");

interface Place {
  readonly url: string;
  readonly execute: (text: string) => Promise<void>;
  readonly rows: (text: string) => Promise<unknown[]>;
  readonly schema: () => Promise<unknown>;
}

const file = (): Promise<Place> => {
  const path = join(temporaryFolder(), "gate.db");
  return Promise.resolve({
    url: `file:${path}`,
    execute: (text) => {
      using(path, (db) => db.exec(text));
      return Promise.resolve();
    },
    rows: (text) => Promise.resolve(using(path, (db) => db.prepare(text).all())),
    schema: () => Promise.resolve(schemaOfFile(path)),
  });
};

const postgres = async (): Promise<Place> => {
  const url = await testDatabase("empty");
  const client = await connectTo(url);
  return {
    url,
    execute: async (text) => {
      await client.query(text);
    },
    rows: async (text) => (await client.query<Record<string, unknown>>(text)).rows,
    schema: () => schemaOfPostgres(client),
  };
};

const migrateAt = async ({ url }: Place): Promise<string[]> => {
  const store = await openStore(url);
  try {
    return await migrate(store);
  } finally {
    await store.close();
  }
};

const ROWS = [
  "SELECT * FROM tasks ORDER BY id",
  "SELECT * FROM jobs ORDER BY id",
  "SELECT * FROM job_deps ORDER BY id",
  "SELECT * FROM repo_freeze ORDER BY id",
  "SELECT * FROM gate_events ORDER BY id",
  "SELECT * FROM gate_lanes ORDER BY repo",
];

describe.each([
  ["sqlite", file],
  ["postgres", postgres],
])("migration of a database from before the release, on %s", (dialect, make) => {
  const beforeRelease = async (): Promise<Place> => {
    const place = await make();
    await place.execute(fixture(dialect));
    return place;
  };
  const rowsOf = async (place: Place): Promise<unknown[][]> => {
    const found = [];
    for (const text of ROWS) found.push(await place.rows(text));
    return found;
  };

  it("makes the schema of a new database, keeps every row and finds nothing to do a second time", async () => {
    const [place, fresh] = [await beforeRelease(), await make()];
    const before = await rowsOf(place);
    const applied = await migrateAt(place);
    expect(applied).toEqual(await migrateAt(fresh));
    expect(await place.schema()).toEqual(await fresh.schema());
    // A column that came later is no change of a row.
    expect(await rowsOf(place)).toMatchObject(before);
    // Only a database that starts here records its origin.
    const names =
      "SELECT name FROM gate_migrations UNION ALL SELECT name FROM gate_settings WHERE name <> 'origin' ORDER BY name";
    expect(await place.rows(names)).toEqual(await fresh.rows(names));
    expect(await migrateAt(place)).toEqual([]);
  });

  it("counts and records each later change once", async () => {
    const place = await beforeRelease();
    await migrateAt(place);
    const readLane = async (): Promise<unknown> =>
      (
        await place.rows(`SELECT CAST(revision AS INTEGER) AS revision, CAST(queued AS INTEGER) AS queued,
          CAST(running AS INTEGER) AS running FROM gate_lanes WHERE repo = 'acme/web'`)
      )[0];
    const before = (await readLane()) as { revision: number };
    expect(before).toMatchObject({ queued: 1, running: 1 });
    await place.execute("UPDATE jobs SET status = 'done' WHERE id = 2");
    expect(await readLane()).toEqual({ revision: before.revision + 1, queued: 1, running: 0 });
    const completed = "SELECT job_id FROM gate_events WHERE kind = 'job.completed'";
    expect(await place.rows(completed)).toHaveLength(1);
  });
});
