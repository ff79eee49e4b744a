/** Budgets: limits on what a caller, and all callers together, may take of the service. Each is a setting. Those of a caller
 *  count by the name of its token; without tokens every caller is this machine, and only those of the service apply. */

export interface Budgets {
  /** Bytes of a request's body. */
  readonly body: number;
  /** Bytes of a payload or a result, as JSON. */
  readonly payload: number;
  /** Claims of one token that wait at once. */
  readonly polls: number;
  /** Event streams of one token. */
  readonly streams: number;
  /** Calls of one token that may change something, a second. */
  readonly changes: number;
  /** Bytes of the answers that are kept under a token's Idempotency-Keys. */
  readonly kept: number;
  /** Connections of all callers; undefined to stay below the limit of the process. */
  readonly connections: number | undefined;
  /** Bytes of answers that are being made or that their callers have not taken yet. */
  readonly answers: number;
  /** Bytes of the answers of GET /queue that are kept, or that a caller still reads. */
  readonly queue: number;
}

const KIB = 1024;
const MIB = KIB * KIB;

export const DEFAULT_BUDGETS: Budgets = {
  body: MIB,
  payload: 256 * KIB,
  polls: 2_000,
  streams: 50,
  changes: 600,
  kept: 20 * MIB,
  connections: undefined,
  answers: 16 * MIB,
  queue: 128 * MIB,
};

const WINDOW_MS = 1_000;

/** The state of a rate after a call. */
export interface Rate {
  readonly isAllowed: boolean;
  /** Calls that are left in this second. */
  readonly left: number;
}

/** Counts calls by name in windows of a second. */
export class RateLimit {
  readonly #most: number;
  readonly #counts = new Map<string, number>();
  #windowStart = -Infinity;

  constructor(most: number) {
    this.#most = most;
  }

  /** @param now milliseconds of a clock that never goes back */
  take(name: string, now: number): Rate {
    if (now - this.#windowStart >= WINDOW_MS) {
      this.#counts.clear();
      this.#windowStart = now;
    }
    const count = (this.#counts.get(name) ?? 0) + 1;
    if (count > this.#most) return { isAllowed: false, left: 0 };
    this.#counts.set(name, count);
    return { isAllowed: true, left: this.#most - count };
  }
}

/** Counts by name how many of a kind are open at once. */
export class OpenLimit {
  readonly #most: number;
  readonly #open = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Opens one more.
   *  @returns how to close it; undefined when the most are open */
  open(name: string): (() => void) | undefined {
    const count = this.#open.get(name) ?? 0;
    if (count >= this.#most) return undefined;
    this.#open.set(name, count + 1);
    return () => {
      const left = (this.#open.get(name) ?? 1) - 1;
      if (left === 0) this.#open.delete(name);
      else this.#open.set(name, left);
    };
  }
}
