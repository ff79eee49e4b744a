/** Who may call. With tokens, whoever sends one; without, only programs on this machine, and no web page that a
 *  browser on it has open. */

import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Actor } from "../gate/policy.ts";
import { EdgeError } from "./problem.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** The name of the caller's token; null when the service asks for none. */
    actor: Actor;
  }
  interface FastifyContextConfig {
    /** Answers also without a token. */
    open?: boolean;
  }
}

/** A secret that a caller may send, and the name it acts under. */
interface Token {
  readonly name: string;
  readonly secret: string;
}

const digest = (secret: string): Buffer => createHash("sha256").update(secret).digest();

const LOCAL_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;

/** A page of another site may make a browser call us, but not without saying so; one whose name was bound to
 *  this machine's address still sends its own name. */
const refuseBrowsers = ({ headers, method }: FastifyRequest): void => {
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none" && method !== "GET")
    throw new EdgeError("cross_origin", "Pages of other sites may not call this service.");
  if (!LOCAL_HOST.test(headers.host ?? ""))
    throw new EdgeError(
      "cross_origin",
      "Without tokens the service answers to the names of this machine only.",
      "Set SERIAL_GATE_TOKENS to serve it under another name.",
    );
};

export const useGuard = (app: FastifyInstance, tokens: readonly Token[]): void => {
  const known = tokens.map(({ name, secret }) => ({ name, hash: digest(secret) }));
  const nameOf = (header: string | undefined): string | undefined => {
    const secret = /^Bearer +(\S+)$/i.exec(header ?? "")?.[1];
    if (secret === undefined) return undefined;
    const sent = digest(secret);
    return known.find(({ hash }) => timingSafeEqual(hash, sent))?.name;
  };

  app.decorateRequest("actor", null);
  app.addHook("onRequest", (request, _reply, done) => {
    if (known.length === 0) refuseBrowsers(request);
    else if (request.routeOptions.config.open !== true) {
      const name = nameOf(request.headers.authorization);
      if (name === undefined)
        throw new EdgeError(
          "unauthorized",
          "A valid token is needed.",
          "Send it as: Authorization: Bearer SECRET",
          { "www-authenticate": 'Bearer realm="serial-gate"' },
        );
      request.actor = name;
    }
    done();
  });
};
