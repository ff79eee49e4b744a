import { join } from "node:path";
import { onTestFinished } from "vitest";
import { parseConfig, type Env } from "../../src/config.ts";
import { serve, type Service } from "../../src/serve.ts";
import { temporaryFolder } from "./folder.ts";

/** An answer of the service: its status, headers and JSON. */
export interface Answer<Body> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

// What a test reads out of an answer is what it asserts about it.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Json = any;

export interface TestService {
  readonly service: Service;
  readonly databaseUrl: string;
  /** What the service logged, one JSON object a line. */
  readonly logs: readonly string[];
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer<Json>>;
  get(path: string): Promise<Answer<Json>>;
  post(path: string, body?: unknown): Promise<Answer<Json>>;
}

/** A service of its own for one test, over a real socket and a real file, closed when the test ends. */
export const startService = async (env: Env = {}): Promise<TestService> => {
  const databaseUrl = env.DATABASE_URL ?? `file:${join(temporaryFolder(), "gate.db")}`;
  const logs: string[] = [];
  const config = parseConfig({ PORT: "0", ...env, DATABASE_URL: databaseUrl });
  const service = await serve(config, { write: (line) => logs.push(line) });
  onTestFinished(() => service.close());
  const call: TestService["call"] = async (method, path, body, headers = {}) => {
    const response = await fetch(service.url + path, {
      method,
      headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const answered: unknown = text === "" ? null : JSON.parse(text);
    return {
      status: response.status,
      headers: response.headers,
      body: answered,
    };
  };
  return {
    service,
    databaseUrl,
    logs,
    call,
    get: (path) => call("GET", path),
    post: (path, body) => call("POST", path, body),
  };
};
