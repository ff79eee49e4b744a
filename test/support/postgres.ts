/** Databases of the run's own PostgreSQL server. */

import { randomUUID } from "node:crypto";
import pg from "pg";
import { inject, onTestFinished } from "vitest";
import { PostgresUnavailable } from "../../scripts/postgres/server.mjs";
import { openPostgres } from "../../src/store/postgres/store.ts";
import type { Clock, Store } from "../../src/store/port.ts";
import { installReadyIndex } from "../../src/gate/rule/ready-index.ts";
import type { Policy } from "../../src/gate/rule/policy.ts";
import { readOrigin } from "../../src/store/migrate.ts";
import type { Origin } from "../../src/store/settings.ts";
import type { AtEnd } from "./folder.ts";
import { TEMPLATE } from "./one-postgres.ts";
import { ROLES, urlAs } from "./roles.ts";

/** A connection of another program's. */
export const connectTo = async (url: string, atEnd: AtEnd = onTestFinished): Promise<pg.Client> => {
  const client = new pg.Client(url);
  client.on("error", () => undefined);
  await client.connect();
  atEnd(() => client.end());
  return client;
};

const serverUrl = async (): Promise<string> => {
  const response = await fetch(inject("postgres"));
  const text = await response.text();
  if (!response.ok) throw new PostgresUnavailable(text);
  return text;
};

const administer = async (server: string, command: string): Promise<void> => {
  const admin = new pg.Client(`${server}postgres`);
  await admin.connect();
  await admin.query(command);
  await admin.end();
};

interface Made {
  readonly url: string;
  readonly drop: () => Promise<void>;
}

const make = async (template: string): Promise<Made> => {
  const server = await serverUrl();
  const name = `test_${randomUUID().replaceAll("-", "")}`;
  await administer(server, `CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY FILE_COPY`);
  return {
    url: server + name,
    drop: () => administer(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
};

/** The URL of a database of one test's own: migrated, or with nothing in it. */
export const testDatabase = async (
  content: "migrated" | "empty" = "migrated",
  atEnd: AtEnd = onTestFinished,
): Promise<string> => {
  const { url, drop } = await make(content === "migrated" ? TEMPLATE : "template1");
  atEnd(drop);
  return url;
};

/** The URL of a migrated database for its service, once the owner has installed the ready index of a policy. A database that
 *  is not divided among the roles is left as it is. */
export const asService = async (url: string, policyOf: (origin: Origin) => Policy): Promise<string> => {
  const admin = new pg.Client(url);
  await admin.connect();
  const owned = await admin.query(
    "SELECT 1 FROM pg_tables WHERE tablename = 'gate_settings' AND tableowner = $1",
    [ROLES.owner],
  );
  await admin.end();
  if (owned.rowCount === 0) return url;
  const owner = await openPostgres(urlAs("owner", url), { poolSize: 1 });
  const policy = policyOf(await owner.read(readOrigin));
  await owner.write(() => installReadyIndex(policy, owner.dialect));
  await owner.close();
  return urlAs("service", url);
};

/** A store of the service's role, and one of the role that may change the schema. */
export interface DividedStore extends Store {
  readonly owner: Store;
}

/** A fresh, migrated database under that clock, for its service; it is dropped when the store is closed. */
export const openTestPostgres = async (clock: Clock): Promise<DividedStore> => {
  const { url, drop } = await make(TEMPLATE);
  const store = await openPostgres(urlAs("service", url), { clock });
  const owner = await openPostgres(urlAs("owner", url), { clock, poolSize: 1 });
  return {
    ...store,
    owner,
    close: async () => {
      await Promise.all([store.close(), owner.close()]);
      await drop();
    },
  };
};
