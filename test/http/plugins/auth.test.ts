import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { isolatedRepos, expectProblem } from "../../support/calls.ts";
import { callRaw, exchange } from "../../support/raw.ts";
import { shareService, startService, type TestService } from "../../support/service.ts";

const SECRET = "0123456789abcdef-night";
const OTHER = "fedcba9876543210-robot";
const TOKENS = { SERIAL_GATE_TOKENS: `night-shift:${SECRET},ci:${OTHER}` };
const bearing = (secret: string) => ({ authorization: `Bearer ${secret}` });

/** The same service, called with a token. */
const as = (secret: string, service: TestService): TestService => {
  const call: TestService["call"] = (method, path, body, headers) =>
    service.call(method, path, body, { ...bearing(secret), ...headers });
  return {
    ...service,
    call,
    get: (path) => call("GET", path),
    post: (path, body) => call("POST", path, body),
  };
};

describe("service with tokens", () => {
  const shared = shareService(TOKENS);

  it.each<[string, Record<string, string>]>([
    ["no token", {}],
    ["an empty header", { authorization: "" }],
    ["a scheme and no token", { authorization: "Bearer" }],
    ["another scheme", { authorization: `Basic ${SECRET}` }],
    ["a wrong token", bearing("0123456789abcdef-wrong")],
    ["the beginning of a token", bearing(SECRET.slice(0, -1))],
    ["a token and more", bearing(`${SECRET}x`)],
    ["a token in capitals", bearing(SECRET.toUpperCase())],
    ["a token's name", bearing("night-shift")],
    ["name and secret", bearing(`night-shift:${SECRET}`)],
    ["two tokens", bearing(`${SECRET} ${OTHER}`)],
    ["the token in another header", { "x-api-key": SECRET }],
  ])("answers 401 to every call with %s", async (_, headers) => {
    for (const [method, path] of [
      ["GET", "/queue"],
      ["POST", "/jobs/claim"],
      ["POST", "/unfreeze?repo=acme/web"],
      ["PATCH", "/tasks/1"],
      ["GET", "/nowhere"],
      ["DELETE", "/tasks"],
    ] as const) {
      const answer = await shared().call(method, path, undefined, headers);
      expectProblem(answer, { status: 401, code: "unauthorized" });
      expect(answer.headers.get("www-authenticate")).toBe('Bearer realm="serial-gate"');
    }
  });

  it("checks the token before the body", async () => {
    expectProblem(await shared().call("POST", "/tasks", "{"), { status: 401, code: "unauthorized" });
  });

  it.each(["/livez", "/readyz"])("%s answers without a token", async (path) => {
    expect(await shared().get(path)).toMatchObject({ status: 200, body: { status: "ok" } });
  });

  it.each([SECRET, OTHER])("accepts every configured token on every call", async (secret) => {
    const { add, next } = isolatedRepos(as(secret, shared()));
    await add("WEB-1");
    expect((await next()).work_item_id).toBe("WEB-1");
  });

  it("accepts the Bearer scheme in any case", async () => {
    const { status } = await shared().call("GET", "/queue", undefined, { authorization: `bearer ${SECRET}` });
    expect(status).toBe(200);
  });

  it("accepts any Host and any origin with a valid token", async () => {
    const headers = { ...bearing(SECRET), host: "gate.example.com", "sec-fetch-site": "cross-site" };
    expect((await callRaw(`${shared().service.url}/jobs/claim`, { headers })).status).toBe(200);
  });

  it("records changes under the token's name", async () => {
    const service = as(SECRET, shared());
    const { web, add, pause, lane, task: read } = isolatedRepos(service);
    const { task } = await add("WEB-1");
    await pause("WEB-1", { reason: "asked" });
    expect((await lane()).paused).toMatchObject([{ paused_by: "night-shift", pause_reason: "asked" }]);
    expect((await read(task.id)).task.paused_by).toBe("night-shift");
    await isolatedRepos(as(OTHER, service)).claim({ repos: [web] });
    const db = new Database(service.databaseUrl.replace("file:", ""), { readonly: true });
    const events = db.prepare("SELECT kind, actor FROM gate_events WHERE repo = ? ORDER BY id").all(web);
    db.close();
    expect(events).toEqual([
      { kind: "task.created", actor: "night-shift" },
      { kind: "job.created", actor: "night-shift" },
      { kind: "task.paused", actor: "night-shift" },
      { kind: "job.claimed", actor: "ci" },
    ]);
  });
});

describe("service without tokens", () => {
  const shared = shareService();
  const call = (method: string, headers: Record<string, string>) =>
    callRaw(`${shared().service.url}/${method === "GET" ? "queue" : "jobs/claim"}`, { method, headers });

  it.each(["cross-site", "same-site"])(
    "refuses a change from a %s page when there are no tokens",
    async (site) => {
      for (const path of ["/jobs/claim", "/unfreeze?repo=acme/web", "/nowhere"])
        expectProblem(await shared().call("POST", path, undefined, { "sec-fetch-site": site }), {
          status: 403,
          code: "cross_origin",
        });
      const change = { stage: "done" };
      expectProblem(await shared().call("PATCH", "/tasks/1", change, { "sec-fetch-site": site }), {
        status: 403,
        code: "cross_origin",
      });
    },
  );

  it.each(["same-origin", "none"])(
    "accepts a change from a %s page when there are no tokens",
    async (site) => {
      expect((await call("POST", { "sec-fetch-site": site })).status).toBe(200);
    },
  );

  it.each([
    ["a read from a cross-site page", "GET", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }],
    [
      "a frame in a cross-site page",
      "GET",
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" },
    ],
    [
      "a form of a cross-site page",
      "POST",
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" },
    ],
    ["an older browser's change from another site", "POST", { origin: "https://evil.example" }],
    ["an older browser's read from another site", "GET", { origin: "https://evil.example" }],
    ["a sandboxed page", "POST", { origin: "null" }],
    [
      "an origin that is another port of this machine",
      "POST",
      { origin: "http://127.0.0.1:1", host: "127.0.0.1:2" },
    ],
  ])("refuses %s when there are no tokens", async (_, method, headers: Record<string, string>) => {
    expectProblem(await call(method, headers), { status: 403, code: "cross_origin" });
  });

  it.each([
    [
      "a link on another site that opens a page",
      "GET",
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" },
    ],
    [
      "an older browser's change from its own page",
      "POST",
      { origin: "http://localhost:8080", host: "LOCALHOST:8080" },
    ],
    ["a program, which says nothing", "POST", {}],
  ])("accepts %s when there are no tokens", async (_, method, headers: Record<string, string>) => {
    expect((await call(method, headers)).status).toBe(200);
  });

  it.each([
    "gate.example.com",
    "gate.example.com:8080",
    "127.0.0.1.example.com",
    "localhost.example.com",
    "10.0.0.7",
  ])("refuses a call to the host %s when there are no tokens", async (host) => {
    for (const method of ["GET", "POST"])
      expectProblem(await call(method, { host }), {
        status: 403,
        code: "cross_origin",
        hint: expect.stringContaining("SERIAL_GATE_TOKENS") as unknown,
      });
  });

  it.each(["localhost", "localhost:8080", "LocalHost:1", "127.0.0.1", "127.9.8.7:80", "[::1]:8080"])(
    "accepts a call to the host %s when there are no tokens",
    async (host) => {
      expect((await call("POST", { host })).status).toBe(200);
    },
  );
});

it.each([
  ["a second Host", "GET /queue HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n"],
  ["a target with a host of its own", "GET http://evil.example/queue HTTP/1.1\r\nHost: 127.0.0.1\r\n"],
])("refuses %s", async (_, head) => {
  const { service } = await startService();
  expect(await exchange(service.url, `${head}Connection: close\r\n\r\n`)).toMatch(
    /^HTTP\/1.1 400 .*"pointer":"\/host"/s,
  );
});

it("sends the security headers with every answer, and lets a page of its own load its parts only", async () => {
  const { get, call, service } = await startService(TOKENS);
  for (const answer of [
    await get("/livez"),
    await get("/queue"),
    await get("/nowhere"),
    await call("POST", "/jobs/claim", {}, bearing(SECRET)),
    await get("/%zz"),
  ]) {
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "cache-control": "no-store",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      "cross-origin-resource-policy": "same-origin",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
    });
  }
  const page = await fetch(`${service.url}/docs/`);
  const policy = page.headers.get("content-security-policy") ?? "";
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toMatch(/https:|\*|unsafe-eval/);
});

it("logs the caller's address, and no value of a parameter that the route does not know", async () => {
  const { get, logs } = await startService();
  await get("/queue?access_token=topsecret&repo=acme%2Fweb");
  await get("/nowhere?password=topsecret");
  const lines = logs.filter((line) => line.includes('"request"')).map((line) => JSON.parse(line) as object);
  expect(lines).toMatchObject([
    { url: "/queue?…&repo=acme%2Fweb", status: 400, ip: "127.0.0.1" },
    { url: "/nowhere?…", status: 404 },
  ]);
  expect(logs.join("")).not.toContain("topsecret");
});

it("logs no secret and no lease token at any log level", async () => {
  const service = await startService({ ...TOKENS, LOG_LEVEL: "trace" });
  const { add, next, report, pause } = isolatedRepos(as(SECRET, service));
  const { task } = await add("WEB-1");
  const job = await next({ worker: "w-1" });
  await pause("WEB-1");
  await report(job, "heartbeat");
  await report(job, "heartbeat", { lease_ms: "long" });
  await report(job, "complete", { stage: "NOT A STAGE" });
  await service.call("PATCH", `/tasks/${task.id}`, { stage: "done" }, bearing(SECRET));
  await report(job, "complete", { stage: "review" });
  await report(job, "release");
  await report(job, "release");
  await service.call("POST", "/jobs/claim", `{"lease_token":"${job.lease.token}`, bearing(SECRET));
  await service.get("/queue");
  await service.call("GET", "/queue", undefined, bearing(`${SECRET}x`));
  await service.service.close();
  const log = service.logs.join("");
  expect(service.logs.length).toBeGreaterThan(10);
  for (const secret of [SECRET, OTHER, job.lease.token]) expect(log).not.toContain(secret);
  expect(log).toContain('"actor":"night-shift"');
});
