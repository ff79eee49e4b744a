/** Bytes in flight: the memory of answers that are being made, and of those that their callers have not taken yet. A few
 *  pages are made at a time, one begun in a turn of the event loop; a large answer is refused while the memory is full of
 *  answers that nobody reads, a small one never is. */

import type { FastifyInstance } from "fastify";
import { lend } from "./buffer-pool.ts";
import { EdgeError } from "../problem.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** True for a route that answers with a page: few are made at a time. */
    page?: boolean;
  }
  interface FastifyRequest {
    /** Ends the work on the page of this request. */
    endOfWork: (() => void) | null;
  }
}

/** Pages in work at once. Each takes its rows, its objects and its text. */
const MOST_IN_WORK = 4;
/** Milliseconds that a page waits for its turn before it is refused. */
const PATIENCE_MS = 10_000;
/** An answer of this many bytes is sent although the memory is full: it fits into the buffers of a connection. */
const SMALL = 128 * 1024;
/** The bytes of a stream's chunk, and of one while the memory is full. */
const CHUNK = { usual: 256 * 1024, tight: 16 * 1024 };

export class AnswerMemory {
  readonly #most: number;
  readonly #queue = new Set<() => void>();
  readonly #onRoom = new Set<() => void>();
  #inWork = 0;
  #isScheduled = false;
  #used = 0;

  /** @param most bytes of answers that callers have not taken */
  constructor(most: number) {
    this.#most = most;
  }

  /** Waits for a turn to make a page.
   *  @returns how to end it; undefined when there was no turn in time, or the caller is gone */
  work(gone: AbortSignal): Promise<(() => void) | undefined> {
    return new Promise((resolve) => {
      const leave = (): void => {
        clearTimeout(timer);
        gone.removeEventListener("abort", giveUp);
        this.#queue.delete(begin);
      };
      const giveUp = (): void => {
        leave();
        resolve(undefined);
      };
      const begin = (): void => {
        leave();
        this.#inWork += 1;
        let isOver = false;
        resolve(() => {
          if (isOver) return;
          isOver = true;
          this.#inWork -= 1;
          this.#schedule();
        });
      };
      const timer = setTimeout(giveUp, PATIENCE_MS);
      gone.addEventListener("abort", giveUp);
      this.#queue.add(begin);
      this.#schedule();
    });
  }

  /** True when an answer of that size may wait for its caller. */
  hasRoom(bytes: number): boolean {
    return bytes <= SMALL || this.#used === 0 || this.#used + bytes <= this.#most;
  }

  /** Counts an answer until the returned function is called. */
  hold(bytes: number): () => void {
    let size = bytes;
    this.#used += size;
    this.#wakeNext();
    return () => {
      this.#used -= size;
      size = 0;
      this.#wakeNext();
    };
  }

  /** Waits until a stream may make its next chunk, or until the caller is gone. One stream is let in at a time: the chunk of
   *  the one before is counted then.
   *  @returns the bytes that it may make */
  readonly chunkBytes = async (gone: AbortSignal): Promise<number> => {
    while (this.#isFull && !gone.aborted)
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          gone.removeEventListener("abort", wake);
          this.#onRoom.delete(wake);
          resolve();
        };
        gone.addEventListener("abort", wake);
        this.#onRoom.add(wake);
      });
    if (gone.aborted) this.#wakeNext();
    return this.#used < this.#most ? CHUNK.usual : CHUNK.tight;
  };

  get #isFull(): boolean {
    return this.#used >= 1.5 * this.#most;
  }

  #wakeNext(): void {
    if (this.#isFull) return;
    const [wake] = this.#onRoom;
    wake?.();
  }

  /** Begins one page in a turn: a page made at once would keep all others from being answered. */
  #schedule(): void {
    if (this.#isScheduled || this.#queue.size === 0 || this.#inWork >= MOST_IN_WORK) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      const [next] = this.#queue;
      next?.();
      this.#schedule();
    });
  }
}

export const overloaded = (): EdgeError =>
  new EdgeError({
    code: "overloaded",
    detail: "Answers that other callers have not taken yet fill the memory for answers.",
    headers: { "retry-after": "5" },
  });

/** Node reserves three bytes for each character of a text while it is written, and one for each of a buffer. */
const LONG_TEXT = 16 * 1024;

const sizeOf = (payload: unknown): number =>
  typeof payload === "string" || Buffer.isBuffer(payload) ? payload.length : 0;

/** Gives pages their turns, and counts the bytes of every answer until it is sent. */
export const useAnswerMemory = (app: FastifyInstance, memory: AnswerMemory): void => {
  app.decorateRequest("endOfWork", null);
  app.addHook("preHandler", async (request, reply) => {
    if (request.routeOptions.config.page !== true) return;
    const gone = new AbortController();
    reply.raw.once("close", () => {
      if (!reply.raw.writableFinished) gone.abort();
      request.endOfWork?.();
    });
    request.endOfWork = (await memory.work(gone.signal)) ?? null;
    if (!request.endOfWork) throw overloaded();
    if (reply.raw.destroyed) request.endOfWork();
  });
  app.addHook("onSend", (request, reply, text, done) => {
    request.endOfWork?.();
    if (request.endOfWork && !memory.hasRoom(sizeOf(text))) {
      done(overloaded());
      return;
    }
    const lent = typeof text === "string" && text.length > LONG_TEXT ? lend(text) : undefined;
    if (lent) reply.raw.once("finish", lent.giveBack);
    const payload = lent?.bytes ?? text;
    const bytes = sizeOf(payload);
    if (bytes > 0) reply.raw.once("close", memory.hold(bytes));
    done(null, payload);
  });
};
