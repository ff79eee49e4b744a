import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { parseConfig, policyFor } from "../../src/config/service.ts";
import { dropReadyIndex, installReadyIndex, readyTriggers } from "../../src/gate/rule/ready-index.ts";
import { all, run, type Clock, type Store, type Trigger, type Tx } from "../../src/store/port.ts";
import { migrate } from "../../src/store/migrate.ts";
import { dialectIn } from "../../src/store/postgres/dialect.ts";
import { raw } from "../../src/store/sql.ts";
import { DIALECT as SQLITE } from "../../src/store/sqlite/dialect.ts";
import { CATALOGUE } from "../../src/store/triggers/catalogue.ts";
import { triggersDocument } from "../../src/store/triggers/document.ts";
import { openTestSqlite } from "../support/databases.ts";
import { openTestPostgres } from "../support/postgres.ts";

const POSTGRES = dialectIn("public");
const DEFAULT = policyFor(parseConfig({}).policy, "serial-gate");

/** A fresh database, for the role that may change its schema. */
const openOwned = async (clock: Clock): Promise<Store> => {
  const store = await openTestPostgres(clock);
  return { ...store.owner, close: () => store.close() };
};

const TRIGGERS_IN = {
  sqlite: "SELECT name FROM sqlite_master WHERE type = 'trigger'",
  postgres: "SELECT tgname AS name FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'",
};

const triggersIn = async (store: Store): Promise<string[]> =>
  (await store.read(() => all<{ name: string }>(raw(TRIGGERS_IN[store.dialect.name]))))
    .map(({ name }) => name)
    .sort();

const namesOf = (triggers: readonly { readonly name: string }[]): string[] =>
  triggers.map(({ name }) => name);

const migrationText = (dialect: string, file: string): string =>
  readFileSync(fileURLToPath(new URL(`../../migrations/${dialect}/${file}`, import.meta.url)), "utf8");

/** The triggers that a database needs beside the catalogue's. */
const OF_ITS_OWN = {
  sqlite: [],
  postgres: ["gate_switch_ready_index", "gate_tasks_note_drawn"],
};

/** The triggers that numbered migrations make. */
const inNumberedMigrations = (dialect: string): string[] =>
  readdirSync(fileURLToPath(new URL(`../../migrations/${dialect}`, import.meta.url)))
    .filter((file) => /^\d/.test(file))
    .flatMap((file) =>
      [...migrationText(dialect, file).matchAll(/^CREATE TRIGGER (\w+) BEFORE /gm)].map(
        ([, name = ""]) => name,
      ),
    );

describe.each([SQLITE, POSTGRES])("migrations/$name/triggers.sql", (dialect) => {
  it("is what the program installs (npm run triggers writes it)", () => {
    expect(migrationText(dialect.name, "triggers.sql")).toBe(
      triggersDocument(dialect, readyTriggers(DEFAULT)),
    );
  });
});

describe("the catalogue", () => {
  it("names each trigger once, the lane's before all others of its table in the order of PostgreSQL", () => {
    const triggers = [...CATALOGUE, ...readyTriggers(DEFAULT)];
    expect(new Set(namesOf(triggers)).size).toBe(triggers.length);
    for (const table of new Set(triggers.map((trigger) => trigger.table))) {
      const names = namesOf(triggers.filter((trigger) => trigger.table === table)).sort();
      const lane = names.filter((name) => name.startsWith("gate_lane_"));
      expect(names.slice(0, lane.length), table).toEqual(lane);
    }
  });

  it("is all that fires, but for a database's own routines, which stand in for a numbered migration's", () => {
    expect(inNumberedMigrations("sqlite")).toEqual([]);
    expect(inNumberedMigrations("postgres")).toEqual(["gate_tasks_note_drawn"]);
    for (const { name, routines } of [SQLITE, POSTGRES]) {
      const triggers = routines.map((routine) => routine.name).filter((routine) => !routine.endsWith("()"));
      expect(triggers.sort()).toEqual(OF_ITS_OWN[name]);
    }
  });

  it("asks no subquery in a condition: PostgreSQL takes none there", () => {
    for (const { name, when } of [...CATALOGUE, ...readyTriggers(DEFAULT)])
      expect(when?.sql ?? "", name).not.toMatch(/\bSELECT\b/i);
  });

  it("has short enough names for PostgreSQL, which would cut them", () => {
    for (const name of namesOf([...CATALOGUE, ...readyTriggers(DEFAULT)]))
      expect(name.length).toBeLessThan(64);
  });
});

describe.each([
  ["sqlite", openTestSqlite],
  ["postgres", openOwned],
] as const)("the triggers of a database on %s", (dialect, open) => {
  const start = async (): Promise<Store> => {
    const store = await open(Date.now);
    onTestFinished(() => store.close());
    return store;
  };
  const execute = (store: Store, text: string): Promise<void> => store.write(() => run(raw(text)));

  const withoutReadyIndex = [...namesOf(CATALOGUE), ...OF_ITS_OWN[dialect]].sort();
  const withReadyIndex = [...withoutReadyIndex, ...namesOf(readyTriggers(DEFAULT))].sort();

  it("are those of the catalogue once it is migrated, and no other", async () => {
    expect(await triggersIn(await start())).toEqual(withoutReadyIndex);
  });

  it("are those of the catalogue and of the policy's ready index once a gate runs, and no other", async () => {
    const store = await start();
    expect(await store.write(() => installReadyIndex(DEFAULT, store.dialect))).toBe(true);
    expect(await triggersIn(store)).toEqual(withReadyIndex);
    expect(await store.write(() => installReadyIndex(DEFAULT, store.dialect))).toBe(false);
    await store.write(() => dropReadyIndex(store.dialect));
    expect(await triggersIn(store)).toEqual(withoutReadyIndex);
  });

  it.each([
    ["", ""],
    [", also where their record is lost", "DELETE FROM gate_settings WHERE name = 'ready_index'"],
  ])("of another policy are dropped when the ready index is installed%s", async (_, meanwhile) => {
    const store = await start();
    const policy = { ...DEFAULT, dependencies: false };
    const names = [...withoutReadyIndex, ...namesOf(readyTriggers(policy))].sort();
    expect(names.length).toBeLessThan(withReadyIndex.length);
    await store.write(() => installReadyIndex(DEFAULT, store.dialect));
    if (meanwhile !== "") await execute(store, meanwhile);
    await store.write(() => installReadyIndex(policy, store.dialect));
    expect(await triggersIn(store)).toEqual(names);
    await store.write(() => installReadyIndex(DEFAULT, store.dialect));
    expect(await triggersIn(store)).toEqual(withReadyIndex);
  });

  it("are made again one by one: the stale one is replaced, one that the catalogue lost is dropped", async () => {
    const store = await start();
    const gone: Trigger = {
      name: "gate_lane_gone",
      table: "jobs",
      after: "DELETE",
      body: [raw("UPDATE jobs SET error = 'gone' WHERE id = OLD.id")],
    };
    for (const statement of store.dialect.makeTrigger(gone)) await store.write(() => run(statement));
    await execute(
      store,
      `UPDATE gate_settings SET value = 'gate_lane_gone 0123456789abcdef' || '\n'
        || replace(value, 'gate_overtakes_tasks_finished ', 'gate_overtakes_tasks_finished 0') WHERE name = 'triggers'`,
    );
    const made: string[] = [];
    const watching = function* <T>(tx: Tx<T>): Tx<T> {
      let step = tx.next();
      while (!step.done) {
        if (step.value.kind === "query") {
          const name = /^CREATE TRIGGER (\w+)/.exec(step.value.statement.sql)?.[1];
          if (name !== undefined) made.push(name);
        }
        step = tx.next(yield step.value);
      }
      return step.value;
    };
    const applied = await migrate({
      ...store,
      write: (operation) => store.write(() => watching(operation())),
    });
    expect(applied).toEqual(["triggers"]);
    expect(made).toEqual(["gate_overtakes_tasks_finished"]);
    expect(await triggersIn(store)).toEqual(withoutReadyIndex);
    expect(await migrate(store)).toEqual([]);
  });

  it("leave another program's trigger alone, whatever its name", async () => {
    const store = await start();
    const texts = {
      sqlite: ["CREATE TRIGGER ready_jobs AFTER INSERT ON jobs BEGIN SELECT 1; END"],
      postgres: [
        "SET LOCAL search_path = public; CREATE FUNCTION ready_jobs() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
        "CREATE TRIGGER ready_jobs AFTER INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION ready_jobs()",
      ],
    };
    for (const text of texts[dialect]) await execute(store, text);
    await store.write(() => installReadyIndex(DEFAULT, store.dialect));
    await store.write(() => dropReadyIndex(store.dialect));
    expect(await triggersIn(store)).toContain("ready_jobs");
  });

  interface LaneRow {
    readonly repo: string;
    readonly revision: number;
  }

  it("move the revision of a lane once for each change of a row, and not for a column that no queue shows", async () => {
    const store = await start();
    const revisions = async (): Promise<Record<string, number>> =>
      Object.fromEntries(
        (await store.read(() => all<LaneRow>(raw("SELECT repo, revision FROM gate_lanes")))).map(
          ({ repo, revision }) => [repo, revision] as const,
        ),
      );
    const steps: readonly (readonly [text: string, moved: Record<string, number>])[] = [
      ["INSERT INTO tasks(id, repo, stage) VALUES (1, 'web', 'analysis')", { web: 1 }],
      ["INSERT INTO tasks(id, repo, stage) VALUES (2, 'api', 'analysis')", { api: 1 }],
      ["UPDATE tasks SET stage = 'development' WHERE id = 1", { web: 1 }],
      ["INSERT INTO jobs(id, agent, repo, task_id) VALUES (1, 'analyst', 'web', 1)", { web: 1 }],
      ["INSERT INTO jobs(id, agent) VALUES (2, 'deployer')", { "": 1 }],
      ["UPDATE jobs SET status = 'running' WHERE id = 1", { web: 1 }],
      ["UPDATE jobs SET error = 'late' WHERE id = 1", { web: 1 }],
      ["UPDATE jobs SET lease_expires_at = '2026-11-01 09:00:00' WHERE id = 1", {}],
      ["UPDATE jobs SET repo = 'api' WHERE id = 1", { web: 1, api: 1 }],
      ["UPDATE jobs SET repo = '' WHERE id = 2", { "": 1 }],
      ["UPDATE jobs SET repo = 'new' WHERE id = 2", { "": 1, new: 1 }],
      ["DELETE FROM jobs WHERE id = 2", { new: 1 }],
      ["UPDATE tasks SET repo = 'shop' WHERE id = 1", { web: 1, shop: 1 }],
      ["INSERT INTO job_deps(task_id, depends_on_task_id) VALUES (1, 2)", { shop: 1 }],
      ["UPDATE job_deps SET task_id = 2, depends_on_task_id = 1", { shop: 1, api: 1 }],
      ["UPDATE job_deps SET task_id = 2", {}],
      ["DELETE FROM job_deps", { api: 1 }],
      ["INSERT INTO repo_freeze(repo) VALUES ('web')", { web: 1 }],
      ["UPDATE repo_freeze SET cleared_at = '2026-11-01 09:00:00'", { web: 1 }],
      ["UPDATE repo_freeze SET repo = 'api'", { web: 1, api: 1 }],
      ["DELETE FROM repo_freeze", { api: 1 }],
      ["DELETE FROM tasks WHERE id = 2", { api: 1 }],
    ];
    for (const [text, moved] of steps) {
      const before = await revisions();
      await execute(store, text);
      const after = await revisions();
      const found = Object.entries(after)
        .map(([repo, revision]) => [repo, revision - (before[repo] ?? 0)] as const)
        .filter(([, by]) => by !== 0);
      expect(Object.fromEntries(found), text).toEqual(moved);
    }
    const jobs = raw("SELECT repo FROM gate_lanes WHERE queued + delayed + done + failed + cancelled <> 0");
    expect(await store.read(() => all(jobs))).toEqual([]);
    expect(
      await store.read(() => all(raw("SELECT repo, running FROM gate_lanes WHERE running <> 0"))),
    ).toEqual([{ repo: "api", running: 1 }]);
  });
});
