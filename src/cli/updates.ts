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

/** The event to continue after, if the error is that the place is not in the event log any more. */
export const resetIn = (error: unknown): number | undefined =>
  error instanceof ProblemError && error.code === "cursor_unknown" ? (error.problem.newest ?? 0) : undefined;

/** Told to a person when the event log was replaced under a look that is taken again. */
export const LOG_REPLACED = "The event log was restored or replaced; reading everything again.";

/** Yields "change" at once, then whenever the repository, or any repository without one, may have changed. Yields on the
 *  stream's heartbeats too, every 15 seconds. Yields "reset" before a "change" when the event log was replaced under the
 *  stream. Runs until the signal aborts.
 *  @throws the signal's reason */
export async function* updates(
  client: Client,
  repo: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<"change" | "reset"> {
  for (;;) {
    yield "change";
    try {
      // The stream's first yield covers the changes between the yield above and its start.
      for await (const _ of client.follow({ repo }, signal)) yield "change";
    } catch (error) {
      if (resetIn(error) === undefined) tolerate(error);
      else yield "reset";
    }
    await sleep(POLL_EVERY_MS, undefined, { signal });
  }
}

interface FollowOptions {
  readonly after: number;
  readonly selection: Selection;
  readonly signal: AbortSignal;
  /** Called when events may have been missed: the reader goes on with those after `newest`. */
  readonly onReset: (newest: number) => void;
}

/** The events after an event, as they come, until the signal aborts.
 *  @throws the signal's reason */
export async function* follow(
  client: Client,
  { after, selection, signal, onReset }: FollowOptions,
): AsyncGenerator<readonly HistoryEvent[]> {
  let cursor = after;
  const goOn = (error: unknown): void => {
    const newest = resetIn(error);
    if (newest === undefined) {
      tolerate(error);
      return;
    }
    cursor = newest;
    onReset(newest);
  };
  for (;;) {
    try {
      for await (const events of client.follow({ ...selection, after: cursor }, signal)) {
        cursor = events.at(-1)?.id ?? cursor;
        if (events.length > 0) yield events;
      }
    } catch (error) {
      goOn(error);
    }
    try {
      const { events, next_cursor } = await client.events({ ...selection, after: cursor }, signal);
      cursor = next_cursor;
      if (events.length > 0) yield events;
    } catch (error) {
      goOn(error);
    }
    await sleep(POLL_EVERY_MS, undefined, { signal });
  }
}
