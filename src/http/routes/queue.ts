/** /queue and /queue/explain: the whole state, and why a work item waits. */

import type { FastifyInstance } from "fastify";
import type * as z from "zod";
import { Explanation } from "../../contract/explanation.ts";
import { Queue, QueueQuery } from "../../contract/queue.ts";
import { OneTaskQuery } from "../../contract/scalars.ts";
import type { Gate } from "../../gate/gate.ts";
import { clientDisconnect } from "../client-disconnect.ts";
import { explanationShownTo } from "../contents.ts";
import { sendUnlessKnown } from "../etag.ts";
import type { QueueAnswers } from "../queue-answers.ts";
import { routeSchema } from "../schemas.ts";

const tags = ["operator"] as const;

export const queueRoutes = (app: FastifyInstance, gate: Gate, answers: QueueAnswers): void => {
  app.get<{ Querystring: z.output<typeof QueueQuery> }>(
    "/queue",
    {
      config: { right: "watch" },
      schema: routeSchema({
        tags,
        operationId: "getQueue",
        summary: "The whole state: each lane's active task, and its waiting jobs with their reasons",
        querystring: QueueQuery,
        response: { 200: ["A consistent snapshot.", Queue] },
        tagged: true,
      }),
    },
    async (request, reply) => {
      const { repo } = request.query;
      const { reach } = request.identity;
      return sendUnlessKnown(request, reply, {
        tag: await gate.queueTag(repo, reach),
        body: async () => {
          const text = await answers.ask({ repos: repo, reach }, clientDisconnect(reply));
          return { tag: text.tag, payload: answers.read(text), bytes: text.bytes };
        },
      });
    },
  );

  app.get<{ Querystring: OneTaskQuery }>(
    "/queue/explain",
    {
      config: { right: "watch", page: true },
      schema: routeSchema({
        tags,
        operationId: "explainWorkItem",
        summary: "Why a work item waits: all its blockers down to the root, and the calls that remove them",
        description:
          "Each call in `fix` is executed and rolled back; `effect` is its result. `chain` follows the first reason. Send `work_item`, with `repo` if several repositories have it, or `task_id`.",
        querystring: OneTaskQuery,
        response: { 200: ["The explanation.", Explanation] },
        problems: [404, 409],
      }),
    },
    (request, reply) =>
      explanationShownTo(
        request,
        gate.explain(request.query, request.identity.reach, clientDisconnect(reply)),
      ),
  );
};
