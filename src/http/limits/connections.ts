/** Limits of connections: their number, one request at a time on each, and an end for callers that do not read. */

import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";

/** Milliseconds in which a caller must take something of what it is sent. */
export const READ_TIMEOUT_MS = 30_000;

/** Requests that may wait on one connection behind the one that is worked on (HTTP pipelining). */
const MOST_WAITING = 100;

/** Milliseconds between two lines in the log about refused connections. */
const WARN_EVERY_MS = 60_000;

interface Turns {
  isBusy: boolean;
  readonly waiting: (() => void)[];
}

/** Answers the requests of a connection one after the other, as they must be sent: a caller that sends many at once and
 *  reads nothing has one of them worked on. */
const answerInTurn = (app: FastifyInstance): ((socket: Socket) => boolean) => {
  const connections = new WeakMap<Socket, Turns>();
  const turnsOf = (socket: Socket): Turns => {
    const turns = connections.get(socket) ?? { isBusy: false, waiting: [] };
    connections.set(socket, turns);
    return turns;
  };
  app.addHook("onRequest", (request, reply, done) => {
    const { socket } = request.raw;
    const turns = turnsOf(socket);
    const begin = (): void => {
      turns.isBusy = true;
      reply.raw.once("close", () => {
        turns.isBusy = false;
        // The requests that wait on a closed connection are forgotten with it.
        if (!socket.destroyed) turns.waiting.shift()?.();
      });
      done();
    };
    if (!turns.isBusy) begin();
    else if (turns.waiting.length < MOST_WAITING) turns.waiting.push(begin);
    else socket.destroy();
  });
  return (socket) => connections.get(socket)?.isBusy ?? false;
};

/** Limits the connections of the service. The server's timeout must be READ_TIMEOUT_MS.
 *  @param most connections; further ones are closed at once */
export const useConnectionLimits = (app: FastifyInstance, most: number): void => {
  const isBusy = answerInTurn(app);
  app.server.maxConnections = most;
  // Without a listener, Node would also close a connection whose answer is only not made yet, such as a long poll.
  app.server.on("timeout", (socket: Socket) => {
    if (socket.writableLength > 0 || !isBusy(socket)) socket.destroy();
  });
  let warnedAt = -Infinity;
  app.server.on("drop", () => {
    if (performance.now() - warnedAt < WARN_EVERY_MS) return;
    warnedAt = performance.now();
    app.log.warn({ connections: most }, "All connections are in use: further ones are closed.");
  });
};
