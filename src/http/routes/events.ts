/** /events: the event log, by the page or as a stream. */

import type { FastifyInstance } from "fastify";
import * as z from "zod";
import type { Gate } from "../../gate/gate.ts";
import { EventPage, EventQuery, FollowQuery } from "../../contract/events.ts";
import type { AnswerMemory } from "../limits/answer-memory.ts";
import { clientDisconnect } from "../client-disconnect.ts";
import { routeSchema } from "../schemas.ts";
import { eventStreams } from "../server-sent-events.ts";

const tags = ["operator"] as const;

/** Browsers send it when they reconnect. */
const ResumeHeaders = z.object({
  "last-event-id": z.string().optional().meta({
    description:
      "The id of the last event seen; it overrides `after` and `last`. One that is not in the log, or no id at all, gives a `reset`.",
  }),
});
type ResumeHeaders = z.output<typeof ResumeHeaders>;

/** The id in a header. A browser sends whatever id it had last, also of another service at this address, and gives up at
 *  a 4xx: any other text is a place ahead of every log. */
const placeIn = (lastId: string): number =>
  /^\d{1,15}$/.test(lastId) ? Number(lastId) : Number.MAX_SAFE_INTEGER;

const startOf = ({ headers, query }: { headers: ResumeHeaders; query: FollowQuery }): FollowQuery => {
  const lastId = headers["last-event-id"]?.trim() ?? "";
  return lastId === "" ? query : { ...query, last: undefined, after: placeIn(lastId) };
};

export const eventRoutes = (app: FastifyInstance, gate: Gate, memory: AnswerMemory): void => {
  app.get<{ Querystring: EventQuery }>(
    "/events",
    {
      config: { right: "read", page: true },
      schema: routeSchema({
        tags,
        operationId: "listEvents",
        summary: "The event log: every change of a task, a job or a freeze, with its actor and reason",
        description: [
          "A page starts after an event (`after`), before one (`before`) or with the newest events (`last`); by default at",
          "the oldest event. A reader that sends each answer's `next_cursor` as the next `after` sees every event once.",
          "An `after` that is not in the log, because the database was restored or the events are no longer kept, is a",
          "410 `cursor_unknown`. An event becomes visible when every change that began before it has ended, so it may be",
          "slightly late.",
        ].join(" "),
        querystring: EventQuery,
        response: { 200: ["A page of events.", EventPage] },
        problems: [404, 409, 410],
      }),
    },
    (request) => gate.events(request.query, request.identity.reach),
  );

  const sendStream = eventStreams(app, memory);
  app.get<{ Querystring: FollowQuery; Headers: ResumeHeaders }>(
    "/events/stream",
    {
      config: { right: "read", open: "streams" },
      schema: routeSchema({
        tags,
        operationId: "followEvents",
        summary: "Follow the event log (Server-Sent Events)",
        description: [
          "Starts after `Last-Event-ID` or `after`, with the `last` newest events, or with new events only. Each message",
          "has the event's `id`, its kind as `event` and its JSON as `data`. If the place is not in the log, the first",
          "message is a `reset` with the ids of the `oldest` and the `newest` event, and new events follow. A comment every",
          "15 seconds keeps an idle stream alive. The stream ends when the service shuts down: reconnect with the last id.",
        ].join(" "),
        querystring: FollowQuery,
        headers: ResumeHeaders,
        response: { 200: ["An endless stream of events.", z.string(), "text/event-stream"] },
      }),
    },
    async (request, reply) => {
      const gone = clientDisconnect(reply);
      const { reach } = request.identity;
      const pages = await gate.follow(startOf(request), gone, reach, memory.chunkBytes);
      return sendStream(reply, pages, gone);
    },
  );
};
