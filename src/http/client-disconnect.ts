/** The end of a caller as an AbortSignal. */

import type { FastifyReply } from "fastify";

/** Aborts when the caller disconnects before it has its whole answer, or when its token no longer holds. A normal end aborts
 *  nothing: nobody waits any more, and an abort makes an error with its stack. */
export const clientDisconnect = ({ raw, request }: FastifyReply): AbortSignal => {
  const disconnect = new AbortController();
  const end = (): void => {
    disconnect.abort();
  };
  const stop = request.watchToken(end);
  // Listens on the response, not the connection: long polls on one connection would add a listener each.
  raw.once("close", () => {
    stop();
    if (!raw.writableFinished) end();
  });
  if (raw.destroyed || raw.writableFinished) end();
  return disconnect.signal;
};
