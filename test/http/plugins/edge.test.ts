import fc from "fast-check";
import { expect, it } from "vitest";
import type { Claim } from "../../../src/contract/jobs.ts";
import type { Queue } from "../../../src/contract/queue.ts";
import { invalidField, isolatedRepos, expectProblem, SOME_TEXT } from "../../support/calls.ts";
import { callRaw, exchange } from "../../support/raw.ts";
import { shareService, startService } from "../../support/service.ts";

const shared = shareService();
const json = (text: string) => shared().call("POST", "/jobs/claim", text);
const nested = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);

it.each<[string, string, string, unknown, unknown]>([
  ["a key that is not known", "POST", "/jobs/claim", { wait: 1 }, invalidField("body", "/wait")],
  ["a key with a slash and a tilde", "POST", "/jobs/claim", { "a/b~c": 1 }, invalidField("body", "/a~1b~0c")],
  ["a key of Object's", "POST", "/jobs/claim", { toString: 1 }, invalidField("body", "/toString")],
  ["a key that is missing", "POST", "/tasks", { repo: "a" }, invalidField("body", "/work_item_id")],
  ["null for a text", "POST", "/tasks", { repo: null, work_item_id: "W" }, invalidField("body", "/repo")],
  ["a number for a text", "POST", "/tasks", { repo: 1, work_item_id: "W" }, invalidField("body", "/repo")],
  ["a text for a number", "POST", "/jobs/claim", { max: "1" }, invalidField("body", "/max")],
  ["a fraction for a whole number", "POST", "/jobs/claim", { max: 1.5 }, invalidField("body", "/max")],
  ["true for a number", "POST", "/jobs/claim", { max: true }, invalidField("body", "/max")],
  ["a number out of range", "POST", "/jobs/claim", { max: 1e300 }, invalidField("body", "/max")],
  [
    "1 for true",
    "POST",
    "/jobs/1/fail",
    { lease_token: "t", error: "e", retry: 1 },
    invalidField("body", "/retry"),
  ],
  [
    '"true" for true',
    "POST",
    "/jobs/1/fail",
    { lease_token: "t", error: "e", retry: "true" },
    invalidField("body", "/retry"),
  ],
  ["a text for a list", "POST", "/jobs/claim", { agents: "analyst" }, invalidField("body", "/agents")],
  [
    "a wrong member of a list",
    "POST",
    "/jobs/claim",
    { agents: ["a", 2] },
    invalidField("body", "/agents/1"),
  ],
  ["a list for an object", "POST", "/tasks", [], invalidField("body", "")],
  ["null for an object", "POST", "/jobs/claim", null, invalidField("body", "")],
  ["a text for an object", "POST", "/jobs/claim", '"claim"', invalidField("body", "")],
  ["a number for an object", "PATCH", "/tasks/1", 1, invalidField("body", "")],
  ["no body where one is needed", "PATCH", "/tasks/1", undefined, invalidField("body", "")],
  ["NUL in a name", "POST", "/tasks", { repo: "a\u0000", work_item_id: "W" }, invalidField("body", "/repo")],
  [
    "NUL in a token",
    "POST",
    "/jobs/1/release",
    { lease_token: "\u0000" },
    invalidField("body", "/lease_token"),
  ],
  [
    "half of a surrogate pair in a name",
    "POST",
    "/tasks",
    { repo: "a", work_item_id: "W\ud83d" },
    invalidField("body", "/work_item_id"),
  ],
  ["a body where none is heeded", "POST", "/unfreeze?repo=a", { id: 5 }, invalidField("body", "/id")],
  ["a list where no body is heeded", "POST", "/tasks/1/cancel", [1], invalidField("body", "")],
  ["null where no body is heeded", "POST", "/jobs/1/retry", "null", invalidField("body", "")],
  [
    "a query where none is heeded",
    "POST",
    "/jobs/claim?dry_run=true",
    undefined,
    invalidField("query", "/dry_run"),
  ],
  [
    "a query beside a body",
    "POST",
    "/tasks?repo=a",
    { repo: "a", work_item_id: "W" },
    invalidField("query", "/repo"),
  ],
  ["a query that is not known", "GET", "/tasks?page=2", undefined, invalidField("query", "/page")],
  ["a query of Object's", "GET", "/tasks?constructor=1", undefined, invalidField("query", "/constructor")],
  ["a query that comes twice", "GET", "/tasks?stage=a&stage=b", undefined, invalidField("query", "/stage")],
  ["an empty query", "GET", "/tasks?repo=", undefined, invalidField("query", "/repo")],
  ["a boolean in another spelling", "GET", "/tasks?paused=1", undefined, invalidField("query", "/paused")],
  ["a boolean in capitals", "GET", "/tasks?paused=True", undefined, invalidField("query", "/paused")],
  ["a limit of nothing", "GET", "/tasks?limit=0", undefined, invalidField("query", "/limit")],
  ["a limit beyond the last", "GET", "/tasks?limit=501", undefined, invalidField("query", "/limit")],
  ["a limit with a sign", "GET", "/tasks?limit=%2B5", undefined, invalidField("query", "/limit")],
  ["a limit with a zero before it", "GET", "/tasks?limit=05", undefined, invalidField("query", "/limit")],
  ["a cursor that is none", "GET", "/tasks?cursor=abc", undefined, invalidField("query", "/cursor")],
  ["NUL in a query", "GET", "/queue?repo=%00", undefined, invalidField("query", "/repo/0")],
  ["a query that is cut off", "GET", "/queue?repo=acme%2", undefined, invalidField("query", "")],
  ["a query that is no hexadecimal", "POST", "/freeze?repo=%ZZ", undefined, invalidField("query", "")],
  ["a query that is no UTF-8", "POST", "/freeze?repo=%FF", undefined, invalidField("query", "")],
])("refuses %s (%s %s)", async (_, method, path, body, fault) => {
  expectProblem(await shared().call(method, path, body), {
    status: 400,
    code: "invalid_request",
    errors: [fault],
  });
});

it("names the unknown key inside a value of several forms", async () => {
  const sent = { repo: "acme/web", work_item_id: "W", entry_job: { agent: "tester" } };
  const errors: unknown = expect.arrayContaining([invalidField("body", "/entry_job/agent")]);
  expectProblem(await shared().post("/tasks", sent), { status: 400, code: "invalid_request", errors });
});

it.each(["0", "-1", "1e3", "1.0", "01", "0x1", "%201", "one", "99999999999999999999", "9007199254740993"])(
  "refuses %s as an id",
  async (id) => {
    for (const [method, path] of [
      ["GET", "/tasks/"],
      ["PATCH", "/tasks/"],
      ["GET", "/jobs/"],
      ["POST", "/jobs/"],
    ] as const) {
      const verb = method === "POST" ? "/release" : "";
      const body = { GET: undefined, POST: { lease_token: "t" }, PATCH: { stage: "done" } }[method];
      expectProblem(await shared().call(method, path + id + verb, body), {
        status: 400,
        code: "invalid_request",
        errors: [invalidField("path", "/id")],
      });
    }
  },
);

it.each([
  ["cut off", "{"],
  ["no JSON", "max=1"],
  ["JSON and more", "{} {}"],
  ["with a comment", "{/* */}"],
  ["with a comma too many", '{"max":1,}'],
  ["with a number that JSON has not", '{"max":NaN}'],
  ["nested too deep", nested(65)],
  ["nested far too deep", nested(200_000)],
  ["nested too deep inside", `{"agents":${nested(64)}}`],
  ["with __proto__", '{"__proto__":{"max":1}}'],
  ["with __proto__ inside", '{"agents":[{"__proto__":1}]}'],
  ["with a constructor's prototype", '{"constructor":{"prototype":{"max":1}}}'],
])("refuses a body that is %s", async (_, text) => {
  expectProblem(await json(text), { status: 400, code: "invalid_json" });
});

it("accepts a payload with the greatest allowed depth", async () => {
  const { web, add } = isolatedRepos(shared());
  await add("WEB-1", { entry_job: false });
  const job = (levels: number): string =>
    `{"repo":"${web}","work_item_id":"WEB-1","agent":"tester","payload":${nested(levels)}}`;
  expect((await shared().post("/jobs", job(63))).status).toBe(201);
  expectProblem(await shared().post("/jobs", job(64)), { status: 400, code: "invalid_json" });
});

const MIB = 1024 * 1024;

it("accepts a body of one mebibyte and refuses one byte more", async () => {
  const text = (bytes: number): string => `{"worker":"${"w".repeat(bytes - 13)}"}`;
  expect(text(MIB)).toHaveLength(MIB);
  expectProblem(await json(text(MIB)), { status: 400, code: "invalid_request" });
  expectProblem(await json(text(MIB + 1)), { status: 413, code: "body_too_large" });
});

it("refuses a chunked body that is too large", async () => {
  const answer = await callRaw(`${shared().service.url}/jobs/claim`, {
    headers: { "content-type": "application/json", "transfer-encoding": "chunked" },
    parts: Array<string>(3).fill(" ".repeat(MIB / 2)),
  });
  expectProblem(answer, { status: 413, code: "body_too_large" });
});

it.each([
  "text/plain",
  "application/x-www-form-urlencoded",
  "application/xml",
  "application/json-seq",
  "json",
])("refuses a body of the type %s with a hint", async (type) => {
  const answer = await shared().call("POST", "/jobs/claim", "{}", { "content-type": type });
  expectProblem(answer, {
    status: 415,
    code: "unsupported_media_type",
    hint: expect.stringContaining("application/json") as unknown,
  });
});

it.each(["application/json", "application/json; charset=utf-8", "Application/JSON"])(
  "accepts a body of the type %s",
  async (type) => {
    const body = '{"agents":["nobody"]}';
    expect((await shared().call("POST", "/jobs/claim", body, { "content-type": type })).status).toBe(200);
  },
);

it.each(["/nowhere", "/queue/", "/jobs/1/2/3", "/TASKS", "//tasks", "/tasks/1/jobs"])(
  "answers 404 to the unknown path %s",
  async (path) => {
    for (const method of ["GET", "POST", "DELETE"])
      expectProblem(await shared().call(method, path), { status: 404, code: "not_found" });
  },
);

it.each(["/tasks/%ZZ", "/%", "/tasks/%FF", "/jobs/1%2/release"])(
  "refuses a path that cannot be decoded: %s",
  async (path) => {
    expectProblem(await shared().get(path), { status: 400, code: "invalid_request" });
  },
);

it.each<[string, string, string[]]>([
  ["PUT", "/tasks", ["GET", "HEAD", "POST"]],
  ["DELETE", "/tasks/1", ["GET", "HEAD", "PATCH"]],
  ["POST", "/queue", ["GET", "HEAD"]],
  ["GET", "/serial-gate/pause", ["POST"]],
  ["GET", "/freeze", ["POST"]],
  ["PATCH", "/jobs/1/complete", ["POST"]],
  ["OPTIONS", "/tasks/1/cancel", ["POST"]],
  ["POST", "/livez", ["GET", "HEAD"]],
])("answers 405 with the allowed methods to %s %s", async (method, path, allowed) => {
  const answer = await shared().call(method, path);
  expectProblem(answer, { status: 405, code: "method_not_allowed", hint: SOME_TEXT });
  expect(answer.headers.get("allow")?.split(", ").sort()).toEqual(allowed);
});

it("keeps the request id that the caller sends", async () => {
  for (const path of ["/queue", "/nowhere", "/tasks/0", "/%"]) {
    const { headers } = await shared().call("GET", path, undefined, { "x-request-id": "night-shift:7" });
    expect(headers.get("x-request-id")).toBe("night-shift:7");
  }
});

it.each([
  ["is empty", ""],
  ["has a space", "a b"],
  ["is too long", "x".repeat(101)],
  ["comes twice", "a, b"],
])("draws a new request id when the caller's %s", async (_, id) => {
  const { headers } = await shared().call("GET", "/queue", undefined, { "x-request-id": id });
  expect(headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
});

it("logs every request once, with its id, method, path and status", async () => {
  for (const path of ["/queue", "/nowhere", "/tasks/0", "/%"]) {
    const id = `log${path}`;
    const { status } = await shared().call("GET", path, undefined, { "x-request-id": id });
    await expect
      .poll(() =>
        shared()
          .logs.map((line) => JSON.parse(line) as object)
          .filter((line) => "reqId" in line && line.reqId === id),
      )
      .toMatchObject([{ msg: "request", method: "GET", url: path, status }]);
  }
});

it.each(["HEAD"])("answers %s like GET, without a body", async (method) => {
  const response = await fetch(`${shared().service.url}/queue`, { method });
  expect(response.status).toBe(200);
  expect(await response.text()).toBe("");
});

const KEYS =
  "repo work_item_id work_item title stage depends_on entry_job agent payload max_attempts run_after worker " +
  "agents repos max wait_ms lease_ms lease_token result next error retry reason until id limit cursor";
const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom("acme/web", "WEB-1", "analyst", "done", "\u0000", "\ud800", "2099-01-01T00:00:00Z"),
);
const anyKey = fc.oneof(fc.constantFrom(...KEYS.split(" ")), anyText);
// No number here is a long time to wait.
const anyValue = fc.oneof(
  anyText,
  fc.constantFrom<unknown>(null, true, false, -1, 0, 1, 2, 1.5, 1e300, 2 ** 53, [], {}, [null], [{}], {
    repo: "a",
  }),
  fc.array(anyText, { maxLength: 3 }),
  fc.dictionary(anyText, anyText, { maxKeys: 3 }),
);
const anyObject = fc.dictionary(anyKey, anyValue, { maxKeys: 3 });
const anyQuery = fc
  .array(fc.tuple(anyKey, anyText), { maxLength: 2 })
  .map((pairs) => new URLSearchParams(pairs).toString());

/** Calls that are right, but for what is done to them then. */
const rightCalls = (id: number, lease_token: string): (readonly [string, object])[] => [
  ["/tasks?", { repo: "acme/web", work_item_id: "WEB-2" }],
  ["/tasks?", { repo: "acme/web", work_item_id: "WEB-3", depends_on: ["WEB-1"], entry_job: {} }],
  [`/tasks/${id}/cancel?`, {}],
  ["/jobs?", { repo: "acme/web", work_item_id: "WEB-1", agent: "developer" }],
  ["/jobs/claim?", { worker: "w", max: 2 }],
  [`/jobs/${id}/heartbeat?`, { lease_token }],
  [`/jobs/${id}/complete?`, { lease_token, stage: "review", next: [{ agent: "tester" }] }],
  [`/jobs/${id}/fail?`, { lease_token, error: "e" }],
  [`/jobs/${id}/release?`, { lease_token }],
  [`/jobs/${id}/retry?`, {}],
  ["/serial-gate/pause?work_item=WEB-1&", { reason: "r" }],
  ["/serial-gate/resume?work_item=WEB-1&", {}],
  ["/freeze?repo=acme/web&", { reason: "r" }],
  ["/unfreeze?repo=acme/web&", {}],
];

/** Nothing falls due by itself while this runs: the revision moves by what is sent only. */
const DAY = "86400000";
const STILL = { SERIAL_GATE_LEASE_MS: DAY, SERIAL_GATE_RETRY_MS: DAY, SERIAL_GATE_RETRY_MAX_MS: DAY };

it("never answers random input with a 5xx, and a refused call changes nothing", async () => {
  const { get, post, logs } = await startService(STILL);
  const first = await post<{ task: { id: number } }>("/tasks", { repo: "acme/web", work_item_id: "WEB-1" });
  const { jobs } = (await post<Claim>("/jobs/claim", {})).body;
  const right = rightCalls(first.body.task.id, jobs[0]?.lease.token ?? "");
  const call = fc.constantFrom(...right).chain(([path, body]) =>
    fc.tuple(
      fc.oneof({ weight: 3, arbitrary: fc.constant("") }, anyQuery).map((query) => path + query),
      fc.oneof(
        { weight: 3, arbitrary: anyObject.map((mess) => JSON.stringify({ ...body, ...mess })) },
        { weight: 1, arbitrary: fc.constant(JSON.stringify(body)) },
        { weight: 1, arbitrary: fc.oneof(fc.json(), fc.string({ unit: "binary" })) },
      ),
    ),
  );
  const look = async () => {
    const { revision, jobs: counted } = (await get<Queue>("/queue")).body;
    return { revision, counted };
  };
  const codes = new Set<string>();
  let before = await look();
  await fc.assert(
    fc.asyncProperty(call, async ([path, body]) => {
      const [earlier, answer] = [before, await post<{ code: string }>(path, body)];
      before = await look();
      if (answer.status >= 200 && answer.status < 300) return;
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
      expectProblem(answer, { status: answer.status, code: answer.body.code });
      expect(before).toEqual(earlier);
      codes.add(answer.body.code);
    }),
    { numRuns: 300 },
  );
  expect([...codes]).toEqual(expect.arrayContaining(["invalid_json", "invalid_request", "lease_lost"]));
  expect(logs.filter((line) => line.includes('"level":50'))).toEqual([]);
}, 120_000);

it.each([
  ["garbage", "\0\x01 no HTTP\r\n\r\n", 400, "invalid_http"],
  ["a header without a colon", "GET /livez HTTP/1.1\r\nHost localhost\r\n\r\n", 400, "invalid_http"],
  [
    "two lengths",
    "POST /jobs/claim HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    400,
    "invalid_http",
  ],
  [
    "headers of 20 KiB",
    `GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(20_000)}\r\n\r\n`,
    431,
    "headers_too_large",
  ],
  [
    "an expectation",
    "POST /jobs/claim HTTP/1.1\r\nHost: localhost\r\nExpect: a miracle\r\nConnection: close\r\n\r\n",
    417,
    "expectation_failed",
  ],
  ["no Host", "GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n", 400, "invalid_request"],
])("answers %s with a problem document", async (_, bytes, status, code) => {
  const text = await exchange(shared().service.url, bytes);
  expect(text.split(" ")[1]).toBe(String(status));
  const [head = "", body = ""] = text.split("\r\n\r\n");
  expect(head.toLowerCase()).toContain("content-type: application/problem+json");
  expect(head.toLowerCase()).toContain("x-content-type-options: nosniff");
  expect(JSON.parse(body)).toMatchObject({ status, code, detail: SOME_TEXT, request_id: SOME_TEXT });
});

it.each([
  [
    "a HEAD with a header that is too large",
    `HEAD /jobs HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(20_000)}\r\n\r\n`,
    431,
  ],
  [
    "a HEAD with a query that is too large",
    `HEAD /jobs?worker=${"x".repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    431,
  ],
  ["a HEAD without a Host", "HEAD /livez HTTP/1.1\r\nConnection: close\r\n\r\n", 400],
  ["a malformed HEAD", "HEAD /livez HTTP/1.1\r\nHost a\r\n\r\n", 400],
])("answers %s without a body", async (_, bytes, status) => {
  const text = await exchange(shared().service.url, bytes);
  const last = text.slice(text.lastIndexOf("HTTP/1.1 "));
  expect(last.split(" ")[1]).toBe(String(status));
  expect(last.toLowerCase()).toContain("content-type: application/problem+json");
  expect(last.split("\r\n\r\n")[1]).toBe("");
});

it.runIf(process.env.SERIAL_GATE_TEST_LONG === "1")(
  "answers a body that never ends with 408 after 30 s",
  { timeout: 60_000 },
  async () => {
    const head =
      "POST /jobs/claim HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
    expect(await exchange(shared().service.url, head)).toMatch(/^HTTP\/1.1 408 .*"request_timeout"/s);
  },
);
