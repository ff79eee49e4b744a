/** Requests over the platform's fetch: nodes, the token, keys, and repeats where the service asks for them. */

import { jsonOf, NO_ANSWER, ProblemError, problemOf } from "./problem.ts";

/** How often a request is sent again, the longest Retry-After that is waited for, and the wait after a failure of the
 *  network. */
const REPEATS = 3;
const LONGEST_WAIT_S = 10;
const NETWORK_WAIT_MS = { first: 100, longest: 400 };

/** The wait that the service asks for before a repeat, in milliseconds; undefined when it asks for none. */
const retryAfterMs = ({ status, headers }: Response): number | undefined => {
  const after = /^\d{1,6}$/.exec(headers.get("retry-after") ?? "")?.[0];
  const seconds = status === 503 && after !== undefined ? Number(after) : Infinity;
  return seconds <= LONGEST_WAIT_S ? seconds * 1_000 : undefined;
};

/** The delay after so many failures: it doubles, up to the longest, with jitter. Milliseconds. */
export const backoff = (
  { first, longest }: { readonly first: number; readonly longest: number },
  failures: number,
): number => Math.min(longest, first * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2);

/** 122 random bits. A page that was not loaded over HTTPS has no `crypto.randomUUID`. */
export const newKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );

/** Waits.
 *  @throws the signal's reason */
export const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((wake, fail) => {
    const abort = (): void => {
      clearTimeout(timer);
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passed on as it came
      fail(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      wake();
    }, ms);
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });

type QueryValues = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** The path with its query. A list repeats its key; undefined values are left out. */
export const withQuery = (path: string, query: QueryValues): string => {
  const pairs = Object.entries(query).flatMap(([key, value]) =>
    value === undefined ? [] : [value].flat().map((each): [string, string] => [key, String(each)]),
  );
  return pairs.length === 0 ? path : `${path}?${new URLSearchParams(pairs).toString()}`;
};

/** For calls that are harmless to repeat. */
export const NO_KEY = "";

interface Sent {
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** The Idempotency-Key; a new one for every change by default. */
  readonly key?: string | undefined;
}

export interface Address {
  /** Such as `http://127.0.0.1:8080`. One for each node, at least one. */
  readonly url: string | readonly string[];
  /** The secret of one of the service's tokens. */
  readonly token?: string | undefined;
  /** Sends the requests in the place of the platform's fetch. */
  readonly fetch?: typeof fetch | undefined;
}

export class Transport {
  /** In the order in which they are asked. */
  #nodes: readonly string[];
  readonly #headers: Readonly<Record<string, string>>;
  readonly #fetch: typeof fetch;

  constructor({ url, token, fetch: send }: Address) {
    this.#fetch = send ?? ((...request) => fetch(...request));
    this.#nodes = [url].flat().map((node) => node.replace(/\/+$/, ""));
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  /** Sends a request and reads the JSON of its answer. Where the network fails, or the service asks for it, the request is sent
   *  again, a few times and under one key: it is carried out once.
   *  @throws ProblemError for a refusal; what fetch throws for a failure of the network that lasts */
  async call<Body>(method: "GET" | "POST" | "PATCH", path: string, sent: Sent = {}): Promise<Body> {
    return jsonOf(await this.send(method, path, sent));
  }

  /** The same without reading the answer. */
  async send(method: "GET" | "POST" | "PATCH", path: string, { body, signal, key }: Sent): Promise<Response> {
    const idempotencyKey = key ?? (method === "GET" ? NO_KEY : newKey());
    for (let repeats = 0; ; repeats += 1) {
      const node = this.#nodes[0] ?? "";
      const answer = await this.#fetch(node + path, {
        method,
        headers: {
          ...this.#headers,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...(idempotencyKey === NO_KEY ? {} : { "idempotency-key": idempotencyKey }),
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal: signal ?? null,
      }).catch((error: unknown) => ({ failure: error }));
      if ("failure" in answer) {
        if (signal?.aborted || repeats === REPEATS) throw answer.failure;
        this.#turnFrom(node);
        await sleep(backoff(NETWORK_WAIT_MS, repeats), signal);
        continue;
      }
      if (NO_ANSWER.includes(answer.status)) this.#turnFrom(node);
      if (answer.ok) return answer;
      const wait = repeats < REPEATS ? retryAfterMs(answer) : undefined;
      if (wait === undefined) throw new ProblemError(await problemOf(answer));
      await answer.body?.cancel();
      await sleep(wait, signal);
    }
  }

  /** Asks the next node from now on, unless another call has turned already. */
  #turnFrom(node: string): void {
    if (this.#nodes[0] === node) this.#nodes = [...this.#nodes.slice(1), node];
  }
}
