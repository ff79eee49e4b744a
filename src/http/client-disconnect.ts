/** The end of a caller as an AbortSignal. */

import type { FastifyReply } from "fastify";

/** Aborts when the response closes (the caller has disconnected, or has its answer), or when its token no longer holds. */
export const clientDisconnect = ({ raw, request }: FastifyReply): AbortSignal => {
  const disconnect = new AbortController();
  const end = (): void => {
    disconnect.abort();
  };
  const stop = request.watchToken(end);
  // Listens on the response, not the connection: long polls on one connection would add a listener each.
  raw.once("close", () => {
    stop();
    end();
  });
  if (raw.destroyed || raw.writableFinished) end();
  return disconnect.signal;
};
