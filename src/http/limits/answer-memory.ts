/** Bytes in flight: the memory that answers take from the moment they are begun until their caller has taken them. A page
 *  waits for room before it is read from the database, so that callers who do not read cannot fill the memory. */

import type { FastifyInstance } from "fastify";
import { PAGE_BYTES } from "../../gate/page-bytes.ts";
import { EdgeError } from "../problem.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** True for a route that answers with a page: it waits for room. */
    page?: boolean;
  }
  interface FastifyRequest {
    room: Room | null;
  }
}

/** Milliseconds that an answer waits for room before it is refused. */
const PATIENCE_MS = 5_000;

/** A page while it is made: its rows, its objects and its text. */
const PAGE_IN_WORK = 3 * PAGE_BYTES;

/** Room of one answer. */
export interface Room {
  /** Changes its size, once that is known. */
  resize(bytes: number): void;
  release(): void;
}

interface Waiting {
  readonly bytes: number;
  readonly admit: () => void;
}

export class AnswerMemory {
  readonly #most: number;
  readonly #waiting = new Set<Waiting>();
  #used = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Takes room that is needed already, whether there is any or not. */
  take(bytes: number): Room {
    let size = bytes;
    this.#used += size;
    return {
      resize: (newSize) => {
        this.#used += newSize - size;
        size = newSize;
        this.#admit();
      },
      release: () => {
        this.#used -= size;
        size = 0;
        this.#admit();
      },
    };
  }

  /** Waits for room, in the order of arrival.
   *  @param patience milliseconds; without an end by default
   *  @returns undefined when there was none in time, or the caller is gone */
  async reserve(bytes: number, gone: AbortSignal, patience?: number): Promise<Room | undefined> {
    if (gone.aborted) return undefined;
    if (this.#waiting.size === 0 && this.#fits(bytes)) return this.take(bytes);
    return new Promise((resolve) => {
      const leave = (room?: Room): void => {
        clearTimeout(timer);
        gone.removeEventListener("abort", giveUp);
        this.#waiting.delete(waiting);
        resolve(room);
      };
      const giveUp = (): void => {
        leave();
        this.#admit();
      };
      const timer = patience === undefined ? undefined : setTimeout(giveUp, patience);
      const waiting: Waiting = {
        bytes,
        admit: () => {
          leave(this.take(bytes));
        },
      };
      gone.addEventListener("abort", giveUp);
      this.#waiting.add(waiting);
    });
  }

  /** An answer that is larger than all the room is made alone. */
  #fits(bytes: number): boolean {
    return this.#used === 0 || this.#used + bytes <= this.#most;
  }

  #admit(): void {
    for (const { bytes, admit } of [...this.#waiting]) {
      if (!this.#fits(bytes)) return;
      admit();
    }
  }
}

export const overloaded = (): EdgeError =>
  new EdgeError({
    code: "overloaded",
    detail: "Answers that other callers have not taken yet fill the memory for answers.",
    headers: { "retry-after": "5" },
  });

const sizeOf = (payload: unknown): number =>
  typeof payload === "string" || Buffer.isBuffer(payload) ? payload.length : 0;

/** Makes pages wait for room, and counts the bytes of every answer until it is sent. */
export const useAnswerMemory = (app: FastifyInstance, memory: AnswerMemory): void => {
  app.decorateRequest("room", null);
  app.addHook("preHandler", async (request, reply) => {
    if (request.routeOptions.config.page !== true) return;
    const gone = new AbortController();
    reply.raw.once("close", () => {
      gone.abort();
      request.room?.release();
    });
    const room = await memory.reserve(PAGE_IN_WORK, gone.signal, PATIENCE_MS);
    if (!room) throw overloaded();
    request.room = room;
    if (reply.raw.destroyed) room.release();
  });
  app.addHook("onSend", (request, reply, payload, done) => {
    const bytes = sizeOf(payload);
    if (request.room) request.room.resize(bytes);
    else if (bytes > 0) {
      const room = memory.take(bytes);
      reply.raw.once("close", () => {
        room.release();
      });
    }
    done();
  });
};
