/** serial-gate backup: copies a SQLite database while the service runs, and examines the copy. */

import type { Command } from "commander";
import type { Config } from "../../../config/service.ts";
import { example } from "../../arguments.ts";
import type { CliContext } from "../../context.ts";
import { EXIT, ExitError } from "../../output/exit-codes.ts";
import { printLines } from "../../output/format.ts";

/** Examines a copy, and leaves it as it is.
 *  @throws ExitError for a damaged one */
const examine = async (path: string, config: Config, context: CliContext): Promise<void> => {
  const [{ examineContent, examinePages }, { readSchema }, { openSqlite }] = await Promise.all([
    import("./examination.ts"),
    import("../../../store/migrate.ts"),
    import("../../../store/sqlite/store.ts"),
  ]);
  const store = await openSqlite(path, Date.now, { mustExist: true });
  try {
    if (!(await examinePages(store, context)))
      throw new ExitError(
        EXIT.failed,
        "The copy is damaged, as the database is or the disk under the copy. It is not kept.",
      );
    if ((await readSchema(store)) === "current")
      await examineContent(store, config, { context, repair: false });
    else printLines(context, "The database is not migrated to this version: its pages alone were checked");
  } finally {
    await store.close();
  }
};

const refuseTaken = (file: string): ExitError =>
  new ExitError(EXIT.usage, `${file} exists and is not overwritten. Name another file.`);

export const backupCommand = (program: Command, context: CliContext): void => {
  program
    .command("backup")
    .argument("<file>", "where the copy goes; it must not exist")
    .description("copy the SQLite database while the service runs, and check the copy (reads DATABASE_URL)")
    .addHelpText("after", example("serial-gate backup /backups/gate-$(date +%F).db"))
    .action(async (file: string) => {
      const [{ parseConfig }, { namedDatabase, refuseMissingFile }, { copyPrivately }, { pathOf }] =
        await Promise.all([
          import("../../../config/service.ts"),
          import("./database.ts"),
          import("../../../store/sqlite/permissions.ts"),
          import("../../../store/open.ts"),
        ]);
      const { copyFile } = await import("../../../store/sqlite/backup.ts");
      const config = parseConfig(context.serviceEnvironment().env);
      const named = namedDatabase(config.databaseUrl, context);
      const path = pathOf(config.databaseUrl);
      if (path === undefined)
        throw new ExitError(
          EXIT.usage,
          `The database is on PostgreSQL (${named}). Take the copy with its own tools: pg_dump --format=custom --file=FILE, restored by pg_restore.`,
        );
      refuseMissingFile(config.databaseUrl, named);
      const isCopied = await copyPrivately(file, async (unnamed) => {
        await copyFile(path, unnamed);
        await examine(unnamed, config, context);
      });
      if (!isCopied) throw refuseTaken(file);
      printLines(
        context,
        `${file}: a copy of ${named}. To restore it: docs/operations.md, "Back up and restore"`,
      );
    });
};
