/** Authorization: what a caller may do. Every route declares its right, or the service does not start. */

import type { FastifyInstance, FastifyRequest, RouteOptions } from "fastify";
import { mayDo, rolesWith, type Right } from "../../access/role.ts";
import { GateError } from "../../contract/errors.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The right that a caller needs. */
    right?: Right;
  }
}

const listOf = (names: readonly string[]): string => names.join(" or ");

/** @throws GateError forbidden */
export const requireRight = ({ role, actor }: FastifyRequest, right: Right): void => {
  if (right === "anyone" || (role !== null && mayDo(role, right))) return;
  const roles = rolesWith(right);
  throw new GateError("forbidden", `The token ${actor ?? ""} is a ${role ?? ""}: it may not do this.`, {
    hint: `Use a token with the role ${listOf(roles)}.`,
    more: { roles },
  });
};

/** Refuses a caller that is limited to some repositories what tells of all.
 *  @throws GateError forbidden */
export const requireAllRepos = ({ identity: { reach, actor } }: FastifyRequest): void => {
  if (reach !== null)
    throw new GateError(
      "forbidden",
      `The token ${actor ?? ""} is limited to some repositories: this tells of all.`,
      {
        hint: "Use a token without `repos`.",
      },
    );
};

export const useRights = (app: FastifyInstance): void => {
  // Looked at once all hooks have seen the routes: one of a part of the service may add the right.
  const routes: RouteOptions[] = [];
  app.addHook("onRoute", (route) => {
    routes.push(route);
  });
  app.addHook("onReady", (done) => {
    const open = routes.find(({ config }) => config?.right === undefined);
    done(
      open &&
        new Error(
          `The route ${String(open.method)} ${open.url} declares no right: add \`config: { right: "…" }\`.`,
        ),
    );
  });
  app.addHook("onRequest", (request, _reply, done) => {
    const { right } = request.routeOptions.config;
    if (right !== undefined) requireRight(request, right);
    done();
  });
};
