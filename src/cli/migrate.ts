/** serial-gate migrate */

import type { Command } from "commander";
import { parseConfig } from "../config.ts";
import { migrate } from "../store/migrate.ts";
import { openStore, shownUrl } from "../store/open.ts";
import type { Surroundings } from "./program.ts";

export const migrateCommand = (program: Command, { env, stdout }: Surroundings): void => {
  program
    .command("migrate")
    .description("bring the database to this program's schema; does nothing to one that is there")
    .action(async () => {
      const { databaseUrl } = parseConfig(env);
      const store = await openStore(databaseUrl);
      try {
        const applied = await migrate(store);
        stdout.write(
          applied.length > 0
            ? `${shownUrl(databaseUrl)}: applied ${applied.join(", ")}\n`
            : `${shownUrl(databaseUrl)}: nothing to do\n`,
        );
      } finally {
        await store.close();
      }
    });
};
