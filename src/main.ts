#!/usr/bin/env node
/** The program: argv and env in, exit code out. The only file that touches the process. */

import { existsSync, readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { parseEnv } from "node:util";
import { run } from "./cli/program.ts";

const DOT_ENV = ".env";

const dotEnv = existsSync(DOT_ENV) ? parseEnv(readFileSync(DOT_ENV, "utf8")) : {};

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
  // The environment wins over the file.
  env: { ...dotEnv, ...process.env },
  isFromFile: (name) => name in dotEnv && !(name in process.env),
  userName,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  onStop: (stop) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, stop);
  },
});
