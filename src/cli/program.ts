/** The command line: which verbs there are, and for whom. */

import { Command } from "commander";
import type { CliContext } from "./context.ts";
import { VERSION } from "../version.ts";
import { claimCommand } from "./commands/claim.ts";
import { completionCommands } from "./commands/completion.ts";
import { configCommand } from "./commands/config.ts";
import { doctorCommand } from "./commands/admin/doctor.ts";
import { describeError } from "./output/errors.ts";
import { EXIT } from "./output/exit-codes.ts";
import { explainCommand } from "./commands/explain.ts";
import { freezeCommands } from "./commands/freeze.ts";
import { historyCommands } from "./commands/events.ts";
import { jobCommands } from "./commands/job.ts";
import { migrateCommand } from "./commands/admin/migrate.ts";
import { openapiCommand } from "./commands/admin/openapi.ts";
import { say } from "./output/format.ts";
import { pauseCommands } from "./commands/pause.ts";
import { queueCommand } from "./commands/queue.ts";
import { replayCommand } from "./commands/admin/replay.ts";
import { serveCommand } from "./commands/admin/serve.ts";
import { taskCommands } from "./commands/task.ts";
import { waitCommand } from "./commands/wait.ts";

const HELP = `
Verbs that call the service find it by SERIAL_GATE_URL and SERIAL_GATE_TOKEN; \`serial-gate config\` shows both.
Exit codes: 0 done, 1 failed, 2 usage, 3 the gate says no, 4 not allowed, 5 not found, 6 timed out, 78 configuration.`;

/** @param exitWith sets the exit code of a verb that ends without an error */
const programOf = (around: CliContext, exitWith: (code: number) => void): Command => {
  const program = new Command("serial-gate")
    .description("One task at a time per repository: the door in front of autonomous work.")
    .version(VERSION)
    .helpCommand(false)
    .addHelpText("after", HELP)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => around.stdout.write(text),
      writeErr: (text) => around.stderr.write(text),
    });
  program.commandsGroup("For operators:");
  queueCommand(program, around);
  explainCommand(program, around);
  pauseCommands(program, around);
  freezeCommands(program, around);
  historyCommands(program, around);
  waitCommand(program, around);
  program.commandsGroup("For the orchestrator:");
  taskCommands(program, around);
  jobCommands(program, around);
  program.commandsGroup("For workers:");
  claimCommand(program, around);
  program.commandsGroup("For whoever runs the service:");
  serveCommand(program, around);
  migrateCommand(program, around);
  doctorCommand(program, around, exitWith);
  replayCommand(program, around, exitWith);
  openapiCommand(program, around);
  program.commandsGroup("For the shell:");
  configCommand(program, around);
  completionCommands(program, around);
  return program;
};

/** @returns the exit code */
export const run = async (argv: readonly string[], around: CliContext): Promise<number> => {
  let exitCode: number = EXIT.done;
  const program = programOf(around, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv, { from: "user" });
    return exitCode;
  } catch (error) {
    const { words, exit } = describeError(error, argv, around);
    say(around, ...words);
    return exit;
  }
};
