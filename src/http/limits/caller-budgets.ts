/** The budgets of a caller: changes a second, open long polls and open streams, by the name of its token. The headers are
 *  those of draft-ietf-httpapi-ratelimit-headers. Without tokens there is no name to count by, and no budget. */

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { OpenLimit, RateLimit, type Budgets } from "../../access/budgets.ts";
import { EdgeError } from "../problem.ts";
import { problem } from "../schemas.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The budget that a call takes from while it is open; a long poll only if it waits. */
    open?: "polls" | "streams";
  }
}

const CHANGES: readonly string[] = ["POST", "PATCH"];

const NAMES = { polls: "open long polls", streams: "open event streams" } as const;

/** The refusal of a call that a budget does not allow.
 *  @param seconds until it is worth another try */
export const overBudget = (actor: string, exceeded: string, seconds: number): EdgeError =>
  new EdgeError({
    code: "over_budget",
    detail: `The token ${actor} has used up its budget: ${exceeded}.`,
    headers: { "retry-after": String(seconds) },
  });

const waits = ({ body }: FastifyRequest): boolean =>
  typeof body === "object" && body !== null && "wait_ms" in body && Number(body.wait_ms) > 0;

export const useCallerBudgets = (app: FastifyInstance, budgets: Budgets): void => {
  const changes = new RateLimit(budgets.changes);
  const open = { polls: new OpenLimit(budgets.polls), streams: new OpenLimit(budgets.streams) };
  const policy = `"changes";q=${budgets.changes};w=1`;

  app.addHook("onRoute", (route) => {
    const { schema, config } = route;
    const isLimited = [route.method].flat().some((method) => CHANGES.includes(method));
    if (schema?.operationId === undefined || (!isLimited && config?.open === undefined)) return;
    const [status, described] = problem(429);
    route.schema = { ...schema, response: { ...(schema.response as object), [status]: described } };
  });

  const countChange = (actor: string, reply: FastifyReply): void => {
    const { isAllowed, left } = changes.take(actor, performance.now());
    void reply.headers({ "ratelimit-policy": policy, ratelimit: `"changes";r=${left};t=1` });
    if (!isAllowed) throw overBudget(actor, `${budgets.changes} changes a second`, 1);
  };

  app.addHook("onRequest", (request, reply, done) => {
    const { actor, method, routeOptions } = request;
    if (actor !== null && CHANGES.includes(method) && routeOptions.config.right !== undefined)
      countChange(actor, reply);
    done();
  });

  app.addHook("preHandler", (request, reply, done) => {
    const { actor } = request;
    const kind = request.routeOptions.config.open;
    if (actor !== null && kind !== undefined && (kind === "streams" || waits(request))) {
      const close = open[kind].open(actor);
      if (!close) throw overBudget(actor, `${budgets[kind]} ${NAMES[kind]}`, 5);
      reply.raw.once("close", close);
    }
    done();
  });
};
