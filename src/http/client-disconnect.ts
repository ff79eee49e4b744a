/** Tells when a caller is gone. */

import type { FastifyReply } from "fastify";

/** Aborts when the caller hangs up before it is answered. */
export const clientDisconnect = ({ raw }: FastifyReply): AbortSignal => {
  const gone = new AbortController();
  // The answer's end, not the connection's: a worker that polls on one connection would pile up listeners.
  raw.once("close", () => {
    gone.abort();
  });
  return gone.signal;
};
