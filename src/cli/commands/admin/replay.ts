/** serial-gate replay: real work items through a real service, and the proof afterwards. */

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

/** A file that cannot be read, or has a line that is no work item, is the caller's mistake: nothing is started. */
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

/** A database that is given must be one that a replay may fill and judge. What is said of it has no password. */
const refuseDatabase = async (url: string, command: Command): Promise<void> => {
  const [{ isServer, shownUrl }, { hasWork }] = await Promise.all([
    import("../../../store/open.ts"),
    import("../../../replay/database.ts"),
  ]);
  if (!isServer(url)) command.error("--database wants postgres://USER:PASSWORD@HOST:PORT/DATABASE.");
  if (await hasWork(url))
    command.error(`${shownUrl(url)} has tasks or jobs already: a replay wants an empty database.`);
};

interface Options {
  readonly workers: number;
  readonly nodes: number;
  readonly database?: string;
  readonly keep?: true;
}

export const replayCommand = (
  program: Command,
  around: CliContext,
  exitWith: (code: number) => void,
): void => {
  const command = program
    .command("replay")
    .description("run real work items through a fresh service, and verify from its database what it did")
    .argument("[file]", "work items, one JSON object a line; a sample of 200 when left out")
    .option("--workers <count>", "how many workers claim", wholeNumber(1, MOST_WORKERS), 32)
    .option("--database <url>", "an empty PostgreSQL database to run over, instead of a file")
    .option("--nodes <count>", "how many nodes serve, over that database", wholeNumber(1, MOST_NODES), 1)
    .option("--keep", "keep the file and say where it is; one that is not verified is always kept")
    .addHelpText("after", example("serial-gate replay --workers 64 work-items.jsonl"));
  command.action(async (file: string | undefined, { workers, nodes, database, keep }: Options) => {
    const items = await readItems(file ?? SAMPLE, command);
    if (database !== undefined) await refuseDatabase(database, command);
    else if (nodes > 1)
      command.error("Several nodes want a database that they share: add --database postgres://…");
    const folder = mkdtempSync(join(tmpdir(), "serial-gate-replay-"));
    const path = join(folder, "gate.db");
    const databaseUrl = database ?? `file:${path}`;
    let kept = true;
    try {
      const [{ replay }, { isVerified, tableOf }] = await Promise.all([
        import("../../../replay/run.ts"),
        import("../../../replay/report.ts"),
      ]);
      const report = await replay({
        items,
        workers,
        nodes,
        databaseUrl,
        folder,
        stderr: around.stderr,
        onStop: around.onStop,
      });
      around.stdout.write(tableOf(report));
      const verified = isVerified(report);
      if (!verified) exitWith(1);
      kept = keep === true || !verified;
    } finally {
      if (kept && database === undefined) around.stdout.write(`The database is ${path}\n`);
      else rmSync(folder, { recursive: true, force: true });
    }
  });
};
