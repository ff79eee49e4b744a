/** Authentication: who calls. With tokens, every call needs one; without, whoever reaches the service is an operator of all
 *  repositories: see browser-guard.ts. What a caller may do is rights.ts. */

import type { FastifyInstance } from "fastify";
import { Brake } from "../../access/brake.ts";
import { isExpired, type Keyring } from "../../access/keyring.ts";
import { Sessions } from "../../access/sessions.ts";
import type { Role } from "../../access/role.ts";
import type { Token } from "../../access/token-file.ts";
import { EVERYWHERE } from "../../contract/names/repo-pattern.ts";
import type { Identity } from "../../gate/rule/reach.ts";
import { EdgeError } from "../problem.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** The name of the caller's token; null when the service has no tokens. */
    actor: string | null;
    /** The caller's role; null for a call without a token. */
    role: Role | null;
    /** The caller: its name, and the repositories and agents that it is limited to. */
    identity: Identity;
    /** Calls `end` once the caller's token no longer holds, and returns how to stop watching. */
    watchToken: (end: () => void) => () => void;
  }
}

/** The caller of a service without tokens. */
const ANYONE: Identity = { actor: null, reach: EVERYWHERE, agents: null };

const nothing = (): void => undefined;
const neverEnds = (): (() => void) => nothing;

const unauthorized = (detail: string, hint: string): EdgeError =>
  new EdgeError({
    code: "unauthorized",
    detail,
    hint,
    headers: { "www-authenticate": 'Bearer realm="serial-gate"' },
  });

/** Finds the token of a request.
 *  @throws EdgeError unauthorized, too_many_wrong_tokens */
const tokenFinder = (keyring: Keyring): ((header: string | undefined, address: string) => Token) => {
  const brake = new Brake();
  return (header, address) => {
    const secret = /^Bearer +(\S+)$/i.exec(header ?? "")?.[1];
    if (secret === undefined)
      throw unauthorized("A valid token is required.", "Send it as: Authorization: Bearer SECRET");
    const token = keyring.find(secret);
    if (token && !isExpired(token, Date.now())) return token;
    const wait = brake.count(address, Date.now());
    if (wait > 0)
      throw new EdgeError({
        code: "too_many_wrong_tokens",
        detail: "Too many wrong tokens came from this address.",
        headers: { "retry-after": String(wait) },
      });
    if (token) throw unauthorized(`The token of ${token.name} has expired.`, "Ask for a new one.");
    throw unauthorized("A valid token is required.", "Send it as: Authorization: Bearer SECRET");
  };
};

/** @param keyring undefined for a service that asks for no token */
export const useAuth = (app: FastifyInstance, keyring: Keyring | undefined): void => {
  app.decorateRequest("actor", null);
  app.decorateRequest("role", keyring ? null : "operator");
  app.decorateRequest("identity");
  app.decorateRequest("watchToken");
  const findToken = keyring && tokenFinder(keyring);
  const sessions = keyring && new Sessions(keyring);
  app.addHook("onRequest", (request, _reply, done) => {
    request.identity = ANYONE;
    request.watchToken = neverEnds;
    if (findToken && request.routeOptions.config.right !== "anyone") {
      const token = findToken(request.headers.authorization, request.ip);
      const { name, role, reach, agents } = token;
      request.watchToken = (end) => sessions?.watch(token, end) ?? nothing;
      request.actor = name;
      request.role = role;
      request.identity = { actor: name, reach, agents };
    }
    done();
  });
};
