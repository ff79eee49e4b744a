/** Retries with backoff while another program holds the file's lock.
 *  SQLite's own wait blocks the event loop, so the waiting is asynchronous, between attempts. */

import { StoreFault } from "../port.ts";
import { busyFault, faultOf } from "./faults.ts";

/** How long an operation is retried before it fails as busy, unless it asks for less. */
export const RETRY_FOR_MS = 5_000;
const DELAY_MS = { least: 5, spread: 20 };

export const isBusy = (error: unknown): boolean => error instanceof StoreFault && error.kind === "busy";

export const retryDelay = (): Promise<void> =>
  new Promise((wake) => setTimeout(wake, DELAY_MS.least + Math.random() * DELAY_MS.spread));

/** Returns a function that retries an attempt while the file is locked. Its callers share one delay: each attempt may
 *  block the event loop for the busy timeout, so there is one attempt a round, however many callers wait.
 *  @param file in the message of a fault */
export const retryingWithBackoff = (file: string) => {
  let delay: Promise<void> | undefined;
  return async <T>(attempt: () => T | Promise<T>): Promise<T> => {
    const retryUntil = performance.now() + RETRY_FOR_MS;
    for (;;) {
      while (delay) {
        await delay;
        if (performance.now() > retryUntil) throw busyFault(file);
      }
      try {
        return await attempt();
      } catch (error) {
        const fault = faultOf(error, file);
        if (!isBusy(fault)) throw fault;
        delay = retryDelay().then(() => {
          delay = undefined;
        });
      }
    }
  };
};
