/** 404 and 405: remembers the methods of every route, so that a known path with another method gets 405 and `Allow`.
 *  Install it before the routes. */

import type { FastifyInstance, FastifyRequest } from "fastify";
import { EdgeError } from "../problem.ts";

const pathOf = ({ url }: FastifyRequest): string => url.split("?", 1)[0] ?? url;

export const useMethodTable = (app: FastifyInstance): void => {
  const routes: { readonly pattern: RegExp; readonly method: string }[] = [];
  app.addHook("onRoute", ({ url, method }) => {
    const pattern = new RegExp(`^${url.replace(/:[^/]+/g, "[^/]+").replace(/\*/g, ".*")}$`);
    for (const each of [method].flat()) routes.push({ pattern, method: each });
  });

  app.setNotFoundHandler({ preHandler: [] }, (request) => {
    const path = pathOf(request);
    const methods = [
      ...new Set(routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method)),
    ];
    if (methods.length > 0)
      throw new EdgeError({
        code: "method_not_allowed",
        detail: `${path} does not support ${request.method}.`,
        hint: `Use ${methods.filter((method) => method !== "HEAD").join(" or ")}.`,
        headers: { allow: methods.join(", ") },
      });
    throw new EdgeError({
      code: "not_found",
      detail: `Nothing at ${path}.`,
      hint: "See /docs for all paths.",
    });
  });
};
