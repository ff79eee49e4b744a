/** When to look again, and what to read on: as soon as the service's stream of events tells of a change; each second
 *  while there is no stream, because the service is away or older than it. */

import { setTimeout as sleep } from "node:timers/promises";
import { isUnanswered, ProblemError, type Client } from "../client/client.ts";
import type { HistoryEvent } from "../contract/events.ts";

/** Milliseconds between two looks without a stream. */
const BETWEEN_LOOKS = 1_000;

export interface Selection {
  readonly repo?: string;
  readonly work_item?: string;
}

/** @throws the error, unless it says that there is no stream now */
const tolerate = (error: unknown): void => {
  if (isUnanswered(error)) return;
  if (!(error instanceof ProblemError) || error.problem.status !== 404) throw error;
};

/** Yields at once, and then whenever something may have changed, until the signal aborts.
 *  @throws what the signal was aborted with */
export async function* updates(client: Client, signal: AbortSignal): AsyncGenerator<void> {
  for (;;) {
    yield;
    try {
      // Its first words are that it is there: what changed since the look before is then seen.
      for await (const _ of client.follow({}, signal)) yield;
    } catch (error) {
      tolerate(error);
    }
    await sleep(BETWEEN_LOOKS, undefined, { signal });
  }
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
  for (;;) {
    try {
      for await (const events of client.follow({ ...selection, after: cursor }, signal)) {
        cursor = events.at(-1)?.id ?? cursor;
        if (events.length > 0) yield events;
      }
    } catch (error) {
      tolerate(error);
    }
    try {
      const { events, next_cursor } = await client.events({ ...selection, after: cursor }, signal);
      cursor = next_cursor;
      if (events.length > 0) yield events;
    } catch (error) {
      tolerate(error);
    }
    await sleep(BETWEEN_LOOKS, undefined, { signal });
  }
}
