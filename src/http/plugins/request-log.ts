/** The request's id and its one line in the log. The line has no header, no body and no
 *  parameter that the route does not know, and so no secret. */

import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

const REQUEST_ID = /^[\x21-\x7e]{1,100}$/;

/** The caller's X-Request-Id if it is usable, otherwise a new id. */
export const requestId = ({ headers }: Pick<IncomingMessage, "headers">): string => {
  const sent = headers["x-request-id"];
  return typeof sent === "string" && REQUEST_ID.test(sent) ? sent : randomUUID();
};

/** The path, and the values of the parameters that the route knows: any other may be a secret that was sent by mistake. */
const shownTarget = ({ url, routeOptions }: FastifyRequest): string => {
  const [path = "", query] = url.split(/\?(.*)/s);
  if (query === undefined) return path;
  const schema = routeOptions.schema?.querystring as { readonly properties?: object } | undefined;
  const known = Object.keys(schema?.properties ?? {});
  const parameters = query.split("&").map((each) => {
    const name = each.split("=", 1)[0] ?? "";
    return known.includes(name) ? each : "…";
  });
  return `${path}?${parameters.join("&")}`;
};

export const logRequest = (request: FastifyRequest, reply: FastifyReply): void => {
  request.log.info(
    {
      reqId: request.id,
      method: request.method,
      url: shownTarget(request),
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
      ip: request.ip,
      actor: request.actor ?? undefined,
    },
    "request",
  );
};

export const useRequestLog = (app: FastifyInstance): void => {
  app.addHook("onRequest", (request, reply, done) => {
    void reply.header("x-request-id", request.id);
    done();
  });
  app.addHook("onResponse", (request, reply, done) => {
    logRequest(request, reply);
    done();
  });
};
