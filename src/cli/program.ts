/** The command line: its verbs, grouped by the people who use them. */

import { Command, Option } from "commander";
import { VERSION } from "../version.ts";
import { backupCommand } from "./commands/admin/backup.ts";
import { doctorCommand } from "./commands/admin/doctor.ts";
import { migrateCommand } from "./commands/admin/migrate.ts";
import { openapiCommand } from "./commands/admin/openapi.ts";
import { replayCommand } from "./commands/admin/replay.ts";
import { serveCommand } from "./commands/admin/serve.ts";
import { tokenCommands } from "./commands/admin/token.ts";
import { completionCommands } from "./commands/completion.ts";
import { configCommand } from "./commands/admin/config.ts";
import { historyCommands } from "./commands/events.ts";
import { explainCommand } from "./commands/explain.ts";
import { freezeCommands } from "./commands/freeze.ts";
import { helpCommand } from "./commands/help.ts";
import { jobCommands } from "./commands/job/command.ts";
import { loginCommands } from "./commands/login.ts";
import { mcpCommand } from "./commands/mcp.ts";
import { pauseCommands } from "./commands/pause.ts";
import { queueCommand } from "./commands/queue/command.ts";
import { taskCommands } from "./commands/task.ts";
import { waitCommand } from "./commands/wait.ts";
import { claimCommand } from "./commands/worker/claim.ts";
import { workCommand } from "./commands/worker/work.ts";
import type { CliContext, GlobalOptions, ProcessContext } from "./context.ts";
import { describeError } from "./output/errors.ts";
import { EXIT } from "./output/exit-codes.ts";
import { say } from "./output/format.ts";

const HELP = `
Which service the verbs call: the context of --context, else SERIAL_GATE_URL and SERIAL_GATE_TOKEN, else the context
that \`serial-gate login\` or \`context use\` put in force; \`serial-gate config\` shows it.
Exit codes: 0 done, 1 failed, 2 usage, 3 refused by the gate, 4 not allowed, 5 not found, 6 timed out, 78 configuration.`;

/** @param exitWith sets the exit code of a verb that ends without an error */
const programOf = (context: CliContext, exitWith: (code: number) => void): Command => {
  const program = new Command("serial-gate")
    .description("Decides which job may start next: one task at a time per repository, oldest first.")
    .version(VERSION)
    .helpCommand(false)
    .addHelpText("after", HELP)
    .addOption(new Option("--context <context>", "call the service of this context"))
    .addOption(new Option("--insecure", "send a token over plain HTTP to another machine"))
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => {
        say(context, ...text.replace(/\n$/, "").split("\n"));
      },
    });
  program.commandsGroup("For operators:");
  queueCommand(program, context);
  explainCommand(program, context);
  pauseCommands(program, context);
  freezeCommands(program, context);
  historyCommands(program, context);
  waitCommand(program, context);
  program.commandsGroup("For the orchestrator:");
  taskCommands(program, context);
  jobCommands(program, context);
  program.commandsGroup("For workers:");
  workCommand(program, context);
  claimCommand(program, context);
  mcpCommand(program, context);
  program.commandsGroup("To run the service:");
  serveCommand(program, context);
  migrateCommand(program, context);
  doctorCommand(program, context, exitWith);
  backupCommand(program, context);
  replayCommand(program, context, exitWith);
  openapiCommand(program, context);
  tokenCommands(program, context);
  program.commandsGroup("For the shell:");
  loginCommands(program, context);
  configCommand(program, context);
  completionCommands(program, context);
  helpCommand(program);
  return program;
};

/** @returns the exit code */
export const run = async (argv: readonly string[], surroundings: ProcessContext): Promise<number> => {
  let exitCode: number = EXIT.done;
  const context: CliContext = { ...surroundings, globalOptions: () => program.opts<GlobalOptions>() };
  const program = programOf(context, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv, { from: "user" });
    return exitCode;
  } catch (error) {
    const { lines, exit } = describeError(error, argv, context);
    say(context, ...lines);
    return exit;
  }
};
