/** Who may call. With tokens, whoever sends one; without, only programs on this machine, and no web page that a
 *  browser on it has open. */

import { timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Actor } from "../gate/rule/policy.ts";
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

/** Finds the token of a secret in a time that tells nothing of the others: each is compared whole, at one length. */
const finder = (tokens: readonly Token[]): ((sent: string) => Token | undefined) => {
  const size = Math.max(0, ...tokens.map(({ secret }) => Buffer.byteLength(secret))) + 1;
  // What is longer than all of them is cut, behind the end of the longest: it equals none.
  const padded = (secret: string, encoding: BufferEncoding): Buffer => {
    const bytes = Buffer.alloc(size);
    bytes.write(secret, encoding);
    return bytes;
  };
  const known = tokens.map((token) => ({ token, bytes: padded(token.secret, "utf8") }));
  return (sent) => {
    const bytes = padded(sent, "latin1"); // A character of a header is a byte of it.
    return known.find((each) => timingSafeEqual(each.bytes, bytes))?.token;
  };
};

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

export const useAuth = (app: FastifyInstance, tokens: readonly Token[]): void => {
  const find = finder(tokens);
  const nameOf = (header: string | undefined): string | undefined => {
    const secret = /^Bearer +(\S+)$/i.exec(header ?? "")?.[1];
    return secret === undefined ? undefined : find(secret)?.name;
  };

  app.decorateRequest("actor", null);
  app.addHook("onRequest", (request, _reply, done) => {
    if (tokens.length === 0) refuseBrowsers(request);
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
