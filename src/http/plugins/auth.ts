/** Authentication. With tokens, every call needs one; without, whoever reaches the service is an operator: see
 *  browser-guard.ts. */

import { timingSafeEqual } from "node:crypto";
import type { FastifyInstance } from "fastify";
import type { Actor } from "../../gate/rule/policy.ts";
import { EdgeError } from "../problem.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** The name of the caller's token; null when the service has no tokens. */
    actor: Actor;
  }
  interface FastifyContextConfig {
    /** The route answers without a token. */
    open?: boolean;
  }
}

/** A caller's secret, and the name that its actions are recorded under. */
interface Token {
  readonly name: string;
  readonly secret: string;
}

/** Finds the token of a secret in constant time: all secrets are compared at one length. */
const tokenFinder = (tokens: readonly Token[]): ((sent: string) => Token | undefined) => {
  const size = Math.max(0, ...tokens.map(({ secret }) => Buffer.byteLength(secret))) + 1;
  // One byte longer than the longest secret: a longer text is cut, and still equals none.
  const padded = (secret: string, encoding: BufferEncoding): Buffer => {
    const bytes = Buffer.alloc(size);
    bytes.write(secret, encoding);
    return bytes;
  };
  const known = tokens.map((token) => ({ token, bytes: padded(token.secret, "utf8") }));
  return (sent) => {
    const bytes = padded(sent, "latin1"); // Node decodes header bytes as Latin-1.
    return known.find((each) => timingSafeEqual(each.bytes, bytes))?.token;
  };
};

export const useAuth = (app: FastifyInstance, tokens: readonly Token[]): void => {
  const findToken = tokenFinder(tokens);
  const actorOf = (header: string | undefined): string | undefined => {
    const secret = /^Bearer +(\S+)$/i.exec(header ?? "")?.[1];
    return secret === undefined ? undefined : findToken(secret)?.name;
  };

  app.decorateRequest("actor", null);
  app.addHook("onRequest", (request, _reply, done) => {
    if (tokens.length > 0 && request.routeOptions.config.open !== true) {
      const actor = actorOf(request.headers.authorization);
      if (actor === undefined)
        throw new EdgeError({
          code: "unauthorized",
          detail: "A valid token is required.",
          hint: "Send it as: Authorization: Bearer SECRET",
          headers: { "www-authenticate": 'Bearer realm="serial-gate"' },
        });
      request.actor = actor;
    }
    done();
  });
};
