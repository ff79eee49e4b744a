/** `/` and its assets: the dashboard, from memory. The page holds no data and needs no token; the calls that it makes do. */

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Page, PageFile } from "../../page.ts";
import { EdgeError } from "../problem.ts";

/** Nothing but this service's own files, no inline script or style, and no text that becomes markup: the browser itself
 *  refuses `innerHTML`. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

/** An asset's name changes with its content. */
const FOR_EVER = "public, max-age=31536000, immutable";

/** True where the caller's Accept-Encoding has the coding, and does not refuse it. */
const accepts = (header: string, coding: string): boolean =>
  header.split(",").some((each) => {
    const [name = "", ...parameters] = each.trim().toLowerCase().split(";");
    return name.trim() === coding && !parameters.some((parameter) => /^\s*q=0(\.0*)?\s*$/.test(parameter));
  });

const send = (
  { headers }: FastifyRequest,
  reply: FastifyReply,
  { type, etag, bodies }: PageFile,
): FastifyReply => {
  void reply.headers({ etag, vary: "accept-encoding" });
  if (headers["if-none-match"]?.includes(etag)) return reply.code(304).send();
  const offered = headers["accept-encoding"] ?? "";
  const [coding, body] = [...bodies].find(([name]) => name === "identity" || accepts(offered, name)) ?? [];
  if (coding !== "identity") void reply.header("content-encoding", coding);
  return reply.type(type).send(body);
};

export const pageRoutes = (app: FastifyInstance, page: Page): void => {
  const index = page.get("index.html");
  if (index === undefined) return;
  app.get("/", { config: { right: "anyone" }, schema: { hide: true } }, (request, reply) => {
    void reply.headers({ "cache-control": "no-cache", "content-security-policy": POLICY });
    return send(request, reply, index);
  });
  app.get<{ Params: { name: string } }>(
    "/assets/:name",
    { config: { right: "anyone" }, schema: { hide: true } },
    (request, reply) => {
      const file = page.get(`assets/${request.params.name}`);
      if (file === undefined)
        throw new EdgeError({
          code: "not_found",
          detail: `Nothing at ${request.url}.`,
          hint: "The dashboard was updated: load the page again.",
        });
      return send(request, reply.header("cache-control", FOR_EVER), file);
    },
  );
};
