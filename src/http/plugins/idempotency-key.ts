/** The Idempotency-Key header (draft-ietf-httpapi-idempotency-key-header): adds it to every POST and PATCH, and computes
 *  the fingerprint by which two requests are the same. Stored answers are the gate's: src/gate/commands/idempotency.ts. */

import { createHash } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Caller } from "../../gate/commands/idempotency.ts";
import { problem } from "../schemas.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** The caller, with its idempotency key if it sent one. */
    caller: Caller;
  }
}

const HEADER = "idempotency-key";
const METHODS: readonly string[] = ["POST", "PATCH"];

const KEY_SCHEMA = {
  type: "object",
  properties: {
    [HEADER]: {
      type: "string",
      pattern: "^[!-~]{1,200}$",
      description:
        "A unique key for this request, such as a UUID: 1 to 200 visible ASCII characters. The same request with the same key within 24 hours (sooner forgotten, though not before two minutes, for a token that keeps more than its budget) gets the same answer, with `Idempotency-Replayed: true`, and changes nothing again. Errors are not stored, nor is a claim that found no job.",
    },
  },
} as const;

/** Equal for requests with the same method, path, query and body. */
const fingerprintOf = ({ method, url, body }: FastifyRequest): string =>
  createHash("sha256")
    .update(JSON.stringify([method, url, body ?? null]))
    .digest("hex");

export const useIdempotencyKey = (app: FastifyInstance): void => {
  app.addHook("onRoute", (route) => {
    const { schema } = route;
    if (
      schema?.operationId === undefined ||
      ![route.method].flat().some((method) => METHODS.includes(method))
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
      typeof key === "string" && METHODS.includes(request.method)
        ? {
            ...request.identity,
            key,
            fingerprint: fingerprintOf(request),
            replayed: () => void reply.header("idempotency-replayed", "true"),
          }
        : request.identity;
    done();
  });
};
