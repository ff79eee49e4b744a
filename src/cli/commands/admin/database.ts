/** The database that the environment names, for the verbs that open it themselves. They say which one they mean and where
 *  the setting comes from, and create nothing. */

import { existsSync, statSync } from "node:fs";
import { pathOf, openStore, shownUrl } from "../../../store/open.ts";
import { readSchema } from "../../../store/migrate.ts";
import type { Store } from "../../../store/port.ts";
import type { CliContext } from "../../context.ts";
import { EXIT, ExitError } from "../../output/exit-codes.ts";

/** Says where a variable is set: `default`, `environment` or `.env`, with the spelling if it is not the variable's own. */
export const settingSource = (context: CliContext, name: string, source: string | undefined): string => {
  if (source === undefined) return "default";
  const place = context.serviceEnvironment().isFromFile(source) ? ".env" : "environment";
  return source === name ? place : `${place}, as ${source}`;
};

/** The database by its path or URL without secrets, and the setting, such as `./gate.db (DATABASE_URL, .env)`. */
export const namedDatabase = (url: string, context: CliContext): string => {
  const source = context.serviceEnvironment().env.DATABASE_URL?.trim() ? "DATABASE_URL" : undefined;
  return `${pathOf(url) ?? shownUrl(url)} (DATABASE_URL, ${settingSource(context, "DATABASE_URL", source)})`;
};

const NAME_IT = "Run it where the service runs, or set DATABASE_URL.";

const missing = (named: string, why = ""): ExitError =>
  new ExitError(EXIT.config, `No serial-gate database at ${named}${why}. ${NAME_IT}`);

/** @throws ExitError for a file that does not exist, a folder, or a database in memory */
export const refuseMissingFile = (url: string, named: string): void => {
  const path = pathOf(url);
  if (path === undefined) return;
  if (path === ":memory:") throw missing(named, ": a database in memory ends with its process");
  if (!existsSync(path)) throw missing(named);
  if (statSync(path).isDirectory()) throw missing(named, ": it is a folder");
};

/** Opens the database of a service. Neither creates nor migrates it.
 *  @throws ExitError when there is none, or it is not migrated
 *  @throws StoreFault when it cannot be opened; MigrationError when it is newer, or another program's */
export const openExisting = async (url: string, context: CliContext): Promise<Store> => {
  const named = namedDatabase(url, context);
  refuseMissingFile(url, named);
  const store = await openStore(url, { mustExist: true });
  try {
    const schema = await readSchema(store);
    if (schema === "none") throw missing(named, ": it has no tables of serial-gate");
    if (schema === "orchestrator")
      throw new ExitError(
        EXIT.failed,
        `The orchestrator's database at ${named} is not adopted yet. Take a copy of it, then run \`serial-gate migrate\` or start the service.`,
      );
    if (schema === "outdated")
      throw new ExitError(
        EXIT.failed,
        `The database at ${named} is not migrated to this version. Run \`serial-gate migrate\`, or restart the service with this version.`,
      );
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
};
