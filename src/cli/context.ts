/** The process as the commands see it: environment, streams and stop signals. */

import type { Env } from "../config/env.ts";

/** All that a command may touch of the process that it runs in. */
export interface CliContext {
  readonly env: Env;
  /** Whether a variable comes from the file .env, not from the environment. */
  readonly isOfFile: (name: string) => boolean;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** Registers what to do when the process is asked to stop, and by which signal. */
  readonly onStop: (stop: (signal: NodeJS.Signals) => void) => void;
}
