/** /freeze and /unfreeze: a freeze closes a whole repository until a person clears it. */

import type { FastifyInstance } from "fastify";
import type * as z from "zod";
import { FreezeNote, FreezeQuery, FreezeState, UnfreezeQuery, Unfrozen } from "../../contract/operations.ts";
import { Note } from "../../contract/scalars.ts";
import type { Gate } from "../../gate/gate.ts";
import { routeSchema } from "../schemas.ts";

const tags = ["operator"] as const;

export const freezeRoutes = (app: FastifyInstance, gate: Gate): void => {
  app.post<{ Querystring: z.output<typeof FreezeQuery>; Body: FreezeNote }>(
    "/freeze",
    {
      config: { right: "produce" },
      schema: routeSchema({
        tags,
        operationId: "freezeRepo",
        summary: "Freeze a repository until a person clears the freeze",
        description: [
          "Each call is a freeze of its own, also of a frozen repository: each is cleared, and `id` of an unfreeze tells them",
          "apart. `in_force` is false where the gate is switched off or its scope leaves the repository out: the freeze is",
          "recorded and holds nothing until that changes. `known` is false where nothing has the repository yet.",
        ].join(" "),
        querystring: FreezeQuery,
        body: FreezeNote,
        response: { 200: ["The freeze.", FreezeState] },
        problems: [404, 409],
      }),
    },
    (request) => gate.freeze(request.caller, request.query, request.body),
  );

  app.post<{ Querystring: UnfreezeQuery; Body: Note }>(
    "/unfreeze",
    {
      config: { right: "operate" },
      schema: routeSchema({
        tags,
        operationId: "unfreezeRepo",
        summary: "Clear all freezes of a repository, or one of them",
        description:
          "With `id`, only that freeze is cleared: a freeze that came after the operator looked remains, and keeps the repository frozen.",
        querystring: UnfreezeQuery,
        body: Note,
        response: { 200: ["The cleared freezes.", Unfrozen] },
        problems: [404],
      }),
    },
    (request) => gate.unfreeze(request.caller, request.query, request.body),
  );
};
