/** serial-gate replay: runs real work items through a real service, then verifies the database. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { example, wholeNumber } from "../../arguments.ts";
import type { CliContext } from "../../context.ts";
import type { WorkItem } from "../../../replay/work-items.ts";

const SAMPLE = fileURLToPath(new URL("../../../../samples/work-items.jsonl", import.meta.url));
const MOST_WORKERS = 1_000;
const MOST_NODES = 32;

/** Ends with a usage error, before anything starts, for a file that cannot be read or has an invalid line. */
const readItems = async (file: string, command: Command): Promise<WorkItem[]> => {
  const { parseWorkItems, WorkItemsError } = await import("../../../replay/work-items.ts");
  try {
    return parseWorkItems(readFileSync(file, "utf8"), file);
  } catch (error) {
    if (error instanceof WorkItemsError) command.error(error.message);
    if (error instanceof Error && "syscall" in error) command.error(`Cannot read ${file}: ${error.message}`);
    throw error;
  }
};

/** Ends with a usage error for a database that is not PostgreSQL or not empty. Messages show its URL without the
 *  password. */
const refuseDatabase = async (url: string, command: Command): Promise<void> => {
  const [{ isServer, shownUrl }, { hasWork }] = await Promise.all([
    import("../../../store/open.ts"),
    import("../../../replay/database.ts"),
  ]);
  if (!isServer(url)) command.error("error: --database takes postgres://USER:PASSWORD@HOST:PORT/DATABASE");
  if (await hasWork(url))
    command.error(`error: ${shownUrl(url)} has tasks or jobs; a replay needs an empty database`);
};

interface Options {
  readonly workers: number;
  readonly nodes: number;
  readonly database?: string;
  readonly keep?: true;
}

export const replayCommand = (
  program: Command,
  context: CliContext,
  exitWith: (code: number) => void,
): void => {
  const command = program
    .command("replay")
    .description("run real work items through a fresh service, then verify its database")
    .argument("[file]", "work items, one JSON object a line (default: a sample of 200)")
    .option("--workers <count>", "number of workers", wholeNumber(1, MOST_WORKERS), 32)
    .option("--database <url>", "run on this empty PostgreSQL database instead of a file")
    .option("--nodes <count>", "number of service nodes on that database", wholeNumber(1, MOST_NODES), 1)
    .option("--keep", "keep the database file and print its path; always kept if verification fails")
    .addHelpText("after", example("serial-gate replay --workers 64 work-items.jsonl"));
  command.action(async (file: string | undefined, { workers, nodes, database, keep }: Options) => {
    const items = await readItems(file ?? SAMPLE, command);
    if (database !== undefined) await refuseDatabase(database, command);
    else if (nodes > 1)
      command.error("error: several nodes need a shared database: add --database postgres://…");
    const folder = mkdtempSync(join(tmpdir(), "serial-gate-replay-"));
    const path = join(folder, "gate.db");
    const databaseUrl = database ?? `file:${path}`;
    let kept = true;
    try {
      const [{ replay }, { isVerified, reportText }] = await Promise.all([
        import("../../../replay/run.ts"),
        import("../../../replay/report.ts"),
      ]);
      const report = await replay({
        items,
        workers,
        nodes,
        databaseUrl,
        folder,
        stderr: context.stderr,
        onStop: context.onStop,
      });
      context.stdout.write(reportText(report));
      const verified = isVerified(report);
      if (!verified) exitWith(1);
      kept = keep === true || !verified;
    } finally {
      if (kept && database === undefined) context.stdout.write(`The database is ${path}\n`);
      else rmSync(folder, { recursive: true, force: true });
    }
  });
};
