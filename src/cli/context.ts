/** The process as the commands see it: environment, streams and stop signals. */

import type { Env } from "../config/env.ts";

export interface CliContext {
  readonly env: Env;
  /** Why the file .env was refused. Every verb ends with it: the file may have set any variable. */
  readonly environmentError?: Error;
  /** True for a variable that comes from the file .env, not from the environment. */
  readonly isFromFile: (name: string) => boolean;
  /** The operating system's name for the user; undefined for a user without one. */
  readonly userName: () => string | undefined;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** Registers a callback for the signal by which the process is asked to stop. */
  readonly onStop: (stop: (signal: NodeJS.Signals) => void) => void;
  /** Registers a callback for the signal by which a service is asked to read its files again. */
  readonly onReload: (reload: () => void) => void;
}
