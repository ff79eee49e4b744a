// npm run openapi: writes openapi.yaml from the routes, and the client's types from openapi.yaml. Tests hold both fresh.

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import openapiTS, { astToString } from "openapi-typescript";
import { setUp } from "./setup.mjs";

const file = (relative) => fileURLToPath(new URL(`../${relative}`, import.meta.url));

/** The types of openapi.yaml, as text. A member with a default may be left out of a body. */
export const clientTypes = async () => {
  const types = await openapiTS(readFileSync(file("openapi.yaml"), "utf8"), {
    defaultNonNullable: false,
    silent: true,
  });
  return `/** Generated from openapi.yaml by \`npm run openapi\`. Do not edit. */\n\n${astToString(types)}`;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await setUp();
  const described = spawnSync(process.execPath, [file("dist/main.js"), "openapi"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (described.status !== 0) process.exit(described.status ?? 1);
  writeFileSync(file("openapi.yaml"), described.stdout);
  writeFileSync(file("src/client/schema.ts"), await clientTypes());
}
