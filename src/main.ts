#!/usr/bin/env node
/** The program: argv and env in, exit code out. The only file that touches the process. */

import { existsSync, readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { run } from "./cli/program.ts";

const DOT_ENV = ".env";

/** The environment wins over the file. */
const environment = (): Record<string, string | undefined> => ({
  ...(existsSync(DOT_ENV) ? parseEnv(readFileSync(DOT_ENV, "utf8")) : {}),
  ...process.env,
});

process.exitCode = await run(process.argv.slice(2), {
  env: environment(),
  stdout: process.stdout,
  stderr: process.stderr,
  onStop: (stop) => {
    for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, stop);
  },
});
