/** Limits of connections: their number, one request at a time on each, and an end for callers that do not read. */

import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";

/** Milliseconds in which a caller must take something of what it is sent. */
const READ_TIMEOUT_MS = 30_000;
const LOOK_EVERY_MS = 5_000;

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
const answerInTurn = (app: FastifyInstance): void => {
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
};

/** How far the output of a connection has got: it changes whenever the caller takes something. A large piece counts as
 *  unwritten until its last byte is taken; the handle knows of its parts. */
const progressOf = (socket: Socket): string => {
  const { _handle: handle } = socket as { readonly _handle?: { readonly writeQueueSize?: number } | null };
  return `${socket.bytesWritten}/${socket.writableLength}/${handle?.writeQueueSize ?? 0}`;
};

/** Ends connections whose caller takes nothing of what it is sent. */
const cutStalled = (app: FastifyInstance): void => {
  const sockets = new Set<Socket>();
  const stalls = new Map<Socket, { readonly progress: string; readonly since: number }>();
  const track = (socket: Socket): void => {
    sockets.add(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      stalls.delete(socket);
    });
  };
  app.server.on("connection", track);
  app.server.on("secureConnection", track);
  const timer = setInterval(() => {
    const now = performance.now();
    for (const socket of sockets) {
      if (socket.writableLength === 0) {
        stalls.delete(socket);
        continue;
      }
      const progress = progressOf(socket);
      const stall = stalls.get(socket);
      if (stall?.progress !== progress) stalls.set(socket, { progress, since: now });
      else if (now - stall.since >= READ_TIMEOUT_MS) socket.destroy();
    }
  }, LOOK_EVERY_MS).unref();
  app.addHook("onClose", (_app, done) => {
    clearInterval(timer);
    done();
  });
};

/** Limits the connections of the service.
 *  @param most connections; further ones are closed at once */
export const useConnectionLimits = (app: FastifyInstance, most: number): void => {
  answerInTurn(app);
  cutStalled(app);
  app.server.maxConnections = most;
  let warnedAt = -Infinity;
  app.server.on("drop", () => {
    if (performance.now() - warnedAt < WARN_EVERY_MS) return;
    warnedAt = performance.now();
    app.log.warn({ connections: most }, "All connections are in use: further ones are closed.");
  });
};
