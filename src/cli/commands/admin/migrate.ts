/** serial-gate migrate: creates or upgrades a database, or copies a SQLite file into PostgreSQL. */

import type { Command } from "commander";
import type { Config } from "../../../config/service.ts";
import type { Store } from "../../../store/port.ts";
import type { Copied } from "../../../store/transfer/copy.ts";
import { example } from "../../arguments.ts";
import type { CliContext } from "../../context.ts";
import { printLines } from "../../output/format.ts";
import { tableOf } from "../../output/table.ts";
import { screenOf } from "../../output/terminal.ts";
import { harmless } from "../../output/text.ts";

/** Builds the ready index under the policy here: the first claim need not, and on PostgreSQL the service may have no right
 *  to install its triggers.
 *  @returns false when the database kept it so already */
const adoptReadyIndex = async (store: Store, { policy: configured, defaults }: Config): Promise<boolean> => {
  const [{ pino }, { policyFor }, { Gate }, { readOrigin }] = await Promise.all([
    import("pino"),
    import("../../../config/service.ts"),
    import("../../../gate/gate.ts"),
    import("../../../store/migrate.ts"),
  ]);
  const policy = policyFor(configured, await store.read(readOrigin));
  return new Gate({ store, policy, defaults, log: pino({ level: "silent" }) }).adopt();
};

const migrateInPlace = async (context: CliContext, command: Command): Promise<void> => {
  const [
    { parseConfig },
    { adoptedWork, adoptionSentence, unleasedSentence },
    { migrate, readSchema },
    { isServer, openStore, pathOf, shownUrl },
  ] = await Promise.all([
    import("../../../config/service.ts"),
    import("../../../gate/queries/adoption.ts"),
    import("../../../store/migrate.ts"),
    import("../../../store/open.ts"),
  ]);
  const config = parseConfig(context.serviceEnvironment().env);
  const { databaseUrl, allowEmpty } = config;
  if (pathOf(databaseUrl) === ":memory:")
    command.error("error: DATABASE_URL is a database in memory, which ends with this command: name a file");
  const store = await openStore(databaseUrl, { allowEmpty });
  try {
    const before = await readSchema(store);
    const applied = await migrate(store);
    if (isServer(databaseUrl) && (await adoptReadyIndex(store, config))) applied.push("ready_index");
    const name = shownUrl(databaseUrl);
    const done = before === "none" ? "created" : "upgraded";
    printLines(
      context,
      applied.length > 0
        ? `${name}: ${done}, applied ${applied.join(", ")}`
        : `${name} is current: nothing to do`,
    );
    if (before !== "orchestrator" || applied.length === 0) return;
    const work = await store.read(adoptedWork);
    for (const sentence of [adoptionSentence(work), unleasedSentence(work)])
      if (sentence !== undefined) printLines(context, sentence);
  } finally {
    await store.close();
  }
};

const copiedLines = ({ tables, leftBehind }: Copied, { stdout, env }: CliContext): string[] => [
  ...tableOf(
    [
      { head: "TABLE", cell: ({ table }) => table },
      { head: "ROWS", cell: ({ rows }) => rows },
      { head: "CHECKSUM", cell: ({ checksum }) => checksum },
    ],
    tables,
    screenOf(stdout, env),
    false,
  ),
  ...(leftBehind.length > 0
    ? [harmless(`Not copied, because they belong to another program: ${leftBehind.join(", ")}`)]
    : []),
];

const copy = async (from: string, to: string, command: Command, context: CliContext): Promise<void> => {
  const [{ parseConfig }, { copyDatabase }, { openStore, readDatabaseUrl, shownUrl }] = await Promise.all([
    import("../../../config/service.ts"),
    import("../../../store/transfer/copy.ts"),
    import("../../../store/open.ts"),
  ]);
  const [source, target] = [readDatabaseUrl(from), readDatabaseUrl(to)];
  if (source.kind !== "file")
    return command.error(
      `error: --from takes file:PATH${source.kind === "invalid" && /^file:/i.test(from) ? `; ${source.reason}` : ""}`,
    );
  if (target.kind !== "server")
    return command.error(
      `error: --to takes postgres://USER:PASSWORD@HOST:PORT/DATABASE${target.kind === "invalid" && to.startsWith("postgres") ? `; ${target.reason}` : ""}`,
    );
  const config = parseConfig(context.serviceEnvironment().env);
  const store = await openStore(to);
  try {
    const copied = await copyDatabase(source.path, store);
    for (const line of copiedLines(copied, context)) context.stdout.write(`${line}\n`);
    await adoptReadyIndex(store, config);
    printLines(context, `Copied and verified. Now set DATABASE_URL to the URL of ${shownUrl(to)}`);
  } finally {
    await store.close();
  }
};

interface Options {
  readonly from?: string;
  readonly to?: string;
}

export const migrateCommand = (program: Command, context: CliContext): void => {
  const command = program
    .command("migrate")
    .description("create or upgrade the database (safe to repeat)")
    .option("--from <url>", "source SQLite file (no other program may have it open): file:PATH")
    .option(
      "--to <url>",
      "target PostgreSQL database (must be empty): postgres://USER:PASSWORD@HOST:PORT/DATABASE",
    )
    .addHelpText(
      "after",
      example(
        "DATABASE_URL=file:./orchestrator.db serial-gate migrate",
        "serial-gate migrate --from file:./data/serial-gate.db --to postgres://gate@db.example/gate",
      ),
    );
  command.action(async ({ from, to }: Options) => {
    if (from === undefined && to === undefined) return migrateInPlace(context, command);
    if (from === undefined || to === undefined)
      return command.error("error: --from and --to go together: file:PATH and postgres://…");
    return copy(from, to, command, context);
  });
};
