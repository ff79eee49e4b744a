/** The Idempotency-Key header: a POST or PATCH that is sent again under its key is answered as it was the first time.
 *  What a key does: src/gate/idempotency.ts. Here is how a call says so, and by what two calls are the same.
 *  The name and the answers are those of draft-ietf-httpapi-idempotency-key-header. */

import { createHash } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Caller } from "../gate/commands/idempotency.ts";
import { problem } from "./schemas.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Who calls, and under which key. */
    caller: Caller;
  }
}

const HEADER = "idempotency-key";
const CHANGES: readonly string[] = ["POST", "PATCH"];

const KEY_SCHEMA = {
  type: "object",
  properties: {
    [HEADER]: {
      type: "string",
      pattern: "^[!-~]{1,200}$",
      description:
        "A text of 1 to 200 visible ASCII characters that is this request's own, such as a UUID. The same request under the same key within 24 hours gets the same answer, with `Idempotency-Replayed: true`, and changes nothing again. A refusal is not kept, nor is a claim that found nothing.",
    },
  },
} as const;

/** The same for the same request: method, path, query and body. */
const fingerprintOf = ({ method, url, body }: FastifyRequest): string =>
  createHash("sha256")
    .update(JSON.stringify([method, url, body ?? null]))
    .digest("hex");

export const useIdempotencyKey = (app: FastifyInstance): void => {
  app.addHook("onRoute", (route) => {
    const { schema } = route;
    if (
      schema?.operationId === undefined ||
      ![route.method].flat().some((method) => CHANGES.includes(method))
    )
      return;
    const [status, reused] = problem(422);
    route.schema = {
      ...schema,
      headers: KEY_SCHEMA,
      response: { ...(schema.response as object), [status]: reused },
    };
  });
  app.decorateRequest("caller", null);
  app.addHook("preHandler", (request, reply, done) => {
    const key = request.headers[HEADER];
    request.caller =
      typeof key === "string" && CHANGES.includes(request.method)
        ? {
            actor: request.actor,
            key,
            fingerprint: fingerprintOf(request),
            replayed: () => void reply.header("idempotency-replayed", "true"),
          }
        : request.actor;
    done();
  });
};
