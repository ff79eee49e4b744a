/** /events: what happened, for dashboards and whoever asks who did it. */

import type { FastifyInstance } from "fastify";
import type { Gate } from "../gate/gate.ts";
import { EventPage, EventQuery } from "../gate/model.ts";
import { routeSchema } from "./schemas.ts";

const tags = ["operator"] as const;

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
      }),
    },
    (request) => gate.events(request.query),
  );
};
