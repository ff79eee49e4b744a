/** /events: what happened, for dashboards and whoever asks who did it; read by the page, or followed as it happens. */

import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import * as z from "zod";
import type { Gate } from "../../gate/gate.ts";
import { EventPage, EventQuery, FollowQuery, type HistoryEvent } from "../../contract/events.ts";
import { clientDisconnect } from "../client-disconnect.ts";
import { routeSchema } from "../schemas.ts";

const tags = ["operator"] as const;

/** Where a follower that was cut off goes on. */
const LastEventId = z.object({
  "last-event-id": z
    .string()
    .regex(/^\d{1,15}$/)
    .optional()
    .meta({ description: "The id of the last event seen; it goes before `after` and `last`." }),
});

/** How long a browser waits before it connects again, in milliseconds: the next node takes it. */
const COME_BACK_MS = 1_000;

const lines = (event: HistoryEvent): string =>
  `id: ${event.id}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`;

/** Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html). The first piece is there at
 *  once, so that the caller knows that it is connected. */
async function* pieces(pages: AsyncGenerator<readonly HistoryEvent[]>): AsyncGenerator<string> {
  yield `retry: ${COME_BACK_MS}\n\n`;
  for await (const events of pages)
    yield events.length > 0 ? events.map(lines).join("") : ": nothing new\n\n";
}

/** Cuts those off, when the service drains, that do not take what they were sent: no one can wait for their end.
 *  They go on elsewhere, behind the last event that they had whole. */
const disconnectSlowStreams = (app: FastifyInstance): ((response: ServerResponse) => void) => {
  const open = new Set<ServerResponse>();
  app.addHook("preClose", (done) => {
    for (const response of open) if ((response.socket?.writableLength ?? 0) > 0) response.destroy();
    done();
  });
  return (response) => {
    open.add(response);
    response.once("close", () => open.delete(response));
  };
};

export const eventRoutes = (app: FastifyInstance, gate: Gate): void => {
  app.get<{ Querystring: EventQuery }>(
    "/events",
    {
      schema: routeSchema({
        tags,
        operationId: "listEvents",
        summary: "What happened: every change of a task, a job or a freeze, with who made it and why",
        description: [
          "A page begins at one place: behind an event (`after`), before one (`before`), or so many from the end",
          "(`last`); at the oldest event when nothing is said. Whoever sends the `next_cursor` of each answer as the",
          "next `after` misses no event and sees none twice. An event is shown once every change that was begun before",
          "it has ended, so it may be a moment late.",
        ].join(" "),
        querystring: EventQuery,
        response: { 200: ["A page of events.", EventPage] },
        problems: [404, 409],
      }),
    },
    (request) => gate.events(request.query),
  );

  const cutWhenDrained = disconnectSlowStreams(app);
  app.get<{ Querystring: FollowQuery; Headers: z.output<typeof LastEventId> }>(
    "/events/stream",
    {
      schema: routeSchema({
        tags,
        operationId: "followEvents",
        summary: "What happens, as it happens (Server-Sent Events)",
        description: [
          "Begins behind `Last-Event-ID` or `after`, with the `last` events, or with what happens from now on. Each event",
          "has its `id`, its kind as `event`, and itself as `data`. A comment comes every 15 seconds when there is",
          "nothing else. The stream ends when the service shuts down: connect again with the last id.",
        ].join(" "),
        querystring: FollowQuery,
        headers: LastEventId,
        response: { 200: ["Events without an end.", z.string(), "text/event-stream"] },
      }),
    },
    async (request, reply) => {
      const { "last-event-id": seen } = request.headers;
      const from =
        seen === undefined ? request.query : { ...request.query, last: undefined, after: Number(seen) };
      const pages = await gate.follow(from, clientDisconnect(reply));
      cutWhenDrained(reply.raw);
      // Its connection is its own: a service that closes need not wait until an idle one is given up.
      return reply
        .type("text/event-stream; charset=utf-8")
        .headers({ "cache-control": "no-store", "x-accel-buffering": "no", connection: "close" })
        .send(Readable.from(pieces(pages), { highWaterMark: 1 }));
    },
  );
};
