/** PostgreSQL as the harness sees it: a server of the run's own, a database a life, and connections that are not the service's. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { startServer } from "../../scripts/postgres/server.mjs";
import { readRows } from "../judge/rows.mjs";

const SETTINGS = {
  // Processes are killed, never the machine, so the system's cache survives.
  fsync: "off",
  shared_buffers: "32MB",
  max_connections: "100",
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
};

export const openServer = () => startServer({ settings: SETTINGS, initdbFlags: ["--no-sync"] });

/** One question on a connection of its own. */
export const askOnce = async (url, text) => {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
};

/** Asks until the server answers: it may be starting. */
const insist = async (url, text) => {
  for (let left = 200; ; left -= 1)
    try {
      return await askOnce(url, text);
    } catch (error) {
      if (left === 0) throw error;
      await sleep(100);
    }
};

const OTHERS =
  "SELECT COUNT(*)::int AS many FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()";

/** @param cluster `server`: the one that is the primary now; `url`: the address that a service is given */
export const postgresDatabase = async (cluster, name) => {
  const directly = (database) => cluster.server.url(database);
  await insist(directly("postgres"), `CREATE DATABASE ${name}`);
  const read = async () => {
    const client = new pg.Client(directly(name));
    client.on("error", () => undefined);
    await client.connect();
    try {
      await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
      const rows = await readRows(
        async (text) => (await client.query(text)).rows,
        "pg_catalog.pg_tables",
        "tablename",
      );
      return rows && { ...rows, faults: [] };
    } finally {
      await client.end();
    }
  };
  return {
    kind: "postgres",
    url: cluster.url(name),
    /** The rows once the server has ended what the dead service had begun. */
    afterCrash: async () => {
      for (let left = 300; (await insist(directly(name), OTHERS))[0].many > 0 && left > 0; left -= 1)
        await sleep(20);
      return read();
    },
    alive: read,
    /** Cuts some of the service's connections. */
    cut: (many) =>
      askOnce(
        directly(name),
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY random() LIMIT ${many}`,
      ),
    remove: () => insist(directly("postgres"), `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
};

/** Kills all processes of a server at once, as the end of its machine would. */
export const killServer = async (server) => {
  const [first] = readFileSync(join(server.data, "postmaster.pid"), "utf8").split("\n");
  const backends = await askOnce(server.url("postgres"), "SELECT pid FROM pg_stat_activity").catch(() => []);
  for (const pid of [first, ...backends.map((row) => row.pid)].map(Number))
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended since.
    }
};
