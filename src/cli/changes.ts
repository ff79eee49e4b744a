/** When to look again, and what to read on: as soon as the service tells of a change, else every second.
 *  While the service is away, both wait for it. */

import { setTimeout as sleep } from "node:timers/promises";
import { isUnanswered, type Client } from "../client/client.ts";
import type { HistoryEvent } from "../gate/model.ts";

/** Milliseconds. */
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

interface Selection {
  readonly repo?: string;
  readonly work_item?: string;
}

/** What happens behind an event, until the signal aborts.
 *  @throws what the signal was aborted with */
export async function* follow(
  client: Client,
  after: number,
  selection: Selection,
  signal: AbortSignal,
): AsyncGenerator<readonly HistoryEvent[]> {
  let cursor = after;
  for await (const _ of changes(client, signal)) {
    try {
      const { events, next_cursor } = await client.events({ ...selection, after: cursor });
      cursor = next_cursor;
      if (events.length > 0) yield events;
    } catch (error) {
      if (!isUnanswered(error)) throw error;
    }
  }
}
