/** Collects requests and flushes them together: one queue for each key, one flush of it at a time, and each request gets
 *  its own result. It knows nothing of what a flush does. The model is River's BatchCompleter. */

import { StoreFault } from "../../store/port.ts";
import { valuesOf, type Result } from "../commands/outcome.ts";

/** The size of a flush: a larger transaction would lock its lanes for long. */
const MOST_TOGETHER = 128;

interface Work<Request, T> {
  /** Requests of one key are flushed together. */
  readonly keyOf: (request: Request) => string;
  /** The share of a request in the size of a flush. */
  readonly sizeOf: (request: Request) => number;
  /** Does the work of some requests; one result each, in their order. */
  readonly together: (requests: readonly Request[]) => Promise<readonly Result<T>[]>;
  /** Does the work of one request, without its neighbours. */
  readonly alone: (request: Request) => Promise<T>;
  /** True when a value is also the answer to a request behind it in the queue, so that it need not be flushed. */
  readonly answersAlso?: (value: T, request: Request) => boolean;
}

interface Pending<Request, T> {
  readonly request: Request;
  readonly resolve: (value: T | Promise<T>) => void;
  readonly reject: (error: unknown) => void;
}

/** True when a failure concerns every request of a batch, not one of them. */
export const concernsWholeBatch = (error: unknown): boolean =>
  error instanceof StoreFault && error.kind !== "refused" && error.kind !== "invalid";

const endOfTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export class Batcher<Request, T> {
  readonly #work: Work<Request, T>;
  /** A queue is here while it is being flushed. */
  readonly #queues = new Map<string, Pending<Request, T>[]>();

  constructor(work: Work<Request, T>) {
    this.#work = work;
  }

  /** Adds a request to the next flush of its key.
   *  @returns the value of its result
   *  @throws the error of its result, or the failure of the whole flush */
  submit(request: Request): Promise<T> {
    return new Promise((resolve, reject) => {
      const key = this.#work.keyOf(request);
      const pending = { request, resolve, reject };
      const queue = this.#queues.get(key);
      if (queue) queue.push(pending);
      else void this.#flushAll(key, [pending]);
    });
  }

  async #flushAll(key: string, queue: Pending<Request, T>[]): Promise<void> {
    this.#queues.set(key, queue);
    await this.#gather(queue);
    while (queue.length > 0) await this.#flush(this.#takeBatch(queue), queue);
    this.#queues.delete(key);
  }

  /** Waits to the end of a turn of the event loop, and of another while each brings more requests. */
  async #gather(queue: readonly unknown[]): Promise<void> {
    for (let before = 0; queue.length > before && before < MOST_TOGETHER;) {
      before = queue.length;
      await endOfTurn();
    }
  }

  /** Takes the first requests of a queue, as many as are flushed together: one at least. */
  #takeBatch(queue: Pending<Request, T>[]): Pending<Request, T>[] {
    let size = 0;
    const end = queue.findIndex(({ request }, index) => {
      size += this.#work.sizeOf(request);
      return index > 0 && size > MOST_TOGETHER;
    });
    return queue.splice(0, end < 0 ? queue.length : end);
  }

  async #flush(batch: readonly Pending<Request, T>[], queue: Pending<Request, T>[]): Promise<void> {
    const behind = new Set(queue);
    let results: readonly Result<T>[];
    try {
      results = await this.#work.together(batch.map(({ request }) => request));
    } catch (error) {
      // The requests behind the batch would wait only to fail alike.
      if (concernsWholeBatch(error)) for (const { reject } of [...batch, ...queue.splice(0)]) reject(error);
      else await this.#isolate(batch, error);
      return;
    }
    batch.forEach(({ request, resolve, reject }, index) => {
      const result = results[index];
      if (result && "value" in result) resolve(result.value);
      else if (result && "error" in result) reject(result.error);
      else resolve(this.#work.alone(request));
    });
    this.#answerBehind(valuesOf(results), behind, queue);
  }

  /** Answers requests that were behind a batch with a value of it. Newcomers ask for a later state: they wait. */
  #answerBehind(
    values: readonly T[],
    behind: ReadonlySet<Pending<Request, T>>,
    queue: Pending<Request, T>[],
  ): void {
    const { answersAlso } = this.#work;
    if (!answersAlso || behind.size === 0) return;
    for (const pending of queue.splice(0)) {
      const value = behind.has(pending)
        ? values.find((each) => answersAlso(each, pending.request))
        : undefined;
      if (value === undefined) queue.push(pending);
      else pending.resolve(value);
    }
  }

  /** Finds the request that made its batch fail: it alone is refused. */
  async #isolate(batch: readonly Pending<Request, T>[], error: unknown): Promise<void> {
    for (const { request, resolve, reject } of batch)
      if (batch.length === 1) reject(error);
      else await this.#work.alone(request).then(resolve, reject);
  }
}
