/** serial-gate migrate: to this program's schema, or out of a file into PostgreSQL. */

import type { Command } from "commander";
import type { Copied } from "../../../store/transfer/copy.ts";
import { example } from "../../arguments.ts";
import type { CliContext } from "../../context.ts";
import { screenOf, tableOf } from "../../output/terminal.ts";

const migrateInPlace = async ({ env, stdout }: CliContext): Promise<void> => {
  const [{ parseConfig }, { migrate }, { openStore, shownUrl }] = await Promise.all([
    import("../../../config/service.ts"),
    import("../../../store/migrate.ts"),
    import("../../../store/open.ts"),
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
  ...(leftBehind.length > 0 ? [`Not copied, as they are another program's: ${leftBehind.join(", ")}`] : []),
];

const copy = async (from: string, to: string, command: Command, around: CliContext): Promise<void> => {
  const [{ pino }, { parseConfig }, { Gate }, { copyDatabase }, { isServer, openStore, pathOf, shownUrl }] =
    await Promise.all([
      import("pino"),
      import("../../../config/service.ts"),
      import("../../../gate/gate.ts"),
      import("../../../store/transfer/copy.ts"),
      import("../../../store/open.ts"),
    ]);
  const path = pathOf(from);
  if (path === undefined) command.error("--from wants file:PATH.");
  if (!isServer(to)) command.error("--to wants postgres://USER:PASSWORD@HOST:PORT/DATABASE.");
  const { policy, defaults } = parseConfig(around.env);
  const store = await openStore(to);
  try {
    const copied = await copyDatabase(path, store);
    for (const line of copiedLines(copied, around)) around.stdout.write(`${line}\n`);
    // What may start under the policy here is marked before anyone asks.
    await new Gate({ store, policy, defaults, log: pino({ level: "silent" }) }).adopt();
    around.stdout.write(`All of it is verified. From now on: DATABASE_URL=${shownUrl(to)}\n`);
  } finally {
    await store.close();
  }
};

interface Options {
  readonly from?: string;
  readonly to?: string;
}

export const migrateCommand = (program: Command, around: CliContext): void => {
  const command = program
    .command("migrate")
    .description("bring the database to this program's schema; does nothing to one that is there")
    .option("--from <url>", "copy all of this database instead: file:PATH, which no one else has open")
    .option("--to <url>", "into this one, which is empty: postgres://USER:PASSWORD@HOST:PORT/DATABASE")
    .addHelpText(
      "after",
      example(
        "DATABASE_URL=file:./orchestrator.db serial-gate migrate",
        "serial-gate migrate --from file:./data/serial-gate.db --to postgres://gate@db.example/gate",
      ),
    );
  command.action(async ({ from, to }: Options) => {
    if (from === undefined && to === undefined) return migrateInPlace(around);
    if (from === undefined || to === undefined)
      return command.error("--from and --to go together: file:PATH and postgres://…");
    return copy(from, to, command, around);
  });
};
