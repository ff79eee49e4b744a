/** Rounds of work in the background: one at a time, and a failure ends a round, not the work. */

import type { Log } from "../log.ts";

export class Rounds {
  readonly #log: Log;
  readonly #failed: string;
  #isRunning = false;
  #isStopped = false;

  /** @param failed said of a round that failed */
  constructor(log: Log, failed: string) {
    this.#log = log;
    this.#failed = failed;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** The database closes under a round that is under way: its failure is none. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Makes a round, unless one is under way. It never rejects. */
  async run(round: () => Promise<void>): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      await round();
    } catch (err) {
      if (!this.#isStopped) this.#log.warn({ err }, this.#failed);
    } finally {
      this.#isRunning = false;
    }
  }
}
