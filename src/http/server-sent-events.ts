/** Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html): the wire format of the event log,
 *  and its streams' end at shutdown. It does not read events itself. */

import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply } from "fastify";
import { lend, type Lent } from "./limits/buffer-pool.ts";
import type { AnswerMemory } from "./limits/answer-memory.ts";
import type { EventRange, Followed, HistoryEvent } from "../contract/events.ts";

/** Browsers wait this long before they reconnect; another node may answer them. */
const RECONNECT_MS = 1_000;

const asMessage = (event: HistoryEvent): string =>
  `id: ${event.id}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`;

/** Its id is the place from which a browser reconnects. */
const asReset = (range: EventRange): string =>
  `id: ${range.newest}\nevent: reset\ndata: ${JSON.stringify(range)}\n\n`;

const asChunk = (page: Followed): string => {
  if (page.reset) return asReset(page.reset);
  return page.events.length > 0 ? page.events.map(asMessage).join("") : ": nothing new\n\n";
};

/** The next page as bytes; undefined at the end. A function of its own: its page is not held while the caller reads. */
const nextChunk = async (pages: AsyncGenerator<Followed>): Promise<Lent | undefined> => {
  const next = await pages.next();
  return next.done ? undefined : lend(asChunk(next.value));
};

interface Stream {
  readonly pages: AsyncGenerator<Followed>;
  readonly response: ServerResponse;
  readonly memory: AnswerMemory;
}

const endOfTurn = (): Promise<void> => new Promise((wake) => setImmediate(wake));

/** Waits until the caller has taken what was written, or is gone. */
const drained = (response: ServerResponse, gone: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (!response.writableNeedDrain || gone.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      response.off("drain", done);
      gone.removeEventListener("abort", done);
      resolve();
    };
    response.once("drain", done);
    gone.addEventListener("abort", done);
  });

/** The first chunk comes at once, so that the caller knows that it is connected; an empty page is a keep-alive. A page is
 *  read once the caller has taken the one before: a stream would ask for the next one sooner. */
async function* chunks({ pages, response, memory }: Stream, gone: AbortSignal): AsyncGenerator<Buffer> {
  try {
    yield Buffer.from(`retry: ${RECONNECT_MS}\n\n`);
    for (;;) {
      const chunk = await nextChunk(pages);
      if (!chunk) return;
      const letGo = memory.hold(chunk.bytes.length);
      try {
        yield chunk.bytes;
        // The stream asks for the next chunk before it writes this one.
        await endOfTurn();
        await drained(response, gone);
        // A connection that is gone may still hold the buffer.
        if (!gone.aborted) chunk.giveBack();
      } finally {
        letGo();
      }
    }
  } finally {
    await pages.return(undefined);
  }
}

/** Returns how a route sends pages of events as a stream. At shutdown, streams whose reader has unread data are cut: nobody
 *  can wait for their end, and the reader resumes elsewhere behind the last complete event. */
export const eventStreams = (
  app: FastifyInstance,
  memory: AnswerMemory,
): ((reply: FastifyReply, pages: AsyncGenerator<Followed>, gone: AbortSignal) => FastifyReply) => {
  const open = new Set<ServerResponse>();
  app.addHook("preClose", (done) => {
    for (const response of open) if ((response.socket?.writableLength ?? 0) > 0) response.destroy();
    done();
  });
  return (reply, pages, gone) => {
    const response = reply.raw;
    open.add(response);
    response.once("close", () => open.delete(response));
    // Closes the connection after the stream, so that shutdown need not wait for an idle one.
    return reply
      .type("text/event-stream; charset=utf-8")
      .headers({ "cache-control": "no-store", "x-accel-buffering": "no", connection: "close" })
      .send(Readable.from(chunks({ pages, response, memory }, gone), { highWaterMark: 0 }));
  };
};
