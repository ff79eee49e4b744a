#!/usr/bin/env node
/** The program: argv and env in, exit code out. The only file that touches the process. */

import { existsSync, readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { run } from "./cli/program.ts";
import { DotEnvError, parseDotEnv } from "./config/dot-env.ts";
import { layered, type Env, type Layers } from "./config/env.ts";

const DOT_ENV = ".env";

/** @throws DotEnvError */
const readDotEnv = (): Env => {
  try {
    return existsSync(DOT_ENV) ? parseDotEnv(readFileSync(DOT_ENV, "utf8")) : {};
  } catch (error) {
    if (error instanceof DotEnvError) throw error;
    throw new DotEnvError(`.env cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
};

let layers: Layers | undefined;

/** Undefined for a user id that the system has no name for, as in some containers. */
const userName = (): string | undefined => {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
};

// The reader of our output has closed the pipe, as `| head` does.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

process.exitCode = await run(process.argv.slice(2), {
  env: process.env,
  serviceEnvironment: () => (layers ??= layered(process.env, readDotEnv())),
  userName,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  onStop: (stop) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, stop);
  },
  onReload: (reload) => {
    process.on("SIGHUP", reload);
  },
  onExit: (end) => {
    process.once("exit", end);
  },
});
