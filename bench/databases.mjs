/** The databases that are measured: a SQLite file, and a PostgreSQL server that npm brings along.
 *  Each can be filled past the program, as another program would, with the triggers and indexes away: `migrate` puts
 *  them back, and the ready index is checked when a gate adopts them. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import pg from "pg";
import { migrate } from "../dist/store/migrate.js";
import { openStore } from "../dist/store/open.js";
import { DROPPABLE_IN_SQLITE, seriesInSqlite } from "./lanes.mjs";
import { startServer } from "../scripts/postgres/server.mjs";

const SQLITE = {
  kind: "SQLite",
  bytes: `SELECT (page_count - freelist_count) * page_size
    FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()`,
  series: seriesInSqlite,
};

const openFiles = async (folder) => ({
  ...SQLITE,
  version: new Database(":memory:").prepare("SELECT 'SQLite ' || sqlite_version()").pluck().get(),
  url: (name) => `file:${join(folder, `${name}.db`)}`,
  create: async () => undefined,
  connect: async (url) => {
    const db = new Database(url.slice("file:".length));
    return {
      run: async (text) => void db.exec(text),
      column: async (text) => db.prepare(text).pluck().all(),
      droppable: DROPPABLE_IN_SQLITE,
      // A file that grew stays as it is: nothing of SQLite's own is run after a bulk.
      settle: async () => undefined,
      compact: async () => undefined,
      close: async () => void db.close(),
    };
  },
  close: async () => undefined,
});

/** Durable as it comes: fsync and synchronous_commit are on. The rest is what a server with little memory gets. */
const SETTINGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  shared_buffers: "512MB",
  maintenance_work_mem: "256MB",
  max_wal_size: "4GB",
  max_connections: "100",
};

const openServer = async () => {
  const server = await startServer({ settings: SETTINGS });
  const connect = async (database) => {
    const client = new pg.Client(database);
    await client.connect();
    return {
      run: (text) => client.query(text),
      column: async (text) => (await client.query({ text, rowMode: "array" })).rows.map(([value]) => value),
      droppable: `SELECT 'DROP INDEX ' || indexname FROM pg_indexes
          WHERE tablename IN ('tasks', 'jobs') AND indexname NOT LIKE '%pkey'
        UNION ALL SELECT 'DROP TRIGGER ' || t.tgname || ' ON ' || c.relname FROM pg_trigger t
          JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relname IN ('tasks', 'jobs') AND NOT t.tgisinternal`,
      // Vacuums and checkpoints now, as autovacuum and the server would in the middle of a round.
      settle: async () => {
        await client.query("VACUUM ANALYZE");
        await client.query("CHECKPOINT");
      },
      // Without the rows that updates left behind, which VACUUM reuses.
      compact: () => client.query("VACUUM FULL"),
      close: () => client.end(),
    };
  };
  const admin = await connect(server.url("postgres"));
  return {
    kind: "PostgreSQL",
    bytes: "SELECT pg_database_size(current_database())",
    series: (count) => `(SELECT i FROM generate_series(0, ${count - 1}) AS series(i))`,
    version: (await admin.column("SELECT 'PostgreSQL ' || current_setting('server_version')"))[0],
    url: server.url,
    // On a connection of its own: several are made at once.
    create: async (name) => {
      const { run, close } = await connect(server.url("postgres"));
      await run(`CREATE DATABASE ${name}`);
      await close();
    },
    connect,
    close: async () => {
      await admin.close();
      await server.remove();
    },
  };
};

const KINDS = { sqlite: openFiles, postgres: openServer };

/** Opens what makes databases of a kind. */
export const openKind = (kind, folder) => {
  const own = join(folder, kind);
  mkdirSync(own);
  return KINDS[kind](own);
};

/** Makes a database and has it filled.
 *  @param fill is handed a connection to a migrated database without triggers and indexes
 *  @returns its URL */
export const makeDatabase = async (databases, name, fill) => {
  await databases.create(name);
  const url = databases.url(name);
  const store = await openStore(url);
  await migrate(store);
  const connection = await databases.connect(url);
  for (const drop of await connection.column(connection.droppable)) await connection.run(drop);
  await fill(connection);
  await migrate(store);
  await connection.settle();
  await connection.close();
  await store.close();
  return url;
};
