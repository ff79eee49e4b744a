/** serial-gate serve */

import type { Command } from "commander";
import { parseConfig } from "../config.ts";
import { serve } from "../serve.ts";
import { shownUrl } from "../store/open.ts";
import type { Surroundings } from "./program.ts";

export const serveCommand = (program: Command, { env, stdout, stderr, onStop }: Surroundings): void => {
  program
    .command("serve", { isDefault: true })
    .description("migrate the database and serve until stopped")
    .action(async () => {
      const config = parseConfig(env);
      const stopped = new Promise<void>((stop) => {
        onStop(stop);
      });
      const service = await serve(config, stderr);
      stdout.write(
        `serial-gate ${service.url} on ${shownUrl(config.databaseUrl)}  (try: curl -X POST ${service.url}/jobs/claim, or open ${service.url}/docs)\n`,
      );
      await stopped;
      await service.close();
    });
};
