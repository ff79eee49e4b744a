/** Probes, metrics and the API's description: the calls of monitoring and tools. */

import type { FastifyInstance } from "fastify";
import * as z from "zod";
import type { Gate } from "../../gate/gate.ts";
import { requireAllRepos } from "../plugins/rights.ts";
import { routeSchema } from "../schemas.ts";

const tags = ["service"] as const;

const Ok = z.strictObject({ status: z.literal("ok") });

export const serviceRoutes = (
  app: FastifyInstance,
  gate: Gate,
  readMetrics: () => Promise<{ type: string; text: string }>,
): void => {
  app.get(
    "/livez",
    {
      config: { right: "anyone", ignoresQuery: true },
      schema: routeSchema({
        tags,
        operationId: "alive",
        summary: "Liveness: the process answers",
        response: { 200: ["Alive.", Ok] },
        open: true,
      }),
    },
    () => ({ status: "ok" }),
  );

  app.get(
    "/readyz",
    {
      config: { right: "anyone", ignoresQuery: true },
      schema: routeSchema({
        tags,
        operationId: "ready",
        summary: "Readiness: the database answers and the service is not shutting down",
        response: { 200: ["Ready.", Ok] },
        open: true,
      }),
    },
    async () => {
      await gate.ready();
      return { status: "ok" };
    },
  );

  app.get("/metrics", { config: { right: "monitor" }, schema: { hide: true } }, async (request, reply) => {
    requireAllRepos(request);
    const { type, text } = await readMetrics();
    return reply.type(type).send(text);
  });

  app.get("/openapi.json", { config: { right: "anyone" }, schema: { hide: true } }, () => app.swagger());
};

/** /llms.txt: the service in a page, for language models. */
export const llmsRoute = (app: FastifyInstance, text: string): void => {
  app.get("/llms.txt", { config: { right: "anyone" }, schema: { hide: true } }, (_request, reply) =>
    reply.type("text/plain; charset=utf-8").send(text),
  );
};
