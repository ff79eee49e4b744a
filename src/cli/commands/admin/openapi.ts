/** serial-gate openapi: prints the description of the HTTP API. */

import type { Command } from "commander";
import { VERSION } from "../../../version.ts";
import { example } from "../../arguments.ts";
import type { CliContext } from "../../context.ts";

/** The OpenAPI document of the routes, as YAML. */
export const openapiYaml = async (): Promise<string> => {
  const [{ pino }, { parseConfig, policyFor }, { Gate }, { buildApp }, { openStore }] = await Promise.all([
    import("pino"),
    import("../../../config/service.ts"),
    import("../../../gate/gate.ts"),
    import("../../../http/app.ts"),
    import("../../../store/open.ts"),
  ]);
  const { policy: configured, defaults } = parseConfig({});
  const policy = policyFor(configured, "serial-gate");
  const logger = pino({ level: "silent" });
  const store = await openStore("file::memory:");
  const gate = new Gate({ store, policy, defaults, log: logger });
  const app = await buildApp({ gate, keyring: undefined, logger, version: VERSION });
  const yaml = app.swagger({ yaml: true });
  await app.close();
  await store.close();
  return yaml;
};

export const openapiCommand = (program: Command, { stdout }: CliContext): void => {
  program
    .command("openapi")
    .description("print the OpenAPI 3.1 document of the HTTP API")
    .addHelpText("after", example("serial-gate openapi > openapi.yaml"))
    .action(async () => {
      stdout.write(await openapiYaml());
    });
};
