/** The three roles of docs/postgres-roles.sql in the tests' server. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type pg from "pg";

export const ROLES = {
  owner: "gate_owner",
  service: "gate_service",
  orchestrator: "gate_orchestrator",
} as const;
const PASSWORD = "not-a-secret-either";

const SCRIPT = readFileSync(fileURLToPath(new URL("../../docs/postgres-roles.sql", import.meta.url)), "utf8");

/** Runs the script in the client's database, as psql does. Roles belong to the whole server: two at once would clash. */
export const makeRoles = async (client: pg.Client, schema = "public"): Promise<void> => {
  const variables: Readonly<Record<string, string>> = { ...ROLES, schema };
  await client.query(
    SCRIPT.replace(/^\\.*$/gm, "").replace(/:(['"])(\w+)\1/g, (_, quote: string, name: string) => {
      const value = variables[name];
      if (value === undefined) throw new Error(`The script asks for ${name}.`);
      return quote + value + quote;
    }),
  );
  for (const role of Object.values(ROLES)) await client.query(`ALTER ROLE ${role} PASSWORD '${PASSWORD}'`);
};

/** The same database for one of the roles. */
export const urlAs = (role: keyof typeof ROLES, url: string): string => {
  const theirs = new URL(url);
  theirs.username = ROLES[role];
  theirs.password = PASSWORD;
  return theirs.href;
};
