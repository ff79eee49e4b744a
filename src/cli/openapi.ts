/** serial-gate openapi */

import type { Command } from "commander";
import { pino } from "pino";
import { VERSION } from "../version.ts";
import { parseConfig } from "../config.ts";
import { Gate } from "../gate/gate.ts";
import { buildApp } from "../http/app.ts";
import { openStore } from "../store/open.ts";
import type { Surroundings } from "./program.ts";

/** The OpenAPI document of the routes, as YAML. */
export const openapiYaml = async (): Promise<string> => {
  const { policy, defaults } = parseConfig({});
  const logger = pino({ level: "silent" });
  const store = await openStore("file::memory:");
  const gate = new Gate({ store, policy, defaults, log: logger });
  const app = await buildApp({ gate, tokens: [], logger, version: VERSION });
  const yaml = app.swagger({ yaml: true });
  await app.close();
  await store.close();
  return yaml;
};

export const openapiCommand = (program: Command, { stdout }: Surroundings): void => {
  program
    .command("openapi")
    .description("print the OpenAPI 3.1 document of the HTTP API")
    .action(async () => {
      stdout.write(await openapiYaml());
    });
};
