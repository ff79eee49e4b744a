/** Change notifications for `--watch`, `--follow` and `wait`: from the service's event stream, or by polling while
 *  there is no stream. */

import { setTimeout as sleep } from "node:timers/promises";
import { isUnanswered, ProblemError, type Client } from "../client/client.ts";
import type { HistoryEvent } from "../contract/events.ts";

/** Between two polls without a stream, in milliseconds. */
const POLL_EVERY_MS = 1_000;

export interface Selection {
  readonly repo?: string | undefined;
  readonly work_item?: string | undefined;
}

/** @throws the error, unless it means that there is no stream now */
const tolerate = (error: unknown): void => {
  if (isUnanswered(error)) return;
  if (!(error instanceof ProblemError) || error.problem.status !== 404) throw error;
};

/** Yields at once, then whenever the repository, or any repository without one, may have changed. Yields on the
 *  stream's heartbeats too, every 15 seconds. Runs until the signal aborts.
 *  @throws the signal's reason */
export async function* updates(
  client: Client,
  repo: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<void> {
  for (;;) {
    yield;
    try {
      // The stream's first yield covers the changes between the yield above and its start.
      for await (const _ of client.follow({ repo }, signal)) yield;
    } catch (error) {
      tolerate(error);
    }
    await sleep(POLL_EVERY_MS, undefined, { signal });
  }
}

/** The events after an event, as they come, until the signal aborts.
 *  @throws the signal's reason */
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
    await sleep(POLL_EVERY_MS, undefined, { signal });
  }
}
