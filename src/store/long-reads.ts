/** Admission of long reads: so many run at once, further ones wait in the order of their arrival. A read whose caller is
 *  gone leaves the line, and all of them end when the store closes. It knows no database. */

import { StoreFault } from "./port.ts";

const abandoned = (): StoreFault => new StoreFault("abandoned", "Nobody waits for this read any more.");

/** An admitted read. */
export interface Admission {
  /** @throws StoreFault abandoned, once the caller is gone or the store closes */
  check(): void;
  /** Lets the next read in. */
  end(): void;
}

interface Waiting {
  readonly admit: () => void;
  readonly refuse: (fault: StoreFault) => void;
}

export class LongReads {
  readonly #most: number;
  readonly #waiting = new Set<Waiting>();
  #running = 0;
  #closed = false;
  #onIdle: (() => void) | undefined;

  /** @param most how many run at once */
  constructor(most: number) {
    this.#most = most;
  }

  /** Waits for its turn.
   *  @throws StoreFault abandoned */
  async enter(signal?: AbortSignal): Promise<Admission> {
    const check = (): void => {
      if (this.#closed || signal?.aborted) throw abandoned();
    };
    check();
    if (this.#running < this.#most) this.#running += 1;
    else await this.#wait(signal);
    return {
      check,
      end: () => {
        this.#leave();
      },
    };
  }

  /** Refuses the reads that wait, and resolves when those that run have ended. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { refuse } of [...this.#waiting]) refuse(abandoned());
    if (this.#running > 0) await new Promise<void>((idle) => (this.#onIdle = idle));
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leaveLine = (): void => {
        this.#waiting.delete(waiting);
        signal?.removeEventListener("abort", gone);
      };
      const waiting: Waiting = {
        admit: () => {
          leaveLine();
          resolve();
        },
        refuse: (fault) => {
          leaveLine();
          reject(fault);
        },
      };
      const gone = (): void => {
        waiting.refuse(abandoned());
      };
      signal?.addEventListener("abort", gone);
      this.#waiting.add(waiting);
    });
  }

  #leave(): void {
    const [next] = this.#waiting;
    if (next) {
      next.admit();
      return;
    }
    this.#running -= 1;
    if (this.#running === 0) this.#onIdle?.();
  }
}
