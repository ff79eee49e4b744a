/** serial-gate replay: real work items through a real service, and the proof afterwards. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { InvalidArgumentError, type Command } from "commander";
import { isServer, shownUrl } from "../store/open.ts";
import type { Surroundings } from "./program.ts";
import { hasWork } from "./replay/database.ts";
import { isVerified, tableOf } from "./replay/report.ts";
import { replay } from "./replay/run.ts";
import { parseWorkItems, WorkItemsError, type WorkItem } from "./replay/work-items.ts";

const SAMPLE = fileURLToPath(new URL("../../samples/work-items.jsonl", import.meta.url));
const MOST_WORKERS = 1_000;
const MOST_NODES = 32;

const upTo =
  (most: number) =>
  (text: string): number => {
    const count = /^\d{1,4}$/.test(text) ? Number(text) : NaN;
    if (count >= 1 && count <= most) return count;
    throw new InvalidArgumentError(`It wants a whole number from 1 to ${most}.`);
  };

/** A file that cannot be read, or has a line that is no work item, is the caller's mistake: nothing is started. */
const readItems = (file: string, command: Command): WorkItem[] => {
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
  around: Surroundings,
  exitWith: (code: number) => void,
): void => {
  const command = program
    .command("replay")
    .description("run real work items through a fresh service, and verify from its database what it did")
    .argument("[file]", "work items, one JSON object a line; a sample of 200 when left out")
    .option("--workers <count>", "how many workers claim", upTo(MOST_WORKERS), 32)
    .option("--database <url>", "an empty PostgreSQL database to run over, instead of a file")
    .option("--nodes <count>", "how many nodes serve, over that database", upTo(MOST_NODES), 1)
    .option("--keep", "keep the file and say where it is; one that is not verified is always kept");
  command.action(async (file: string | undefined, { workers, nodes, database, keep }: Options) => {
    const items = readItems(file ?? SAMPLE, command);
    if (database !== undefined) await refuseDatabase(database, command);
    else if (nodes > 1)
      command.error("Several nodes want a database that they share: add --database postgres://…");
    const folder = mkdtempSync(join(tmpdir(), "serial-gate-replay-"));
    const path = join(folder, "gate.db");
    const databaseUrl = database ?? `file:${path}`;
    let kept = true;
    try {
      const report = await replay({ items, workers, nodes, databaseUrl, folder, around });
      around.stdout.write(tableOf(report));
      if (!isVerified(report)) exitWith(1);
      kept = keep === true || !isVerified(report);
    } finally {
      if (kept && database === undefined) around.stdout.write(`The database is ${path}\n`);
      else rmSync(folder, { recursive: true, force: true });
    }
  });
};
