/** serial-gate help */

import type { Command } from "commander";
import { example } from "../arguments.ts";

export const helpCommand = (program: Command): void => {
  program
    .command("help")
    .description("show the help of a verb")
    .argument("[verb...]", "such as pause, or task add")
    .addHelpText("after", example("serial-gate help task add"))
    .action((words: readonly string[]) => {
      let command = program;
      for (const word of words) {
        const next = command.commands.find((each) => each.name() === word);
        if (!next) return command.error(`error: unknown command '${word}'`);
        command = next;
      }
      command.outputHelp();
    });
};
