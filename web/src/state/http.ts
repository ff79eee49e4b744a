/** Calls of the service: the token, the answer's JSON, and refusals as errors with the service's own sentence.
 *  It knows no call by name. */

import { signal } from "@preact/signals";
import type { Problem } from "./types.ts";

const KEPT_AS = "serial-gate.token";

/** The caller's secret. It is kept for this tab and forgotten with it. */
export const token = signal<string | null>(sessionStorage.getItem(KEPT_AS));

/** The service's sentence when it last refused the token; null while it takes it. */
export const tokenRefused = signal<string | null>(null);

export const keepToken = (secret: string): void => {
  sessionStorage.setItem(KEPT_AS, secret);
  tokenRefused.value = null;
  token.value = secret;
};

export const forgetToken = (): void => {
  sessionStorage.removeItem(KEPT_AS);
  token.value = null;
};

/** A refusal by the service. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  readonly code: string;
  readonly problem: Problem | null;

  constructor(status: number, problem: Problem | null) {
    const sentence = problem?.detail ?? `The service answered ${status}.`;
    super(problem?.hint === undefined ? sentence : `${sentence} ${problem.hint}`);
    this.status = status;
    this.code = problem?.code ?? `http_${status}`;
    this.problem = problem;
  }
}

const problemOf = async (response: Response): Promise<Problem | null> => {
  try {
    const body = (await response.json()) as Partial<Problem> | null;
    return typeof body?.detail === "string" && typeof body.code === "string" ? (body as Problem) : null;
  } catch {
    return null;
  }
};

interface Sent {
  readonly method?: "GET" | "POST";
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Sends a request with the token.
 *  @throws Refusal, or TypeError when the service cannot be reached */
export const send = async (path: string, sent: Sent = {}): Promise<Response> => {
  const { method = "GET", body, headers = {}, signal: ended } = sent;
  const used = token.value;
  const response = await fetch(path, {
    method,
    headers: {
      ...(used === null ? {} : { authorization: `Bearer ${used}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    body: body === undefined ? null : JSON.stringify(body),
    signal: ended ?? null,
    cache: "no-store",
  });
  if (response.ok || response.status === 304) return response;
  const refusal = new Refusal(response.status, await problemOf(response));
  if (response.status === 401 && used === token.value) {
    tokenRefused.value = used === null ? "" : refusal.message;
    forgetToken();
  }
  throw refusal;
};

/** The JSON of an answer.
 *  @throws as `send` */
export const read = async <Body>(path: string, sent?: Sent): Promise<Body> =>
  (await (await send(path, sent)).json()) as Body;

type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** The path with its query. A list repeats its key; undefined values are left out. */
export const pathOf = (path: string, query: Query): string => {
  const pairs = Object.entries(query).flatMap(([key, value]) =>
    value === undefined ? [] : [value].flat().map((each) => `${key}=${encodeURIComponent(String(each))}`),
  );
  return pairs.length === 0 ? path : `${path}?${pairs.join("&")}`;
};

/** A random key. Pages without TLS have no crypto.randomUUID. */
export const newKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );

/** A failure in words for people. */
export const sentenceOf = (error: unknown): string => {
  if (error instanceof Refusal) return error.message;
  if (error instanceof TypeError) return "The service does not answer.";
  return error instanceof Error ? error.message : String(error);
};
