/** Security headers on every answer: no page may frame or embed it, sniff its type or keep it in a cache. Constants, so
 *  that an answer costs no more than copying them. Pages that are served to browsers name the sources that they load. */

import type { FastifyInstance } from "fastify";

/** The Content-Security-Policy of a page that loads its parts from this service only. */
export const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** The headers of the OWASP REST security cheat sheet. A route may replace any of them. */
export const SECURITY_HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
} as const;

export const useSecurityHeaders = (app: FastifyInstance): void => {
  app.addHook("onRequest", (_request, reply, done) => {
    void reply.headers(SECURITY_HEADERS);
    done();
  });
};
