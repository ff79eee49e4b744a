import { join } from "node:path";
import { beforeAll, onTestFinished } from "vitest";
import { parseConfig, policyFor } from "../../src/config/service.ts";
import { type Env } from "../../src/config/env.ts";
import { serve, type Service } from "../../src/serve.ts";
import { isServer } from "../../src/store/open.ts";
import { asService, testDatabase } from "./postgres.ts";
import { temporaryFolder, type AtEnd } from "./folder.ts";

/** An answer of the service: its status, headers and JSON. */
export interface Answer<Body> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

export interface TestService {
  readonly service: Service;
  readonly databaseUrl: string;
  /** The service's log, one JSON object a line. */
  readonly logs: readonly string[];
  /** A body that is a text is sent as it is, any other as JSON. */
  readonly call: <Body>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<Answer<Body>>;
  readonly get: <Body>(path: string) => Promise<Answer<Body>>;
  readonly post: <Body>(path: string, body?: unknown) => Promise<Answer<Body>>;
}

/** Set by vitest.config.ts. */
const OVER_POSTGRES = process.env.SERVICES_OVER === "PostgreSQL";

/** A service of its own for one test, over a real socket and a real database, closed when the test ends. */
export const startService = async (env: Env = {}, atEnd: AtEnd = onTestFinished): Promise<TestService> => {
  const databaseUrl =
    env.DATABASE_URL ??
    (OVER_POSTGRES
      ? await testDatabase("migrated", atEnd)
      : `file:${join(temporaryFolder(atEnd), "gate.db")}`);
  const logs: string[] = [];
  // The orchestrator's decisions, unless a test asks for strict lanes.
  const config = parseConfig({
    PORT: "0",
    SERIAL_GATE_STRICT_LANES: "false",
    ...env,
    DATABASE_URL: databaseUrl,
  });
  // As an operator would: the owner migrates, and the service has no right on the schema.
  const servedUrl = isServer(databaseUrl)
    ? await asService(databaseUrl, (origin) => policyFor(config.policy, origin))
    : databaseUrl;
  const service = await serve({ ...config, databaseUrl: servedUrl }, { write: (line) => logs.push(line) });
  atEnd(() => service.close());
  const call: TestService["call"] = async <Body>(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ) => {
    const response = await fetch(service.url + path, {
      method,
      headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: (text === "" ? null : JSON.parse(text)) as Body,
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

/** One service for every test of a file or a describe: starting one costs more than most tests. They keep out
 *  of each other's way by repositories of their own. */
export const shareService = (env: Env = {}): (() => TestService) => {
  let shared: TestService | undefined;
  beforeAll(async () => {
    const ends: (() => void | Promise<void>)[] = [];
    shared = await startService(env, (end) => ends.unshift(end));
    return async () => {
      for (const end of ends) await end();
    };
  });
  return () => {
    if (!shared) throw new Error("The shared service runs only while tests do.");
    return shared;
  };
};
