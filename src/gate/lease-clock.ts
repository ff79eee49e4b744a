/** Compares the clock that judges leases with one that never jumps. Leases end at a wall-clock time: after a jump forward
 *  all of them would be over at once, beside workers that still renew them; after a jump back, those of dead workers would
 *  hold their lanes for as long. It decides about no lease: commands/lease.ts does. */

/** A jump of less is left alone: clocks are set right by as much now and then. In milliseconds. */
export const TOLERATED_JUMP_MS = 5_000;
/** The longest lease. */
const LONGEST_MS = 24 * 60 * 60 * 1_000;

/** A jump forward that leases may still be judged by. */
export interface Jump {
  /** How far the clock jumped, in milliseconds; 0 when there was none. */
  readonly byMs: number;
  /** How long ago, in milliseconds. A lease that is not longer has been renewed since, or its worker is gone. */
  readonly agoMs: number;
}

const NO_JUMP: Jump = { byMs: 0, agoMs: 0 };

export class LeaseClock {
  readonly #monotonic: () => number;
  readonly #onJump: (byMs: number) => void;
  /** Wall clock less monotonic clock. */
  #offset: number | undefined;
  #byMs = 0;
  #jumpedAt = 0;
  #wentBack = true;

  /** @param monotonic milliseconds that never jump
   *  @param onJump is told of each jump, in milliseconds; less than 0 for one back */
  constructor(monotonic: () => number, onJump: (byMs: number) => void) {
    this.#monotonic = monotonic;
    this.#onJump = onJump;
  }

  /** The monotonic time, in milliseconds. */
  get elapsed(): number {
    return this.#monotonic();
  }

  /** True until leases were looked through after a jump back. The service may have started after one. */
  get wentBack(): boolean {
    return this.#wentBack;
  }

  /** True while leases are judged by a jump forward. */
  get isInDoubt(): boolean {
    return this.#byMs > 0;
  }

  /** Every lease has been looked at: none is longer than it should be. */
  settle(): void {
    this.#wentBack = false;
  }

  /** Takes in the wall-clock time, which may have been read a while ago.
   *  @param at milliseconds since 1970
   *  @param after `elapsed` before it was read. Without it, only a jump forward is noticed: an old reading looks like a jump
   *    back
   *  @returns the jump that leases are judged by */
  observe(at: number, after = -Infinity): Jump {
    const now = this.#monotonic();
    const least = at - now;
    const most = at - after;
    const known = this.#offset ?? least;
    if (least > known + TOLERATED_JUMP_MS) this.#jump(least - known, now);
    else if (most < known - TOLERATED_JUMP_MS) this.#jump(most - known, now);
    this.#offset = Math.min(Math.max(known, least), most);
    const agoMs = now - this.#jumpedAt;
    if (agoMs > LONGEST_MS) this.#byMs = 0;
    return this.#byMs > 0 ? { byMs: this.#byMs, agoMs } : NO_JUMP;
  }

  #jump(byMs: number, now: number): void {
    if (byMs < 0) this.#wentBack = true;
    else this.#jumpedAt = now;
    this.#byMs = Math.max(0, this.#byMs + byMs);
    this.#onJump(byMs);
  }
}

/** A sentence for the log. */
export const jumpSentence = (byMs: number): string => {
  const seconds = Math.round(Math.abs(byMs) / 1_000);
  return byMs > 0
    ? `The clock jumped ${seconds} s forward. A lease from before ends by the old clock until as much time as it is long has passed.`
    : `The clock jumped ${seconds} s back. Leases from before are shortened to their own length from now.`;
};
