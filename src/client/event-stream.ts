/** Reads Server-Sent Events of the service (https://html.spec.whatwg.org/multipage/server-sent-events.html). */

import { createParser } from "eventsource-parser";
import { cursorUnknown } from "./problem.ts";
import type { Event, EventRange } from "./types.ts";

/** Yields a list whenever the service sends something; an empty one for a heartbeat.
 *  @throws ProblemError cursor_unknown at a `reset` */
export async function* readStream(body: ReadableStream<Uint8Array> | null): AsyncGenerator<readonly Event[]> {
  if (!body) return;
  let events: Event[] = [];
  let reset: EventRange | undefined;
  const parser = createParser({
    onEvent: ({ event, data }) => {
      if (reset) return;
      if (event === "reset") reset = JSON.parse(data) as EventRange;
      else events.push(JSON.parse(data) as Event);
    },
  });
  const reader = body.getReader();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
      if (events.length > 0 || !reset) yield events;
      if (reset) throw cursorUnknown(reset);
      events = [];
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
