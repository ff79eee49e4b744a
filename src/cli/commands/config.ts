/** serial-gate config: what the command line will use, and what serve would. */

import type { Command } from "commander";
import { CONNECTION_VARIABLES } from "../../config/client.ts";
import { example } from "../arguments.ts";
import { outputOption, print, say, type Printed } from "../output/format.ts";
import type { CliContext } from "../context.ts";
import { tableOf, type Column } from "../output/terminal.ts";

interface Setting {
  readonly for: "command line" | "serve";
  readonly name: string;
  /** Null when it is not set. */
  readonly value: string | null;
  readonly from: string;
}

const COLUMNS: readonly Column<Setting>[] = [
  { head: "FOR", cell: (setting) => setting.for },
  { head: "VARIABLE", cell: ({ name }) => name },
  { head: "VALUE", cell: ({ value }) => value },
  { head: "FROM", cell: ({ from }) => from },
];

export const configCommand = (program: Command, around: CliContext): void => {
  program
    .command("config")
    .description("show the configuration and where each value comes from; secrets are not shown")
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate config"))
    .action(async ({ output }: Printed) => {
      const { VARIABLES, faultsIn, shownSetting } = await import("../../config/service.ts");
      const settingsOf = (verbs: Setting["for"], variables: Readonly<Record<string, string>>): Setting[] =>
        Object.entries(variables).map(([name, fallback]) => {
          const { source, value } = shownSetting(around.env, name, fallback);
          const place = source !== undefined && around.isOfFile(source) ? ".env" : "environment";
          const from = source === undefined ? "default" : source === name ? place : `${place}, as ${source}`;
          return { for: verbs, name, value: value === "" ? null : value, from };
        });
      const settings = [
        ...settingsOf("command line", CONNECTION_VARIABLES),
        ...settingsOf("serve", VARIABLES),
      ];
      await print(around, output, {
        response: { settings },
        items: settings,
        name: ({ name }) => name,
        lines: (screen, wide) => tableOf(COLUMNS, settings, screen, wide),
      });
      say(around, ...faultsIn(around.env));
    });
};
