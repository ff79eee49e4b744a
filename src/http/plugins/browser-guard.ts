/** Refuses the pages of other sites that a browser on this machine has open, while the service has no tokens: then whoever
 *  reaches it is an operator, and a page would act in that operator's name. As Go's http.CrossOriginProtection: a browser
 *  says where a request comes from by Sec-Fetch-Site, an older one by Origin. */

import type { IncomingHttpHeaders } from "node:http";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { invalidInput } from "../input-faults.ts";
import { EdgeError } from "../problem.ts";

const LOCAL_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;

const SAME_SITE = new Set(["same-origin", "none"]);

/** True when the Origin is the service itself. `null` is the origin of a sandboxed page. */
const isOwnOrigin = (origin: string, host: string | undefined): boolean =>
  URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();

/** True for a request that a page of another site makes. A link from there that opens a page of ours in its own window
 *  is none. */
const isFromAnotherSite = (method: string, headers: IncomingHttpHeaders): boolean => {
  const { origin, host, "sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": target } = headers;
  if (typeof site === "string")
    return !SAME_SITE.has(site) && !(method === "GET" && mode === "navigate" && target === "document");
  return origin !== undefined && !isOwnOrigin(origin, host);
};

const refuseOtherSites = ({ headers, method }: FastifyRequest): void => {
  if (isFromAnotherSite(method, headers))
    throw new EdgeError({
      code: "cross_origin",
      detail: "Web pages of other sites may not call this service.",
    });
  // DNS rebinding shows in the Host.
  if (!LOCAL_HOST.test(headers.host ?? ""))
    throw new EdgeError({
      code: "cross_origin",
      detail: "Without tokens, the service answers only to localhost and loopback addresses.",
      hint: "Set SERIAL_GATE_TOKENS or SERIAL_GATE_TOKENS_FILE to serve it under another name.",
    });
};

/** Refuses a missing Host, a second one, and a target that names a host of its own: none or two answers to the question
 *  which service is meant. HTTP/1.0 knows no Host.
 *  @throws GateError invalid_request */
const refuseUnclearHost = ({ raw }: FastifyRequest): void => {
  const hosts = raw.rawHeaders.filter((text, index) => index % 2 === 0 && text.toLowerCase() === "host");
  const isMissing = hosts.length === 0 && raw.httpVersion !== "1.0";
  if (isMissing || hosts.length > 1 || !(raw.url ?? "/").startsWith("/"))
    throw invalidInput([
      { in: "header", pointer: "/host", detail: "must name the host once, and nothing else may" },
    ]);
};

/** @param isLocal true for a service without tokens */
export const useBrowserGuard = (app: FastifyInstance, isLocal: boolean): void => {
  app.addHook("onRequest", (request, _reply, done) => {
    refuseUnclearHost(request);
    if (isLocal) refuseOtherSites(request);
    done();
  });
};
