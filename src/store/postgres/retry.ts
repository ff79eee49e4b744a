/** Retries with backoff of a transaction that was rolled back for a reason that may pass: a deadlock, a lost connection,
 *  a server that restarts. Whether an error may pass is decided in errors.ts. */

import { Failure } from "./errors.ts";

/** How long an operation is retried before its fault is passed on. */
export const RETRY_FOR_MS = 5_000;
const DELAY_MS = { least: 10, most: 500 };

const delay = (attempt: number): Promise<void> => {
  const most = Math.min(DELAY_MS.most, DELAY_MS.least * 2 ** attempt);
  return new Promise((wake) => setTimeout(wake, most * (0.5 + Math.random() / 2)));
};

/** @throws StoreFault when the failure is not retryable, or still there after that time */
export const retryWithBackoff = async <T>(
  attempt: () => Promise<T>,
  retryForMs = RETRY_FOR_MS,
): Promise<T> => {
  const retryUntil = performance.now() + retryForMs;
  for (let attempts = 0; ; attempts += 1)
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (!error.retryable || performance.now() > retryUntil) throw error.fault;
      await delay(attempts);
    }
};
