/** One PostgreSQL server for the whole run: started when the first test asks for it, stopped when the run ends. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import pg from "pg";
import type { TestProject } from "vitest/node";
import { migrate } from "../../src/store/migrate.ts";
import { openPostgres } from "../../src/store/postgres/store.ts";
import { makeRoles, urlAs } from "./roles.ts";
import { startPostgres, type PostgresServer } from "./postgres-server.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Answers with the server's URL. */
    postgres: string;
  }
}

/** A database with the three roles, migrated by its owner, copied for each test that wants one. */
export const TEMPLATE = "migrated";

const prepare = async (server: PostgresServer): Promise<void> => {
  const admin = new pg.Client(server.url("postgres"));
  await admin.connect();
  await admin.query(`CREATE DATABASE ${TEMPLATE}`);
  await admin.end();
  const client = new pg.Client(server.url(TEMPLATE));
  await client.connect();
  await makeRoles(client);
  const store = await openPostgres(urlAs("owner", server.url(TEMPLATE)));
  await migrate(store);
  await store.close();
  await makeRoles(client); // The orchestrator's rights are on tables.
  await client.end();
};

export default async ({ provide }: TestProject): Promise<() => Promise<void>> => {
  let starting: Promise<PostgresServer> | undefined;
  const start = async (): Promise<PostgresServer> => {
    const server = await startPostgres();
    await prepare(server);
    return server;
  };
  const door = createServer((_request, response) => {
    starting ??= start();
    starting.then(
      (server) => response.end(server.url("")),
      (error: unknown) => response.writeHead(500).end(error instanceof Error ? error.stack : String(error)),
    );
  });
  await new Promise<void>((open) => door.listen(0, "127.0.0.1", open));
  provide("postgres", `http://127.0.0.1:${(door.address() as AddressInfo).port}/`);
  return async () => {
    door.close();
    door.closeAllConnections();
    await (await starting?.catch(() => undefined))?.remove();
  };
};
