/** The command line: which verbs there are, and what an error becomes. */

import { Command, CommanderError } from "commander";
import { VERSION } from "../version.ts";
import { ConfigError, type Env } from "../config.ts";
import { MigrationError } from "../store/migrate.ts";
import { StoreFault } from "../store/port.ts";
import { doctorCommand } from "./doctor.ts";
import { migrateCommand } from "./migrate.ts";
import { openapiCommand } from "./openapi.ts";
import { replayCommand } from "./replay.ts";
import { serveCommand } from "./serve.ts";

/** What a command may touch of the process that it runs in. */
export interface Surroundings {
  readonly env: Env;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** Registers what to do when the process is asked to stop. */
  readonly onStop: (stop: () => void) => void;
}

/** Exit codes. 78 is EX_CONFIG of sysexits.h: a supervisor need not try again. */
const EXIT = { done: 0, failed: 1, usage: 2, config: 78 } as const;

const exitOf = (error: unknown): number => {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  return error instanceof ConfigError ? EXIT.config : EXIT.failed;
};

/** Errors that are told in a sentence; any other is a fault of the program and keeps its stack. */
const isExpected = (error: unknown): error is Error =>
  error instanceof ConfigError ||
  error instanceof MigrationError ||
  error instanceof StoreFault ||
  (error instanceof Error && "syscall" in error);

/** @returns the exit code */
export const run = async (argv: readonly string[], around: Surroundings): Promise<number> => {
  const program = new Command("serial-gate")
    .description("One task at a time per repository: the door in front of autonomous work.")
    .version(VERSION)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => around.stdout.write(text),
      writeErr: (text) => around.stderr.write(text),
    });
  let exitCode: number = EXIT.done;
  const exitWith = (code: number): void => {
    exitCode = code;
  };
  serveCommand(program, around);
  migrateCommand(program, around);
  replayCommand(program, around, exitWith);
  doctorCommand(program, around, exitWith);
  openapiCommand(program, around);
  try {
    await program.parseAsync(argv, { from: "user" });
    return exitCode;
  } catch (error) {
    if (isExpected(error)) around.stderr.write(`${error.message}\n`);
    else if (!(error instanceof CommanderError))
      around.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return exitOf(error);
  }
};
