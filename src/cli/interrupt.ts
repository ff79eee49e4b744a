/** A verb that goes on until somebody stops it. */

import { constants } from "node:os";
import { Ending } from "./output/exit-codes.ts";
import type { Surroundings } from "./program.ts";

/** What a shell says of a process that a signal ended. */
const SIGNALLED = 128;

/** Aborts when the process is asked to stop, with the exit code that is due. */
export const stopping = ({ onStop }: Surroundings): AbortSignal => {
  const controller = new AbortController();
  onStop((signal) => {
    controller.abort(new Ending(SIGNALLED + constants.signals[signal]));
  });
  return controller.signal;
};
