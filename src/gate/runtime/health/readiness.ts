/** Whether the database takes the gate's work. A write that failed for a reason that is not its caller's turns it red; only
 *  a write of its own turns it green again, because a successful claim of nothing touches no disk.
 *  It knows no statement: see probe.ts. */

import { StoreFault } from "../../../store/port.ts";
import type { Log } from "../log.ts";

/** The shortest time between two trials, in milliseconds. */
const EVERY_MS = 1_000;

interface ReadinessParts {
  readonly log: Log;
  /** Reads the parts of the database that every operation needs.
   *  @throws StoreFault */
  readonly read: () => Promise<void>;
  /** Writes as operations do, and commits.
   *  @throws StoreFault */
  readonly write: () => Promise<void>;
  /** Milliseconds that never jump. */
  readonly monotonic: () => number;
}

export class Readiness {
  readonly #parts: ReadinessParts;
  /** Why it is red. */
  #fault: StoreFault | undefined;
  /** A constraint refused a write: the caller's fault, or that of a constraint that refuses everything. */
  #isSuspect = false;
  #triedAt = -Infinity;
  #trial: Promise<void> | undefined;

  constructor(parts: ReadinessParts) {
    this.#parts = parts;
  }

  /** False while the database is known not to take work. */
  get isGreen(): boolean {
    return this.#fault === undefined && !this.#isSuspect;
  }

  /** Takes in an error of an operation. */
  failed(error: unknown): void {
    if (!(error instanceof StoreFault) || error.kind === "invalid") return;
    if (error.kind === "refused") this.#isSuspect = true;
    else this.#turnRed(error);
  }

  /** Returns when the database takes work, as far as that is known. Tries it at most once a second while it did not.
   *  @throws StoreFault */
  async check(): Promise<void> {
    try {
      await this.#parts.read();
    } catch (error) {
      this.failed(error);
      throw error;
    }
    if (this.isGreen) return;
    const isDue = this.#parts.monotonic() - this.#triedAt >= EVERY_MS;
    if (isDue) this.#trial ??= this.#try().finally(() => (this.#trial = undefined));
    await this.#trial;
    if (this.#fault) throw this.#fault;
  }

  async #try(): Promise<void> {
    this.#triedAt = this.#parts.monotonic();
    try {
      await this.#parts.write();
    } catch (error) {
      if (!(error instanceof StoreFault)) throw error;
      // A constraint that refuses the service itself is no answer to it.
      const { kind, message } = error;
      this.#turnRed(kind === "refused" ? new StoreFault("unavailable", message, error) : error);
      return;
    }
    this.#isSuspect = false;
    if (this.#fault) this.#parts.log.info({}, "The database takes work again.");
    this.#fault = undefined;
  }

  #turnRed(fault: StoreFault): void {
    if (!this.#fault)
      this.#parts.log.error(
        { err: fault },
        `The service is not ready: ${fault.message} It tries again every second.`,
      );
    this.#fault = fault;
  }
}
