/** serial-gate migrate */

import type { Command } from "commander";
import { example } from "./arguments.ts";
import type { Surroundings } from "./program.ts";

export const migrateCommand = (program: Command, { env, stdout }: Surroundings): void => {
  program
    .command("migrate")
    .description("bring the database to this program's schema; does nothing to one that is there")
    .addHelpText("after", example("DATABASE_URL=file:./orchestrator.db serial-gate migrate"))
    .action(async () => {
      const [{ parseConfig }, { migrate }, { openStore, shownUrl }] = await Promise.all([
        import("../config.ts"),
        import("../store/migrate.ts"),
        import("../store/open.ts"),
      ]);
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
