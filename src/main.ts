#!/usr/bin/env node
/** The program: argv and env in, exit code out. The only file that touches the process. */

import { existsSync, readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { run } from "./cli/program.ts";

const DOT_ENV = ".env";

const dotEnv = existsSync(DOT_ENV) ? parseEnv(readFileSync(DOT_ENV, "utf8")) : {};

// Whoever read what we print has read enough: `| head`.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

process.exitCode = await run(process.argv.slice(2), {
  // The environment wins over the file.
  env: { ...dotEnv, ...process.env },
  isOfFile: (name) => name in dotEnv && !(name in process.env),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  onStop: (stop) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, stop);
  },
});
