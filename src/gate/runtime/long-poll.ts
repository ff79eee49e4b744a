/** Long polling: callers wait, oldest first in a line for each key, until there is an answer for them.
 *  A notification is only ever a latency hint: it makes callers ask again sooner, and asking decides what they get.
 *  It knows nothing of what is asked for, and nothing of batches. */

import { concernsWholeBatch } from "./batcher.ts";

/** This many callers of a line ask at once, as many as a batch takes. */
const MOST_AT_ONCE = 128;

interface Poll<Answer> {
  /** Callers of one key ask for the same: while there is nothing for the first, there is nothing for the others. */
  readonly key: string;
  /** How long to wait, in milliseconds; 0 asks once. */
  readonly ms: number;
  /** Aborted when the caller hangs up. */
  readonly gone?: AbortSignal | undefined;
  /** Asks once; undefined while there is nothing. */
  readonly ask: () => Promise<Answer | undefined>;
  /** Takes back an answer that the caller is not there for any more. */
  readonly takeBack: (answer: Answer) => Promise<void>;
}

interface Caller<Answer> {
  readonly poll: Poll<Answer>;
  /** While it asks it cannot be sent away: an answer may be under way to it. */
  isAsking: boolean;
  /** It leaves after asking, even with nothing: it asks only once, hung up, or its time is over. */
  isOver: boolean;
  readonly resolve: (answer: Answer | undefined) => void;
  readonly reject: (error: unknown) => void;
}

interface Line<Answer> {
  /** In the order of their arrival. */
  readonly callers: Set<Caller<Answer>>;
  isServing: boolean;
  /** A notification or a newcomer came while the line was being served. */
  isNotified: boolean;
}

const firstWaiting = <Answer>({ callers }: Line<Answer>): Caller<Answer> | undefined => {
  for (const caller of callers) if (!caller.isAsking) return caller;
  return undefined;
};

export class LongPoll<Answer> {
  /** Watches for changes of other programs; returns how to stop. */
  readonly #watch: (notify: () => void) => () => void;
  readonly #lines = new Map<string, Line<Answer>>();
  #patient = 0;
  #unwatch: (() => void) | undefined;
  #notifications = 0;

  /** @param watch called while there are callers that wait */
  constructor(watch: (notify: () => void) => () => void) {
    this.#watch = watch;
  }

  /** Asks at once, and again after notifications.
   *  @returns the answer; undefined when there was none in time, or the caller hung up
   *  @throws what asking throws */
  wait(poll: Poll<Answer>): Promise<Answer | undefined> {
    const { key, ms, gone } = poll;
    if (gone?.aborted) return Promise.resolve(undefined);
    const line = this.#lines.get(key) ?? { callers: new Set(), isServing: false, isNotified: false };
    this.#lines.set(key, line);
    // The first of the line asks ahead of a newcomer: nobody is overtaken.
    void this.#serve(line);
    return new Promise((resolve, reject) => {
      const dismiss = (): void => {
        this.#dismiss(caller);
      };
      const timer = ms > 0 ? setTimeout(dismiss, ms) : undefined;
      gone?.addEventListener("abort", dismiss);
      const leave = (): void => {
        clearTimeout(timer);
        gone?.removeEventListener("abort", dismiss);
        this.#leave(line, caller);
      };
      const caller: Caller<Answer> = {
        poll,
        isAsking: false,
        isOver: ms === 0,
        resolve: (answer) => {
          leave();
          resolve(answer);
        },
        reject: (error) => {
          leave();
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passed on as it came
          reject(error);
        },
      };
      line.callers.add(caller);
      if (ms > 0) this.#patient += 1;
      if (this.#patient > 0) this.#unwatch ??= this.#watch(this.notify);
      void this.#enter(line, caller);
    });
  }

  /** Makes callers ask again: there may be something for them. */
  readonly notify = (): void => {
    this.#notifications += 1;
    for (const line of this.#lines.values()) void this.#serve(line);
  };

  /** Sends every caller away with nothing. */
  close(): void {
    for (const line of this.#lines.values()) for (const caller of line.callers) this.#dismiss(caller);
  }

  #dismiss(caller: Caller<Answer>): void {
    caller.isOver = true;
    if (!caller.isAsking) caller.resolve(undefined);
  }

  #leave(line: Line<Answer>, caller: Caller<Answer>): void {
    if (!line.callers.delete(caller)) return;
    const { key, ms } = caller.poll;
    if (line.callers.size === 0 && this.#lines.get(key) === line) this.#lines.delete(key);
    if (ms > 0) this.#patient -= 1;
    if (this.#patient > 0) return;
    this.#unwatch?.();
    this.#unwatch = undefined;
  }

  /** A newcomer asks at once. A notification that came while it did may have been for it. */
  async #enter(line: Line<Answer>, caller: Caller<Answer>): Promise<void> {
    const before = this.#notifications;
    await this.#ask(line, caller);
    if (this.#notifications > before) await this.#serve(line);
  }

  async #serve(line: Line<Answer>): Promise<void> {
    line.isNotified = true;
    if (line.isServing) return;
    line.isServing = true;
    while (line.isNotified) {
      line.isNotified = false;
      await this.#askInTurn(line);
    }
    line.isServing = false;
  }

  /** Makes the waiting callers ask while there is something for them. The first asks alone: most often there still is
   *  nothing, and a thousand idle callers then cost one question, and no look at the others. */
  async #askInTurn(line: Line<Answer>): Promise<void> {
    const first = firstWaiting(line);
    if (!first || !(await this.#ask(line, first))) return;
    const waiting = [...line.callers].filter(({ isAsking }) => !isAsking);
    while (waiting.length > 0) {
      const next = waiting.splice(0, MOST_AT_ONCE).filter((caller) => line.callers.has(caller));
      const served = await Promise.all(next.map((caller) => this.#ask(line, caller)));
      if (served.includes(false)) return;
    }
  }

  /** @returns false when there is nothing, so that the callers behind need not ask */
  async #ask(line: Line<Answer>, caller: Caller<Answer>): Promise<boolean> {
    const { ask, gone, takeBack } = caller.poll;
    caller.isAsking = true;
    try {
      const answer = await ask();
      if (answer !== undefined && gone?.aborted) {
        // Nobody is left to be told of a failure; a job that is not taken back expires.
        await takeBack(answer).catch(() => undefined);
        caller.resolve(undefined);
        return true;
      }
      caller.isAsking = false;
      if (answer !== undefined || caller.isOver) caller.resolve(answer);
      return answer !== undefined;
    } catch (error) {
      caller.reject(error);
      if (!concernsWholeBatch(error)) return true;
      for (const other of line.callers) if (!other.isAsking) other.reject(error);
      return false;
    }
  }
}
