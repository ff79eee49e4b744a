/** What operators curl: the pause, the freeze and the queue. */

import type { FastifyInstance } from "fastify";
import type * as z from "zod";
import type { Gate } from "../gate/gate.ts";
import {
  FreezeNote,
  FreezeQuery,
  FreezeState,
  PauseNote,
  PauseState,
  Queue,
  QueueQuery,
  UnfreezeQuery,
  Unfrozen,
  WorkItemQuery,
} from "../gate/model.ts";
import { queueAnswer } from "./queue-text.ts";
import { routeSchema } from "./schemas.ts";

const tags = ["operator"] as const;

export const operatorRoutes = (app: FastifyInstance, gate: Gate): void => {
  app.post<{ Querystring: WorkItemQuery; Body: PauseNote }>(
    "/serial-gate/pause",
    {
      schema: routeSchema({
        tags,
        operationId: "pauseTask",
        summary: "Park a task: later tasks of its repository may overtake it",
        description: "It bypasses neither a freeze nor a dependency. Parking a parked task changes nothing.",
        querystring: WorkItemQuery,
        body: PauseNote,
        response: { 200: ["The pause as it is now.", PauseState] },
        problems: [404, 409],
      }),
    },
    (request) => gate.pause(request.actor, request.query, request.body),
  );

  app.post<{ Querystring: WorkItemQuery }>(
    "/serial-gate/resume",
    {
      schema: routeSchema({
        tags,
        operationId: "resumeTask",
        summary: "Take a parked task back into its lane",
        querystring: WorkItemQuery,
        response: { 200: ["The pause as it is now.", PauseState] },
        problems: [404, 409],
      }),
    },
    (request) => gate.resume(request.actor, request.query),
  );

  app.post<{ Querystring: z.output<typeof FreezeQuery>; Body: FreezeNote }>(
    "/freeze",
    {
      schema: routeSchema({
        tags,
        operationId: "freezeRepo",
        summary: "Stop a repository until an operator clears it",
        querystring: FreezeQuery,
        body: FreezeNote,
        response: { 200: ["The freeze.", FreezeState] },
        problems: [409],
      }),
    },
    (request) => gate.freeze(request.actor, request.query.repo, request.body),
  );

  app.post<{ Querystring: UnfreezeQuery }>(
    "/unfreeze",
    {
      schema: routeSchema({
        tags,
        operationId: "unfreezeRepo",
        summary: "Clear the freezes of a repository, or one of them",
        querystring: UnfreezeQuery,
        response: { 200: ["What was cleared.", Unfrozen] },
      }),
    },
    (request) => gate.unfreeze(request.actor, request.query),
  );

  app.get<{ Querystring: z.output<typeof QueueQuery> }>(
    "/queue",
    {
      schema: routeSchema({
        tags,
        operationId: "getQueue",
        summary: "The whole state: what every lane does, what waits in it and why",
        querystring: QueueQuery,
        response: { 200: ["The state on one instant.", Queue] },
      }),
    },
    async (request, reply) =>
      reply.type("application/json; charset=utf-8").send(queueAnswer(await gate.queue(request.query.repo))),
  );
};
