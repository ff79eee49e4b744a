/** The process as the commands see it: environment, streams and stop signals. */

import type { Env, Layers } from "../config/env.ts";

/** Made by main.ts. */
export interface ProcessContext {
  /** The environment alone. The working folder may belong to anybody, so no verb that calls the service reads its .env. */
  readonly env: Env;
  /** The environment over the file .env of the working folder, for verbs that run the service or open its database.
   *  @throws DotEnvError for a file that is refused: it may have set any variable */
  readonly serviceEnvironment: () => Layers;
  /** The operating system's name for the user; undefined for a user without one. */
  readonly userName: () => string | undefined;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** Registers a callback for the signal by which the process is asked to stop. */
  readonly onStop: (stop: (signal: NodeJS.Signals) => void) => void;
  /** Registers a callback for the signal by which a service is asked to read its files again. */
  readonly onReload: (reload: () => void) => void;
  /** Registers a callback for the end of the process, however it ends by itself. */
  readonly onExit: (end: () => void) => void;
}

export interface CliContext extends ProcessContext {
  /** Options that every verb takes. Read when a verb runs. */
  readonly globalOptions: () => GlobalOptions;
}

export interface GlobalOptions {
  /** The context to use, in the place of the environment and of the current one. */
  readonly context?: string;
  readonly insecure?: true;
}
