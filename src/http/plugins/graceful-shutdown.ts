/** Graceful shutdown: in-flight requests are answered, idle connections are closed, and stragglers are cut after a grace
 *  period. Without it a keep-alive connection delays the end of the process by more than a minute.
 *  It knows connections only; the gate drains by itself. */

import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";

/** Containers get ten seconds to stop. An unfinished request, or a response that nobody reads, would take minutes. */
const GRACE_MS = 8_000;

export const useGracefulShutdown = (app: FastifyInstance): void => {
  /** Connections without a request so far: `closeIdleConnections` leaves them open. */
  const unused = new Set<Socket>();
  let closing = false;
  app.server.on("connection", (socket: Socket) => {
    if (closing) {
      socket.destroy();
      return;
    }
    unused.add(socket);
    socket.once("close", () => unused.delete(socket));
  });
  app.server.on("request", ({ socket }: IncomingMessage) => unused.delete(socket));
  app.addHook("onSend", (_request, reply, _payload, done) => {
    if (closing) void reply.header("connection", "close");
    done();
  });
  app.addHook("preClose", (done) => {
    closing = true;
    for (const socket of unused) socket.destroy();
    const timer = setTimeout(() => {
      app.server.closeAllConnections();
    }, GRACE_MS);
    app.server.once("close", () => {
      clearTimeout(timer);
    });
    done();
  });
};
