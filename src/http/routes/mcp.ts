/** /mcp: the tools for agents. It holds no tool: a message goes to the MCP server, and the calls of its tools come back to
 *  this app as requests of the message's sender, with the same token, so that rights, budgets, filters and the log are those
 *  of the HTTP routes. */

import { randomUUID } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { clientDisconnect } from "../client-disconnect.ts";
import { PROBLEM_TYPE, problemOf, sizeText } from "../problem.ts";

/** Answers one MCP message, and calls the service by `send` in the name of its sender. */
export type AnswerMcp = (message: Request, body: unknown, send: typeof fetch) => Promise<Response>;

/** Names a call of a tool among the requests of this process. Requests from outside never pass by it: see isOurs. */
const CALL = "x-serial-gate-call";

const isOurs = ({ raw }: FastifyRequest): boolean => "isLightMyRequest" in raw;

/** Bytes of an answer that a tool reads. It is parsed in one turn of the event loop; only the whole queue may be larger. */
const MOST_ANSWER = 4 * 1024 * 1024;

const refused = (code: "answer_too_large" | "draining", detail: string, id: string): Response => {
  const { status, body } = problemOf({ code, detail }, id);
  return new Response(JSON.stringify(body), { status, headers: { "content-type": PROBLEM_TYPE } });
};

const METHODS = { GET: "GET", POST: "POST", PATCH: "PATCH" } as const;

export const mcpRoutes = (app: FastifyInstance, answer: AnswerMcp): void => {
  /** How each call of a tool learns that its sender has gone. */
  const senders = new Map<string, AbortSignal>();

  app.addHook("onRequest", (request, reply, done) => {
    const gone = isOurs(request) ? senders.get(String(request.headers[CALL])) : undefined;
    gone?.addEventListener("abort", () => reply.raw.destroy(), { once: true });
    if (gone?.aborted) reply.raw.destroy();
    done();
  });

  /** The platform's fetch for the tools: a request of the sender to this app. */
  const senderOf =
    ({ headers, id, ip }: FastifyRequest, gone: AbortSignal): typeof fetch =>
    async (target, init = {}) => {
      const call = randomUUID();
      const stop = init.signal ? AbortSignal.any([gone, init.signal]) : gone;
      senders.set(call, stop);
      try {
        const { pathname, search } = new URL(target instanceof Request ? target.url : target);
        const sent = await app.inject({
          method: METHODS[init.method as keyof typeof METHODS],
          url: pathname + search,
          remoteAddress: ip,
          headers: {
            ...(init.headers as Record<string, string>),
            ...(headers.authorization === undefined ? {} : { authorization: headers.authorization }),
            host: headers.host,
            "x-request-id": id,
            [CALL]: call,
          },
          ...(typeof init.body === "string" ? { payload: init.body } : {}),
        });
        if (sent.rawPayload.length > MOST_ANSWER)
          return refused(
            "answer_too_large",
            `The answer is larger than ${sizeText(MOST_ANSWER)}: name repositories.`,
            id,
          );
        return new Response(sent.payload, {
          status: sent.statusCode,
          headers: Object.entries(sent.headers).map(([name, value]): [string, string] => [
            name,
            String(value),
          ]),
        });
      } catch (error) {
        if ((error as { code?: unknown }).code !== "FST_ERR_REOPENED_CLOSE_SERVER") throw error;
        return refused("draining", "The service is shutting down.", id);
      } finally {
        senders.delete(call);
      }
    };

  const messageOf = ({ headers, url }: FastifyRequest, signal: AbortSignal): Request =>
    new Request(`http://service${url}`, {
      method: "POST",
      headers: Object.entries(headers).flatMap(([name, value]): [string, string][] =>
        typeof value === "string" && name !== "content-length" && name !== "authorization"
          ? [[name, value]]
          : [],
      ),
      signal,
    });

  app.post(
    "/mcp",
    { config: { right: "watch" }, schema: { hide: true } },
    async (request: FastifyRequest, reply: FastifyReply) => {
      const gone = clientDisconnect(reply);
      const answered = await answer(messageOf(request, gone), request.body, senderOf(request, gone));
      const text = await answered.text();
      return reply
        .code(answered.status)
        .type(answered.headers.get("content-type") ?? "application/json")
        .send(text);
    },
  );
};
