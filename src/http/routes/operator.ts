/** What operators curl: the pause, the freeze and the queue. */

import type { FastifyInstance } from "fastify";
import type * as z from "zod";
import type { Gate } from "../../gate/gate.ts";
import { Explanation } from "../../contract/explanation.ts";
import {
  FreezeNote,
  FreezeQuery,
  FreezeState,
  PauseAnswer,
  PauseNote,
  PauseQuery,
  UnfreezeQuery,
  Unfrozen,
} from "../../contract/operations.ts";
import { Queue, QueueQuery } from "../../contract/queue.ts";
import { Note, WorkItemQuery } from "../../contract/scalars.ts";
import { invalidInput } from "../problem.ts";
import { hasAnswer } from "../etag.ts";
import { queueAnswer } from "../queue-text.ts";
import { routeSchema } from "../schemas.ts";

const tags = ["operator"] as const;

type Trial = z.output<typeof FreezeQuery>;

/** @throws GateError invalid_request where neither a work item nor a repository is named */
const requireRepo = ({ repo, dry_run }: PauseQuery): Trial => {
  if (repo !== undefined) return { repo, dry_run };
  throw invalidInput([
    { in: "query", pointer: "/work_item", detail: "must be there, or a repo for all of its tasks" },
  ]);
};

export const operatorRoutes = (app: FastifyInstance, gate: Gate): void => {
  app.post<{ Querystring: PauseQuery; Body: PauseNote }>(
    "/serial-gate/pause",
    {
      schema: routeSchema({
        tags,
        operationId: "pauseTask",
        summary: "Park a task, or all tasks of a repository: later tasks may overtake them",
        description:
          "It bypasses neither a freeze nor a dependency. Parking a parked task changes nothing. Without `work_item`, every unfinished task of `repo` that is not parked yet is; none of them then waits for another to start, so to keep a repository still, freeze it.",
        querystring: PauseQuery,
        body: PauseNote,
        response: { 200: ["The pause as it is now.", PauseAnswer] },
        problems: [404, 409],
      }),
    },
    ({ caller, query: { work_item, ...query }, body }) =>
      work_item === undefined
        ? gate.pauseLane(caller, requireRepo(query), body)
        : gate.pause(caller, { work_item, ...query }, body),
  );

  app.post<{ Querystring: PauseQuery; Body: Note }>(
    "/serial-gate/resume",
    {
      schema: routeSchema({
        tags,
        operationId: "resumeTask",
        summary: "Take a parked task back into its lane, or all that were parked together",
        description:
          "Without `work_item`, the tasks of `repo` come back that a pause of the whole repository parked; one that was parked by itself stays so.",
        querystring: PauseQuery,
        body: Note,
        response: { 200: ["The pause as it is now.", PauseAnswer] },
        problems: [404, 409],
      }),
    },
    ({ caller, query: { work_item, ...query }, body }) =>
      work_item === undefined
        ? gate.resumeLane(caller, requireRepo(query), body)
        : gate.resume(caller, { work_item, ...query }, body),
  );

  app.post<{ Querystring: Trial; Body: FreezeNote }>(
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
    (request) => gate.freeze(request.caller, request.query, request.body),
  );

  app.post<{ Querystring: UnfreezeQuery; Body: Note }>(
    "/unfreeze",
    {
      schema: routeSchema({
        tags,
        operationId: "unfreezeRepo",
        summary: "Clear the freezes of a repository, or one of them",
        description:
          "With `id` only that freeze is cleared: one that came after the operator looked stays, and the repository with it.",
        querystring: UnfreezeQuery,
        body: Note,
        response: { 200: ["What was cleared.", Unfrozen] },
      }),
    },
    (request) => gate.unfreeze(request.caller, request.query, request.body),
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
        tagged: true,
      }),
    },
    async (request, reply) => {
      const { repo } = request.query;
      const tag = await gate.queueTag(repo);
      if (hasAnswer(request, reply, tag && `W/"${tag}"`)) return reply.send();
      return reply.type("application/json; charset=utf-8").send(queueAnswer(await gate.queue(repo)));
    },
  );

  app.get<{ Querystring: WorkItemQuery }>(
    "/queue/explain",
    {
      schema: routeSchema({
        tags,
        operationId: "explainWorkItem",
        summary: "Why a work item waits: everything that holds it, down to the root, and what would free it",
        description:
          "Each way out is tried and taken back: `effect` is what would come of it. `chain` follows the first reason.",
        querystring: WorkItemQuery,
        response: { 200: ["The explanation.", Explanation] },
        problems: [404, 409],
      }),
    },
    (request) => gate.explain(request.query),
  );
};
