/** When to look again: as soon as the service tells of a change, else every few seconds. */

import type { Client } from "../client/client.ts";
import { setTimeout as sleep } from "node:timers/promises";

/** Times in milliseconds. */
const BETWEEN_LOOKS = 1_000;

/** Yields at once, and then whenever something may have changed, until the signal aborts.
 *  @throws what the signal was aborted with */
export async function* changes(_client: Client, signal: AbortSignal): AsyncGenerator<void> {
  for (;;) {
    signal.throwIfAborted();
    yield;
    await sleep(BETWEEN_LOOKS, undefined, { signal });
  }
}
