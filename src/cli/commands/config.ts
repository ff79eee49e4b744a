/** serial-gate config: the settings of the command line, and of a service started here. */

import type { Command } from "commander";
import { CONNECTION_VARIABLES } from "../../config/client.ts";
import { example } from "../arguments.ts";
import type { CliContext } from "../context.ts";
import { outputOption, print, say, type OutputOptions } from "../output/format.ts";
import { tableOf, type Column } from "../output/table.ts";

interface Setting {
  readonly for: "command line" | "serve";
  readonly name: string;
  /** Null when the variable is not set. */
  readonly value: string | null;
  readonly from: string;
}

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
      const { VARIABLES, faultsIn, shownSetting } = await import("../../config/service.ts");
      const settingsOf = (verbs: Setting["for"], variables: Readonly<Record<string, string>>): Setting[] =>
        Object.entries(variables).map(([name, fallback]) => {
          const { source, value } = shownSetting(context.env, name, fallback);
          const place = source !== undefined && context.isFromFile(source) ? ".env" : "environment";
          const from = source === undefined ? "default" : source === name ? place : `${place}, as ${source}`;
          return { for: verbs, name, value: value === "" ? null : value, from };
        });
      const settings = [
        ...settingsOf("command line", CONNECTION_VARIABLES),
        ...settingsOf("serve", VARIABLES),
      ];
      await print(context, output, {
        response: { settings },
        items: settings,
        name: ({ name }) => name,
        lines: (screen, wide) => tableOf(COLUMNS, settings, screen, wide),
      });
      say(context, ...faultsIn(context.env));
    });
};
