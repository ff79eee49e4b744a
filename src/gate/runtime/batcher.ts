/** Who waits to be served, oldest first: for a job, until something may have changed, or for those before them.
 *  Those who want the same form one line. Its first are served together, those of one turn of the event loop and
 *  those who came while others were being served; when one of them gets nothing, those behind would get nothing
 *  either, so a change costs one claim a line, not one a waiter. */

/** One who waits. */
interface Waiter<Request, Answer> {
  readonly request: Request;
  /** Asks once, and does not wait for a change. */
  readonly hurried: boolean;
  readonly gone: AbortSignal | undefined;
  readonly answer: (answer: Answer | undefined) => void;
  readonly reject: (error: unknown) => void;
  /** While it is, the serving decides what becomes of it. */
  beingServed: boolean;
  /** There was nothing for it the last time that it was looked for. */
  isIdle: boolean;
  /** Its time is over, or it is gone. */
  over: boolean;
}

interface Line<Request, Answer> {
  readonly waiters: Set<Waiter<Request, Answer>>;
  serving: boolean;
  /** Something changed while the line was being served, or someone came. */
  again: boolean;
}

interface Service<Request, Answer> {
  /** Waiters of one key take the same jobs. */
  readonly keyOf: (request: Request) => string;
  /** How much a waiter asks for. */
  readonly sizeOf: (request: Request) => number;
  /** Tries to serve; undefined for each for whom there is nothing. */
  readonly serve: (requests: readonly Request[]) => Promise<readonly (Answer | undefined)[]>;
  /** Whether all who are served together would be told of this error. */
  readonly isOfAll: (error: unknown) => boolean;
  /** Takes back what was given to someone who had gone. */
  readonly takeBack: (answer: Answer, request: Request) => Promise<void>;
  /** Called when there is someone who waits for a change; returns what to call when there is no one any more. */
  readonly occupied: () => () => void;
}

/** How much is asked for together: more would hold its lanes for long. */
const SIZE_AT_ONCE = 128;

const endOfTurn = (): Promise<void> => new Promise((wake) => setImmediate(wake));

export class WaitingRoom<Request, Answer> {
  readonly #service: Service<Request, Answer>;
  readonly #lines = new Map<string, Line<Request, Answer>>();
  #patient = 0;
  #vacate: (() => void) | undefined;

  constructor(service: Service<Request, Answer>) {
    this.#service = service;
  }

  /** Waits until there is an answer, the time is over (undefined) or the caller is gone (undefined).
   *  @param ms 0 to ask once */
  wait(request: Request, ms: number, gone?: AbortSignal): Promise<Answer | undefined> {
    return new Promise((accept, reject) => {
      const key = this.#service.keyOf(request);
      const line = this.#lines.get(key) ?? { waiters: new Set(), serving: false, again: false };
      const hurried = ms === 0;
      const leave = (): void => {
        this.#dismiss(key, line, waiter);
      };
      const timer = hurried ? undefined : setTimeout(leave, ms);
      const settle = (): void => {
        clearTimeout(timer);
        gone?.removeEventListener("abort", leave);
      };
      const waiter: Waiter<Request, Answer> = {
        request,
        hurried,
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
        beingServed: false,
        isIdle: false,
        over: false,
      };
      gone?.addEventListener("abort", leave);
      line.waiters.add(waiter);
      this.#lines.set(key, line);
      if (!hurried) {
        this.#patient += 1;
        this.#vacate ??= this.#service.occupied();
      }
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
      for (const waiter of line.waiters) this.#dismiss(key, line, waiter);
  }

  #dismiss(key: string, line: Line<Request, Answer>, waiter: Waiter<Request, Answer>): void {
    waiter.over = true;
    if (waiter.beingServed) return;
    this.#remove(key, line, [waiter]);
    waiter.answer(undefined);
  }

  #remove(key: string, line: Line<Request, Answer>, leaving: readonly Waiter<Request, Answer>[]): void {
    for (const waiter of leaving) if (line.waiters.delete(waiter) && !waiter.hurried) this.#patient -= 1;
    if (line.waiters.size === 0 && this.#lines.get(key) === line) this.#lines.delete(key);
    if (this.#patient > 0) return;
    this.#vacate?.();
    this.#vacate = undefined;
  }

  async #serve(key: string, line: Line<Request, Answer>): Promise<void> {
    line.again = true;
    if (line.serving) return;
    line.serving = true;
    try {
      await this.#gather(line);
      while (line.again) {
        line.again = false;
        await this.#serveWhileThereIs(key, line);
      }
    } finally {
      line.serving = false;
    }
  }

  /** Waits for those who come together: to the end of a turn of the event loop, and of another while each brings more. */
  async #gather({ waiters }: Line<Request, Answer>): Promise<void> {
    for (let before = 0; waiters.size > before && before < SIZE_AT_ONCE;) {
      before = waiters.size;
      await endOfTurn();
    }
  }

  /** Serves those who are in the line now, while there is something for them. Where there was nothing before, the first
   *  is served alone: most often there still is nothing, and then no more is asked for. */
  async #serveWhileThereIs(key: string, line: Line<Request, Answer>): Promise<void> {
    let unserved = [...line.waiters];
    let isFirst = true;
    while (unserved.length > 0) {
      const front = isFirst && unserved[0]?.isIdle ? unserved.slice(0, 1) : this.#front(unserved);
      isFirst = false;
      let more: boolean;
      try {
        more = await this.#serveTogether(key, line, front);
      } catch (error) {
        this.#refuse(key, line, unserved, error);
        return;
      }
      unserved = unserved.slice(front.length).filter(({ over }) => !over);
      if (more) continue;
      for (const waiter of unserved) if (waiter.hurried) this.#dismiss(key, line, waiter);
      return;
    }
  }

  /** The first of them, as many as are served together: one at least. */
  #front(waiters: readonly Waiter<Request, Answer>[]): readonly Waiter<Request, Answer>[] {
    let size = 0;
    const end = waiters.findIndex(({ request }, index) => {
      size += this.#service.sizeOf(request);
      return index > 0 && size > SIZE_AT_ONCE;
    });
    return waiters.slice(0, end < 0 ? undefined : end);
  }

  /** @returns whether there may be something for others yet
   *  @throws what all would be told */
  async #serveTogether(
    key: string,
    line: Line<Request, Answer>,
    front: readonly Waiter<Request, Answer>[],
  ): Promise<boolean> {
    for (const waiter of front) waiter.beingServed = true;
    let answers: readonly (Answer | undefined)[];
    try {
      answers = await this.#service.serve(front.map(({ request }) => request));
    } catch (error) {
      if (this.#service.isOfAll(error)) throw error;
      // Whose it is is not known: each alone, so that one does not fail its neighbours.
      if (front.length === 1) this.#refuse(key, line, front, error);
      else for (const waiter of front) await this.#serveTogether(key, line, [waiter]);
      return true;
    }
    const given = await Promise.all(front.map((waiter, index) => this.#unlessGone(waiter, answers[index])));
    const leaving = front.filter(({ hurried, over }, index) => given[index] !== undefined || hurried || over);
    this.#remove(key, line, leaving);
    front.forEach((waiter, index) => {
      waiter.beingServed = false;
      waiter.isIdle = true;
      if (waiter.hurried || waiter.over || given[index] !== undefined) waiter.answer(given[index]);
    });
    return !answers.includes(undefined);
  }

  #refuse(
    key: string,
    line: Line<Request, Answer>,
    waiters: readonly Waiter<Request, Answer>[],
    error: unknown,
  ): void {
    this.#remove(key, line, waiters);
    for (const waiter of waiters) waiter.reject(error);
  }

  async #unlessGone(
    { gone, request }: Waiter<Request, Answer>,
    answer: Answer | undefined,
  ): Promise<Answer | undefined> {
    if (answer === undefined || !gone?.aborted) return answer;
    // No one is left to be told that it failed; what is not taken back lapses.
    await this.#service.takeBack(answer, request).catch(() => undefined);
    return undefined;
  }
}
