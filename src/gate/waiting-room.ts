/** Long polls: those who wait for a job, oldest first, and who is served when something may have changed.
 *  Waiters that take the same jobs form one line; when its first gets nothing, the others behind it would
 *  get nothing either, so a change costs one claim a line, not one a waiter. */

/** One who waits. */
interface Waiter<Request, Answer> {
  readonly request: Request;
  readonly gone: AbortSignal | undefined;
  readonly answer: (answer: Answer | undefined) => void;
  readonly reject: (error: unknown) => void;
  /** Set when the waiter's time is over or it is gone; while it is being served that is found out afterwards. */
  over: boolean;
}

interface Line<Request, Answer> {
  readonly waiters: Waiter<Request, Answer>[];
  serving: boolean;
  /** Something changed while the line was being served. */
  again: boolean;
}

interface Service<Request, Answer> {
  /** Waiters of one key take the same jobs. */
  readonly keyOf: (request: Request) => string;
  /** Tries to serve; undefined when there is nothing. */
  readonly serve: (request: Request) => Promise<Answer | undefined>;
  /** Takes back what was given to someone who had gone. */
  readonly takeBack: (answer: Answer, request: Request) => Promise<void>;
  /** Called when the room becomes occupied; returns what to call when it is empty again. */
  readonly occupied: () => () => void;
}

export class WaitingRoom<Request, Answer> {
  readonly #service: Service<Request, Answer>;
  readonly #lines = new Map<string, Line<Request, Answer>>();
  #vacate: (() => void) | undefined;

  constructor(service: Service<Request, Answer>) {
    this.#service = service;
  }

  /** Waits until there is an answer, the time is over (undefined) or the caller is gone (undefined). */
  wait(request: Request, ms: number, gone?: AbortSignal): Promise<Answer | undefined> {
    return new Promise((accept, reject) => {
      const key = this.#service.keyOf(request);
      const line = this.#lines.get(key) ?? { waiters: [], serving: false, again: false };
      const timer = setTimeout(() => {
        this.#dismiss(key, line, waiter);
      }, ms);
      const leave = (): void => {
        this.#dismiss(key, line, waiter);
      };
      const settle = (): void => {
        clearTimeout(timer);
        gone?.removeEventListener("abort", leave);
      };
      const waiter: Waiter<Request, Answer> = {
        request,
        gone,
        answer: (answer) => {
          settle();
          accept(answer);
        },
        reject: (error) => {
          settle();
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passed on as it came
          reject(error);
        },
        over: false,
      };
      gone?.addEventListener("abort", leave);
      line.waiters.push(waiter);
      this.#lines.set(key, line);
      this.#vacate ??= this.#service.occupied();
      if (gone?.aborted) leave();
      else void this.#serve(key, line);
    });
  }

  /** Something may have become claimable. */
  ring(): void {
    for (const [key, line] of this.#lines) void this.#serve(key, line);
  }

  /** Sends everyone away with nothing. */
  close(): void {
    for (const [key, line] of this.#lines)
      for (const waiter of [...line.waiters]) this.#dismiss(key, line, waiter);
  }

  #dismiss(key: string, line: Line<Request, Answer>, waiter: Waiter<Request, Answer>): void {
    waiter.over = true;
    // The one at the front may be about to get a job: the serving decides.
    if (line.serving && line.waiters[0] === waiter) return;
    this.#remove(key, line, waiter);
    waiter.answer(undefined);
  }

  #remove(key: string, line: Line<Request, Answer>, waiter: Waiter<Request, Answer>): void {
    const place = line.waiters.indexOf(waiter);
    if (place >= 0) line.waiters.splice(place, 1);
    if (line.waiters.length > 0 || this.#lines.get(key) !== line) return;
    this.#lines.delete(key);
    if (this.#lines.size > 0) return;
    this.#vacate?.();
    this.#vacate = undefined;
  }

  async #serve(key: string, line: Line<Request, Answer>): Promise<void> {
    line.again = true;
    if (line.serving) return;
    line.serving = true;
    try {
      while (line.again) {
        line.again = false;
        await this.#serveWhileThereIs(key, line);
      }
    } finally {
      line.serving = false;
    }
  }

  async #serveWhileThereIs(key: string, line: Line<Request, Answer>): Promise<void> {
    for (let front = line.waiters[0]; front; front = line.waiters[0]) {
      let answer: Answer | undefined;
      try {
        answer = await this.#service.serve(front.request);
        if (answer !== undefined && front.gone?.aborted) {
          await this.#service.takeBack(answer, front.request);
          answer = undefined;
        }
      } catch (error) {
        this.#remove(key, line, front);
        front.reject(error);
        continue;
      }
      if (answer === undefined && !front.over) return;
      this.#remove(key, line, front);
      front.answer(answer);
    }
  }
}
