/** /whoami: what the service knows of its caller, so that a program or a page offers only what its token may do. */

import type { FastifyInstance } from "fastify";
import { rightsOf } from "../../access/role.ts";
import { Caller } from "../../contract/caller.ts";
import { routeSchema } from "../schemas.ts";

export const callerRoutes = (app: FastifyInstance, version: string): void => {
  app.get(
    "/whoami",
    {
      // Every role has it.
      config: { right: "watch" },
      schema: routeSchema({
        tags: ["service"],
        operationId: "whoAmI",
        summary: "The caller's name, role and rights",
        response: { 200: ["The caller.", Caller] },
      }),
    },
    ({ role, identity: { actor, reach, agents } }): Caller => ({
      name: actor,
      role: role ?? "",
      rights: role === null ? [] : rightsOf(role),
      repos: reach === null ? null : [...reach],
      agents: agents === null ? null : [...agents],
      version,
    }),
  );
};
