/** A verb that goes on until somebody stops it. */

import { constants } from "node:os";
import { ExitError } from "./output/exit-codes.ts";
import type { CliContext } from "./context.ts";

/** What a shell says of a process that a signal ended. */
const SIGNALLED = 128;

/** Aborts when the process is asked to stop, with the exit code that is due. */
export const stopping = ({ onStop }: CliContext): AbortSignal => {
  const controller = new AbortController();
  onStop((signal) => {
    controller.abort(new ExitError(SIGNALLED + constants.signals[signal]));
  });
  return controller.signal;
};
