/** The stop signal of verbs that run until somebody stops them. */

import { constants } from "node:os";
import { ExitError } from "./output/exit-codes.ts";
import type { CliContext } from "./context.ts";

/** Shells report a process ended by signal N as 128 + N. */
const SIGNALLED = 128;

/** Aborts, with an ExitError, when the process is asked to stop. */
export const stopSignal = ({ onStop }: CliContext): AbortSignal => {
  const controller = new AbortController();
  onStop((signal) => {
    controller.abort(new ExitError(SIGNALLED + constants.signals[signal]));
  });
  return controller.signal;
};
