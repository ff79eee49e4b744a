/** The caller's disconnect as an AbortSignal. */

import type { FastifyReply } from "fastify";

/** Aborts when the response closes: the caller has disconnected, or has its answer. */
export const clientDisconnect = ({ raw }: FastifyReply): AbortSignal => {
  const disconnect = new AbortController();
  // Listens on the response, not the connection: long polls on one connection would add a listener each.
  raw.once("close", () => {
    disconnect.abort();
  });
  return disconnect.signal;
};
