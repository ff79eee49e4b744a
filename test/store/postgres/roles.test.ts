import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type pg from "pg";
import { expect, it } from "vitest";
import { parseConfig, policyFor } from "../../../src/config/service.ts";
import { Gate } from "../../../src/gate/gate.ts";
import { installReadyIndex } from "../../../src/gate/rule/ready-index.ts";
import { serve } from "../../../src/serve.ts";
import { migrate } from "../../../src/store/migrate.ts";
import { openPostgres } from "../../../src/store/postgres/store.ts";
import { readExposures } from "../../../src/store/schema-rights.ts";
import { makeLegacy } from "../../support/legacy-postgres.ts";
import { asService, connectTo, testDatabase } from "../../support/postgres.ts";
import { makeRoles, ROLES, urlAs } from "../../support/roles.ts";
import { DEFAULTS } from "../../support/fixtures.ts";
import { EVERYWHERE } from "../../../src/contract/names/repo-pattern.ts";

const STRICT = policyFor(parseConfig({}).policy, "serial-gate");
const strict = () => STRICT;
const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

interface Place {
  readonly url: string;
  readonly admin: pg.Client;
}

/** A migrated database in whose schema every role may create objects. */
const exposed = async (): Promise<Place> => {
  const url = await testDatabase();
  const admin = await connectTo(url);
  await asService(url, strict);
  await admin.query("GRANT CREATE ON SCHEMA public TO PUBLIC");
  return { url, admin };
};

/** A login role without any right on a table, whose function `evil()` notes as which role it runs. */
const mallory = async ({ url, admin }: Place): Promise<pg.Client> => {
  const role = `mallory_${new URL(url).pathname.slice(1)}`;
  await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'm'; CREATE SCHEMA loot AUTHORIZATION ${role}`);
  const theirs = new URL(url);
  theirs.username = role;
  theirs.password = "m";
  const client = await connectTo(theirs.href);
  await client.query(`CREATE TABLE loot.taken (role TEXT, via TEXT);
    GRANT USAGE ON SCHEMA loot TO PUBLIC; GRANT INSERT ON loot.taken TO PUBLIC;
    CREATE FUNCTION loot.take(via TEXT) RETURNS void LANGUAGE sql AS 'INSERT INTO loot.taken VALUES (current_user, via)';
    CREATE FUNCTION loot.evil() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN PERFORM loot.take(TG_TABLE_NAME); RETURN NEW; END $$`);
  return client;
};

const taken = async ({ admin }: Place): Promise<unknown[]> =>
  (await admin.query<Record<string, unknown>>("SELECT DISTINCT role, via FROM loot.taken")).rows;

const FUNCTIONS = `SELECT p.proname AS name, p.prosecdef AS definer, p.proconfig AS config,
    pg_get_userbyid(p.proowner) AS owner, has_function_privilege('public', p.oid, 'EXECUTE') AS everyones
  FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace ORDER BY p.proname`;

interface FunctionRow {
  readonly name: string;
  readonly definer: boolean;
  readonly config: string[] | null;
  readonly owner: string;
  readonly everyones: boolean;
}

const expectSealed = async (client: pg.Client): Promise<void> => {
  const { rows } = await client.query<FunctionRow>(FUNCTIONS);
  expect(rows.length).toBeGreaterThan(40);
  expect(rows.filter(({ definer }) => definer).length).toBeGreaterThan(40);
  for (const { name, config, everyones, owner } of rows)
    expect({ name, config, everyones, owner }).toEqual({
      name,
      config: ["search_path=pg_catalog, pg_temp"],
      everyones: false,
      owner: ROLES.owner,
    });
  const foreign = await client.query(`SELECT t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE starts_with(t.tgname::text, 'gate_') AND c.relnamespace <> 'public'::regnamespace`);
  expect(foreign.rows).toEqual([]);
};

/** Writes that fire every trigger of the catalogue and of the ready index. */
const WRITES = [
  "INSERT INTO tasks(id, repo, work_item_id, stage) VALUES (1, 'web', 'W-1', 'analysis'), (2, 'web', 'W-2', 'analysis'), (3, 'api', 'A-1', 'analysis')",
  "INSERT INTO tasks(id, repo, stage) VALUES (4, 'web', 'analysis')",
  "INSERT INTO tasks(id, repo, stage, paused_at) VALUES (5, 'web', 'done', '2026-11-01 09:00:00')",
  "INSERT INTO jobs(id, agent, repo, task_id) VALUES (1, 'analyst', 'web', 1), (2, 'analyst', 'web', 2), (3, 'analyst', 'api', 3)",
  "INSERT INTO jobs(id, agent, repo, task_id, status) VALUES (4, 'developer', 'web', 1, 'running'), (5, 'developer', 'web', 1, 'running')",
  "INSERT INTO jobs(id, agent, repo, status, run_after) VALUES (6, 'tester', 'web', 'delayed', '2027-01-01 09:00:00')",
  "UPDATE jobs SET run_after = '2027-01-02 09:00:00' WHERE id = 6",
  "INSERT INTO tasks(id, repo, stage, paused_at, pause_until) VALUES (6, 'web', 'analysis', '2026-11-01', '2027-01-01 09:00:00')",
  "UPDATE tasks SET pause_until = '2027-01-02 09:00:00' WHERE id = 6",
  "UPDATE tasks SET paused_at = NULL WHERE id = 6",
  "UPDATE jobs SET status = 'running' WHERE id = 1",
  "UPDATE jobs SET repo = 'new' WHERE id = 3",
  "UPDATE jobs SET created_at = '2026-11-01 09:00:00' WHERE id = 3",
  "INSERT INTO job_deps(task_id, depends_on_task_id) VALUES (3, 1)",
  "UPDATE job_deps SET depends_on_task_id = 2",
  "UPDATE tasks SET paused_at = '2026-11-01 09:00:00' WHERE id = 1",
  "UPDATE jobs SET status = 'running' WHERE id = 2",
  "UPDATE tasks SET stage = 'done' WHERE id = 2",
  "UPDATE jobs SET status = 'failed' WHERE id = 2",
  "UPDATE tasks SET paused_at = NULL WHERE id = 1",
  "UPDATE tasks SET repo = 'shop' WHERE id = 3",
  "UPDATE jobs SET status = 'done' WHERE id = 1",
  "DELETE FROM job_deps",
  "INSERT INTO repo_freeze(repo) VALUES ('web'), ('api')",
  "UPDATE repo_freeze SET cleared_at = '2026-11-01 09:00:00' WHERE repo = 'web'",
  "UPDATE repo_freeze SET repo = 'moved' WHERE repo = 'web'",
  "DELETE FROM repo_freeze",
  "DELETE FROM jobs",
  "DELETE FROM tasks",
];

const MIGRATIONS = fileURLToPath(new URL("../../../migrations/postgres/", import.meta.url));

/** Every column that a migration adds to a table of the orchestrator, with its table. */
const ADDED_COLUMNS = readdirSync(MIGRATIONS)
  .flatMap((file) => [
    ...readFileSync(MIGRATIONS + file, "utf8").matchAll(/^ALTER TABLE (\w+) ADD COLUMN (\w+)/gm),
  ])
  .map(([, table = "", column = ""]): [string, string] => [table, column]);

/** Columns of ours that the orchestrator may write: by them it pauses a task and delays a job. */
const FOR_THE_ORCHESTRATOR = ["paused_at", "paused_by", "pause_reason", "pause_until", "run_after", "result"];

it("gives no function of ours away: each runs under PostgreSQL's own names, and only its owner may call it", async () => {
  const url = await testDatabase();
  await asService(url, strict);
  await expectSealed(await connectTo(url));
});

it("lets the orchestrator's role fire every trigger under any search path, and change no column of ours", async () => {
  const place = await exposed();
  const { url, admin } = place;
  await admin.query(`ALTER DATABASE ${new URL(url).pathname.slice(1)} SET track_functions = 'all'`);
  const orchestrator = await connectTo(urlAs("orchestrator", url), (end) => end);
  for (const text of WRITES) await orchestrator.query(text);
  expect(ADDED_COLUMNS.length).toBeGreaterThan(30);
  for (const [table, column] of ADDED_COLUMNS.filter(([, name]) => !FOR_THE_ORCHESTRATOR.includes(name)))
    await expect(orchestrator.query(`UPDATE ${table} SET ${column} = NULL`), column).rejects.toThrow(
      "permission denied",
    );
  for (const text of ["SELECT * FROM gate_settings", "DELETE FROM gate_events"])
    await expect(orchestrator.query(text)).rejects.toThrow("permission denied");
  await orchestrator.end(); // Its statistics are counted then.
  const { rows } = await admin.query<{ name: string }>(`SELECT p.proname AS name FROM pg_proc p
    WHERE p.pronamespace = 'public'::regnamespace AND p.proname NOT IN ('gate_switch_ready_index', 'gate_queue_lanes_inserted')
      AND NOT EXISTS (SELECT 1 FROM pg_stat_user_functions f WHERE f.funcid = p.oid) ORDER BY 1`);
  expect(rows.map(({ name }) => name)).toEqual([]);
});

it("lets nobody put a function of ours on a table of his own", async () => {
  const place = await exposed();
  const role = await mallory(place);
  const { rows } = await place.admin.query<FunctionRow>(FUNCTIONS);
  await role.query(
    "CREATE TEMP TABLE mine(id BIGINT, repo TEXT, work_item_id TEXT, stage TEXT, gate_writes INT)",
  );
  for (const { name } of rows.filter(({ definer }) => definer))
    await expect(
      role.query(
        `CREATE TRIGGER forge AFTER INSERT ON pg_temp.mine FOR EACH ROW EXECUTE FUNCTION public.${name}()`,
      ),
      name,
    ).rejects.toThrow(/permission denied for function (public\.)?gate_/);
});

it("records a write, and runs nothing else, in a session that has temporary tables of our names", async () => {
  const place = await exposed();
  await mallory(place);
  const orchestrator = await connectTo(urlAs("orchestrator", place.url));
  for (const table of [
    "gate_events",
    "gate_lanes",
    "gate_overtakes",
    "gate_settings",
    "jobs",
    "tasks",
    "repo_freeze",
    "job_deps",
  ])
    await orchestrator.query(`CREATE TEMP TABLE ${table} (id BIGINT, repo TEXT);
      GRANT ALL ON pg_temp.${table} TO PUBLIC;
      CREATE TRIGGER evil BEFORE INSERT OR UPDATE OR DELETE ON pg_temp.${table} FOR EACH ROW EXECUTE FUNCTION loot.evil()`);
  for (const text of WRITES)
    await orchestrator.query(
      text.replace(/\b(?<=INTO |FROM |^UPDATE )(tasks|jobs|job_deps|repo_freeze)/, "public.$1"),
    );
  expect(await taken(place)).toEqual([]);
  const events = await place.admin.query("SELECT 1 FROM gate_events");
  expect(events.rowCount).toBeGreaterThan(WRITES.length);
});

/** Overloads that match better than PostgreSQL's own what we call with a text or a varchar. */
const OVERLOADS = [
  ...[2, 4, 6].map(
    (count) =>
      `CREATE FUNCTION public.jsonb_build_object(${Array.from({ length: count }, () => "text").join(", ")}) RETURNS jsonb
        LANGUAGE sql AS 'SELECT loot.take(''jsonb_build_object''); SELECT ''{}''::jsonb'`,
  ),
  `CREATE FUNCTION public.jsonb_build_object(text, boolean, text, text) RETURNS jsonb
    LANGUAGE sql AS 'SELECT loot.take(''jsonb_build_object''); SELECT ''{}''::jsonb'`,
  `CREATE FUNCTION public.json_each(text) RETURNS TABLE(key text, value json)
    LANGUAGE sql AS 'SELECT loot.take(''json_each''); SELECT * FROM pg_catalog.json_each($1::json)'`,
  `CREATE FUNCTION public.jsonb_array_elements_text(text) RETURNS SETOF text
    LANGUAGE sql AS 'SELECT loot.take(''elements''); SELECT * FROM pg_catalog.jsonb_array_elements_text($1::jsonb)'`,
  `CREATE FUNCTION public.floor(double precision) RETURNS double precision
    LANGUAGE sql AS 'SELECT loot.take(''floor''); SELECT pg_catalog.floor($1)'`,
  ...["=", "<>"].flatMap((operator, index) =>
    ["text", "varchar"].flatMap((right) => [
      `CREATE FUNCTION public.compared${index}(varchar, ${right}) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
        $$ BEGIN PERFORM loot.take('${operator}'); RETURN $1::text OPERATOR(pg_catalog.${operator}) $2::text; END $$`,
      `CREATE OPERATOR public.${operator} (LEFTARG = varchar, RIGHTARG = ${right}, FUNCTION = public.compared${index})`,
    ]),
  ),
  `CREATE FUNCTION public.times(numeric, integer) RETURNS numeric LANGUAGE sql AS
    'SELECT loot.take(''*''); SELECT $1 OPERATOR(pg_catalog.*) $2::numeric'`,
  "CREATE OPERATOR public.* (LEFTARG = numeric, RIGHTARG = integer, FUNCTION = public.times)",
];

it("calls no function and no operator of another role's, in triggers or in the service, on an adopted database", async () => {
  const url = await testDatabase("empty");
  const admin = await connectTo(url);
  const place = { url, admin };
  await makeLegacy(admin, "TEXT");
  await makeRoles(admin);
  await admin.query("GRANT CREATE ON SCHEMA public TO PUBLIC");
  const role = await mallory(place);
  for (const text of OVERLOADS) await role.query(text);
  const owner = await openPostgres(urlAs("owner", url));
  await migrate(owner);
  await owner.write(() => installReadyIndex(STRICT, owner.dialect));
  await owner.close();
  await makeRoles(admin);
  await admin.query("GRANT CREATE ON SCHEMA public TO PUBLIC");

  const store = await openPostgres(urlAs("service", url));
  const gate = new Gate({ store, policy: STRICT, defaults: DEFAULTS, log: SILENT });
  await gate.adopt();
  await gate.createTask("ann", { repo: "acme/web", work_item_id: "W-1", stage: "analysis" });
  await gate.claim("ann", { max: 100, wait_ms: 0 });
  await gate.pause("ann", { repo: "acme/web", work_item: "W-1" }, {});
  await gate.freeze("ann", { repo: "acme/web" }, {});
  await gate.queue(undefined, EVERYWHERE);
  await gate.explain({ repo: "acme/web", work_item: "W-1" }, EVERYWHERE);
  await gate.audit();
  gate.drain();
  const orchestrator = await connectTo(urlAs("orchestrator", url));
  await orchestrator.query("SET search_path = pg_catalog, public");
  await orchestrator.query("INSERT INTO tasks(repo, work_item_id, stage) VALUES ('shop', 'S-1', 'analysis')");
  await orchestrator.query("INSERT INTO jobs(agent, repo) VALUES ('analyst', 'shop')");
  await store.close();
  expect(await taken(place)).toEqual([]);
});

it.each([
  [
    "of today, with functions that everyone may call",
    async ({ url, admin }: Place) => {
      await asService(url, strict);
      const { rows } = await admin.query<{
        name: string;
      }>(`SELECT p.oid::regprocedure::text AS name FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace`);
      for (const { name } of rows)
        await admin.query(
          `ALTER FUNCTION ${name} SET search_path = "$user", public; GRANT EXECUTE ON FUNCTION ${name} TO PUBLIC`,
        );
      await admin.query(
        "UPDATE gate_settings SET value = regexp_replace(value, ' [0-9a-f]+', ' 0', 'g') WHERE name <> 'origin'",
      );
    },
  ],
  [
    "restored from a dump without privileges",
    async ({ url, admin }: Place) => {
      await asService(url, strict);
      await admin.query("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO PUBLIC");
    },
  ],
  [
    "from before the release",
    async ({ admin }: Place) => {
      await admin.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
      const fixture = new URL("../../fixtures/before-release-postgres.sql", import.meta.url);
      await admin.query(readFileSync(fileURLToPath(fixture), "utf8"));
      await admin.query("SET search_path = public");
      await makeRoles(admin);
    },
  ],
])("seals the functions of a database %s, and takes them off others' tables", async (_, prepare) => {
  const url = await testDatabase();
  const admin = await connectTo(url);
  await prepare({ url, admin });
  await admin.query("CREATE TABLE forged (LIKE tasks)");
  const { rows } = await admin.query<{ name: string }>(`SELECT p.proname AS name FROM pg_proc p
    WHERE p.pronamespace = 'public'::regnamespace AND p.prorettype = 'trigger'::regtype AND p.proname LIKE '%inserted'`);
  for (const { name } of rows)
    await admin.query(
      `CREATE TRIGGER forge_${name} AFTER INSERT ON forged FOR EACH ROW EXECUTE FUNCTION ${name}()`,
    );
  const owner = await openPostgres(urlAs("owner", url));
  await migrate(owner);
  await owner.write(() => installReadyIndex(STRICT, owner.dialect));
  await owner.close();
  await expectSealed(admin);
  const forged = await admin.query("SELECT 1 FROM pg_trigger WHERE tgrelid = 'forged'::regclass");
  expect(forged.rowCount).toBe(0);
});

it("serves as a role without rights on the schema, and refuses to start where it would have to change it", async () => {
  const url = await testDatabase();
  const env = { PORT: "0", DATABASE_URL: urlAs("service", url), LOG_LEVEL: "warn" };
  const logs: string[] = [];
  const start = (more = {}) => serve(parseConfig({ ...env, ...more }), { write: (line) => logs.push(line) });
  const advice =
    "the role gate_service may not change its schema. Run `serial-gate migrate` as the owner of the schema, with the settings of the service.";
  await expect(start()).rejects.toThrow(`The database lacks the ready index of this policy, and ${advice}`);
  await asService(url, strict);
  const service = await start();
  await service.close();
  expect(logs).toEqual([]);
  await expect(start({ SERIAL_GATE_PAUSE_ENABLED: "false" })).rejects.toThrow(advice);

  const empty = await testDatabase("empty");
  await makeRoles(await connectTo(empty));
  await expect(start({ DATABASE_URL: urlAs("service", empty) })).rejects.toThrow(
    /^The database lacks 001_.*triggers, and the role gate_service may not/,
  );
});

it("says which other roles could act as the service, and nothing once the roles are made", async () => {
  const { url, admin } = await exposed();
  const role = await mallory({ url, admin });
  await admin.query(`GRANT TRIGGER ON jobs TO PUBLIC; ALTER TABLE tasks OWNER TO ${String(role.user)};
    CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
    CREATE TRIGGER audit AFTER INSERT ON repo_freeze FOR EACH ROW EXECUTE FUNCTION audit()`);
  const store = await openPostgres(urlAs("service", url));
  expect(await readExposures(store)).toEqual([
    "Every role may create objects in the schema public: revoke it.",
    `The table tasks belongs to ${String(role.user)}, whose triggers would run as the service: give it to gate_owner.`,
    "Every role may make triggers on the table jobs, which would run as the service: revoke it.",
    "The trigger audit on repo_freeze runs the function public.audit, which has no search_path of its own: it must name its tables by schema.",
  ]);
  await makeRoles(admin);
  await admin.query("ALTER FUNCTION audit() SET search_path = public");
  expect(await readExposures(store)).toEqual([]);
  await store.close();
});
