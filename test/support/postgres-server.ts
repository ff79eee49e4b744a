/** A PostgreSQL server for tests that stop it, kill it or make it a replica. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { startServer } from "../../scripts/postgres/server.mjs";

const SETTINGS = {
  // Tests kill processes, never the machine, so the system's cache survives.
  fsync: "off",
  full_page_writes: "off",
  shared_buffers: "32MB",
  max_connections: "200",
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
};

export interface PostgresServer {
  readonly url: (database: string) => string;
  /** Stops it as an operator would: every client is cut off. */
  stop(): Promise<void>;
  /** Kills all its processes at once: unsaved changes are gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port with the same data. */
  start(): Promise<void>;
  /** Starts it as the replica of a primary that is gone: it can be read.
   *  @returns a function that promotes it */
  startAsReplica(): Promise<() => Promise<void>>;
  /** Stops it and removes its files. */
  remove(): Promise<void>;
}

export const startPostgres = async (): Promise<PostgresServer> => {
  const server = await startServer({ settings: SETTINGS, initdbFlags: ["--no-sync"] });
  const ask = async (question: string): Promise<unknown[]> => {
    const client = new pg.Client(server.url("postgres"));
    client.on("error", () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<Record<string, unknown>>(question);
      return rows.flatMap((row) => Object.values(row));
    } finally {
      await client.end();
    }
  };
  return {
    ...server,
    kill: async () => {
      const [first] = readFileSync(join(server.data, "postmaster.pid"), "utf8").split("\n");
      for (const pid of [first, ...(await ask("SELECT pid FROM pg_stat_activity"))].map(Number))
        try {
          process.kill(pid, "SIGKILL");
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // It has ended since.
        }
    },
    startAsReplica: async () => {
      writeFileSync(join(server.data, "standby.signal"), "");
      await server.start();
      return async () => {
        await ask("SELECT pg_promote()");
      };
    },
  };
};
