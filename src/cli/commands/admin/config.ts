/** serial-gate config: the settings of the command line and of a service started here, and why strict lanes are on or off. */

import type { Command } from "commander";
import { CONNECTION_VARIABLES } from "../../../config/client.ts";
import { example } from "../../arguments.ts";
import type { CliContext } from "../../context.ts";
import { outputOption, print, say, type OutputOptions } from "../../output/format.ts";
import { tableOf, type Column } from "../../output/table.ts";

interface Setting {
  readonly for: "command line" | "serve";
  readonly name: string;
  /** Null when the variable is not set. */
  readonly value: string | null;
  readonly from: string;
}

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
    const { databaseUrl, policy } = parseConfig(context.env);
    if (policy.strictLanes !== null) {
      const { source } = shownSetting(context.env, NAME, "");
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
      const settingsOf = (verbs: Setting["for"], variables: Readonly<Record<string, string>>): Setting[] =>
        Object.entries(variables).map(([name, fallback]) => {
          const { source, value } = shownSetting(context.env, name, fallback);
          const from = settingSource(context, name, source);
          return { for: verbs, name, value: value === "" ? null : value, from };
        });
      const settings = [
        ...settingsOf("command line", CONNECTION_VARIABLES),
        ...settingsOf("serve", VARIABLES),
      ];
      const strictLanes = await strictLanesOf(context);
      await print(context, output, {
        response: { settings, ...strictLanes },
        items: settings,
        name: ({ name }) => name,
        lines: (screen, wide) => tableOf(COLUMNS, settings, screen, wide),
      });
      const faults = faultsIn(context.env);
      say(context, ...faults);
      if (!faults.includes(strictLanes.strict_lanes_because)) say(context, strictLanesLine(strictLanes));
    });
};
