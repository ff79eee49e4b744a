/** serial-gate config: the settings of the command line and of a service started here, and why strict lanes are on or off. */

import type { Command } from "commander";
import { CONNECTION_VARIABLES, ConnectionError, type Connection } from "../../../config/client.ts";
import { example } from "../../arguments.ts";
import type { CliContext } from "../../context.ts";
import { outputOption, print, say, type OutputOptions } from "../../output/format.ts";
import { tableOf, type Column } from "../../output/table.ts";
import { connectionOf } from "../../service.ts";

interface Setting {
  readonly for: "command line" | "serve";
  readonly name: string;
  /** Null when the variable is not set. */
  readonly value: string | null;
  readonly from: string;
}

/** The service that the verbs call, and its source; or why they call none. */
const connectionHere = (context: CliContext): Connection | ConnectionError => {
  try {
    return connectionOf(context);
  } catch (error) {
    if (error instanceof ConnectionError) return error;
    throw error;
  }
};

const sourceText = ({ source }: Connection): string =>
  typeof source === "object" ? `context ${source.context}` : source;

const connectionSettings = (connection: Connection | ConnectionError): Setting[] => {
  const setting = (name: string, value: string | null, from: string): Setting => ({
    for: "command line",
    name,
    value,
    from,
  });
  if (connection instanceof ConnectionError)
    return CONNECTION_VARIABLES.map((name) => setting(name, null, "refused"));
  const from = sourceText(connection);
  const { urls, token } = connection;
  return [
    setting("SERIAL_GATE_URL", urls.join(","), from),
    setting(
      "SERIAL_GATE_TOKEN",
      token === undefined ? null : "(set)",
      token === undefined ? "default" : from,
    ),
  ];
};

/** The variables of the command line that .env sets in vain. */
const ignoredInFile = (context: CliContext): string[] =>
  CONNECTION_VARIABLES.filter((name) => context.serviceEnvironment().isFromFile(name)).map(
    (name) =>
      `.env sets ${name}, which the command line does not read from there: use \`serial-gate login URL\`.`,
  );

interface StrictLanes {
  /** Null when the database cannot say. */
  readonly strict_lanes: boolean | null;
  readonly strict_lanes_because: string;
}

/** Reads whether a service started here keeps strict lanes: the setting says so or, without one, the database. */
const strictLanesOf = async (context: CliContext): Promise<StrictLanes> => {
  const NAME = "SERIAL_GATE_STRICT_LANES";
  const [
    { parseConfig, policyFor, shownSetting, strictLanesReason },
    { namedDatabase, openExisting, settingSource },
    { readOrigin },
  ] = await Promise.all([
    import("../../../config/service.ts"),
    import("./database.ts"),
    import("../../../store/migrate.ts"),
  ]);
  try {
    const { env } = context.serviceEnvironment();
    const { databaseUrl, policy } = parseConfig(env);
    if (policy.strictLanes !== null) {
      const { source } = shownSetting(env, NAME, "");
      const because = `${NAME} says so (${settingSource(context, NAME, source)})`;
      return { strict_lanes: policy.strictLanes, strict_lanes_because: because };
    }
    const store = await openExisting(databaseUrl, context);
    try {
      const origin = await store.read(readOrigin);
      return {
        strict_lanes: policyFor(policy, origin).strictLanes,
        strict_lanes_because: `${strictLanesReason(policy, origin)}: ${namedDatabase(databaseUrl, context)}`,
      };
    } finally {
      await store.close();
    }
  } catch (error) {
    // Invalid settings, or a database that is not there: a service started here says the same.
    const why = error instanceof Error ? error.message : String(error);
    return { strict_lanes: null, strict_lanes_because: why };
  }
};

const strictLanesLine = ({ strict_lanes: on, strict_lanes_because: because }: StrictLanes): string =>
  on === null
    ? `Strict lanes: on for a database that serial-gate makes, off for one that it adopts. ${because}`
    : `Strict lanes are ${on ? "on" : "off"}: ${because}.`;

const COLUMNS: readonly Column<Setting>[] = [
  { head: "FOR", cell: (setting) => (setting.for === "serve" ? "a service started here" : setting.for) },
  { head: "VARIABLE", cell: ({ name }) => name },
  { head: "VALUE", cell: ({ value }) => value },
  { head: "FROM", cell: ({ from }) => from },
];

export const configCommand = (program: Command, context: CliContext): void => {
  program
    .command("config")
    .description(
      "show the settings of the command line and of a service started here, with their source; no secrets",
    )
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate config"))
    .action(async ({ output }: OutputOptions) => {
      const [{ VARIABLES, faultsIn, shownSetting }, { settingSource }] = await Promise.all([
        import("../../../config/service.ts"),
        import("./database.ts"),
      ]);
      const { env } = context.serviceEnvironment();
      const connection = connectionHere(context);
      const settings = [
        ...connectionSettings(connection),
        ...Object.entries(VARIABLES).map(([name, fallback]): Setting => {
          const { source, value } = shownSetting(env, name, fallback);
          const from = settingSource(context, name, source);
          return { for: "serve", name, value: value === "" ? null : value, from };
        }),
      ];
      const strictLanes = await strictLanesOf(context);
      await print(context, output, {
        response: { settings, ...strictLanes },
        items: settings,
        name: ({ name }) => name,
        lines: (screen, wide) => tableOf(COLUMNS, settings, screen, wide),
      });
      if (connection instanceof ConnectionError) say(context, connection.message);
      say(context, ...ignoredInFile(context));
      const faults = faultsIn(env);
      say(context, ...faults.flatMap((fault) => fault.split("\n")));
      if (!faults.includes(strictLanes.strict_lanes_because)) say(context, strictLanesLine(strictLanes));
    });
};
