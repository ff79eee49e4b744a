/** One request: of an operation, valid or spoiled, or of none. */

import { valuesFrom } from "./values.mjs";

const CONTENT_TYPES = [
  "text/plain",
  "application/x-www-form-urlencoded",
  "application/json; charset=latin1",
  "application/xml",
  "multipart/form-data; boundary=x",
  "application/JSON",
  "application/json;charset=utf-8",
  "",
  "a/b/c",
];
const METHODS = ["PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "PATCH", "GET", "POST"];
const PATHS = [
  "/nothing",
  "/jobs/",
  "//jobs",
  "/jobs/../queue",
  "/jobs/%2e%2e/queue",
  "/JOBS",
  "/tasks/1/",
  "/tasks/1/x",
  "/%",
  "/%ff",
  "/%00",
  "/jobs/claim/x",
  "/queue;x=1",
  "/\u00e4",
  "/docs/../openapi.json",
  "/.env",
  "/metrics/x",
  `/${"a/".repeat(500)}`,
  `/queue?${"a".repeat(9_000)}`,
];
const IDS = [
  "0",
  "-1",
  "1.5",
  "x",
  "9007199254740993",
  "99999999999999999999",
  "%31",
  "1%00",
  "01",
  "+1",
  "1e3",
  "٣",
  "",
];

const encoded = (value) =>
  encodeURIComponent(
    String(value).toWellFormed?.() ?? String(value).replaceAll(/[\ud800-\udfff]/g, "\ufffd"),
  );

const RAW_BODIES = [
  "",
  "{",
  "}",
  "nul",
  "\ufeff{}",
  '{"repo":"a/b","repo":"c/d"}',
  '{"__proto__":{"x":1}}',
  '{"constructor":{"prototype":{"x":1}}}',
  '{"max":1e999}',
  '{"max":12345678901234567890}',
  '{"payload":1.0000000000000000001}',
  '{"wait_ms":-0}',
  '"text"',
  "[]",
  "1",
  '{"a":"\\ud800"}',
  '{"a":"\\u0000"}',
  "{'a':1}",
  '{"a":1}{"b":2}',
];

const deep = (levels) => '{"payload":'.concat("[".repeat(levels), "]".repeat(levels), "}");

/** @param known what the service has been asked to make: ids, leases, work items, keys
 *  @returns a function that makes `{ operation, kind, method, path, headers, body }`; the body is bytes or undefined */
export const requestsFrom = (random, known, { operations, resolve }) => {
  const values = valuesFrom(random, known, resolve);
  const { oneOf, chance, between, pick } = random;
  // Work is made as often as it is done, or there is nothing to be right or wrong about.
  const SHARES = {
    createTask: 6,
    claimJobs: 12,
    completeJob: 10,
    heartbeat: 4,
    failJob: 3,
    releaseJob: 4,
    createJob: 3,
    followEvents: 0.3,
    unfreezeRepo: 4,
    resumeTask: 4,
  };
  const byId = Object.fromEntries(operations.map((operation) => [operation.id, operation]));
  const shares = Object.fromEntries(operations.map(({ id }) => [id, SHARES[id] ?? 2]));

  const pathOf = ({ path, parameters }, lease) =>
    path.replaceAll(/\{(\w+)\}/g, () => {
      if (parameters.some(({ name }) => name === "id") && path.startsWith("/jobs"))
        return lease?.job ?? oneOf(known.jobs) ?? 1;
      return oneOf(known.tasks) ?? 1;
    });

  const queryOf = ({ parameters }, spoil) => {
    const pairs = [];
    for (const { name, schema, required, in: place } of parameters) {
      if (place !== "query" || (!required && !chance(30))) continue;
      const value = values.valid(schema, name);
      for (const each of [value].flat()) pairs.push([name, each]);
    }
    if (spoil)
      switch (pick({ twice: 30, unknown: 25, odd: 30, drop: 15 })) {
        case "twice":
          if (pairs.length > 0) pairs.push(oneOf(pairs));
          break;
        case "unknown":
          pairs.push([oneOf(["x", "repo[]", "__proto__", "limit[0]", "Repo"]), "1"]);
          break;
        case "odd":
          if (pairs.length > 0)
            oneOf(pairs)[1] = oneOf([
              "",
              "TRUE",
              "1.0",
              "-1",
              "0x10",
              "1e3",
              values.text(),
              "999999999999999999999",
            ]);
          break;
        default:
          pairs.pop();
      }
    return (
      pairs.map(([name, value]) => `${encoded(name)}=${encoded(value)}`).join("&") +
      (spoil && chance(5) ? "&x=%ff%zz" : "")
    );
  };

  const ofOperation = (kind) => {
    const operation = byId[pick(shares)];
    const lease = chance(85) ? oneOf(known.leases) : undefined;
    const where =
      kind === "nearly" && operation.body
        ? oneOf(["body", "body", "body", "query", "path", "key"])
        : oneOf(["query", "path"]);
    const isSpoiled = (part) => kind === "nearly" && where === part;
    let path = pathOf(operation, lease);
    if (isSpoiled("path")) path = operation.path.replaceAll(/\{\w+\}/g, () => oneOf(IDS));
    const query = queryOf(operation, isSpoiled("query"));
    const headers = {};
    let body;
    if (operation.body) {
      let value = values.valid(operation.body);
      if (operation.path === "/jobs/{id}/release" && query.includes("force=true"))
        value = { reason: "hangs" };
      else if (value.lease_token !== undefined && lease) value.lease_token = lease.token;
      if (
        operation.path === "/jobs/{id}/release" &&
        value.lease_token === undefined &&
        !query.includes("force=true")
      )
        value = { lease_token: lease?.token ?? "x" };
      if (isSpoiled("body")) value = values.spoiled(value);
      body = JSON.stringify(value);
      headers["content-type"] = "application/json";
    }
    if (operation.method !== "GET" && chance(25))
      headers["idempotency-key"] =
        chance(10) && known.keys.length > 0 ? oneOf(known.keys) : `k${between(1, 1e9)}`;
    if (isSpoiled("key")) headers["idempotency-key"] = oneOf(["", " ", "a b", "x".repeat(201), "k\u00e9"]);
    return {
      operation,
      kind,
      method: operation.method,
      path: query === "" ? path : `${path}?${query}`,
      headers,
      body,
      lease,
    };
  };

  const hostile = () => {
    const request = ofOperation("hostile");
    const { headers } = request;
    switch (
      pick({ body: 30, type: 15, deep: 5, huge: 2, method: 12, path: 15, header: 10, length: 5, unasked: 6 })
    ) {
      case "body":
        request.body = oneOf(RAW_BODIES);
        headers["content-type"] = "application/json";
        break;
      case "type":
        request.body = oneOf(['{"repo":"a/b"}', "repo=a/b", "<a/>"]);
        headers["content-type"] = oneOf(CONTENT_TYPES);
        break;
      case "deep":
        request.body = deep(oneOf([62, 63, 64, 65, 1_000, 100_000]));
        headers["content-type"] = "application/json";
        break;
      case "huge":
        request.body = JSON.stringify({
          repo: "fuzz/alpha",
          work_item_id: "H-1",
          title: "h".repeat(oneOf([1_048_000, 1_048_576, 1_100_000, 4_000_000])),
        });
        headers["content-type"] = "application/json";
        request.isHuge = request.body.length > 1_048_576;
        break;
      case "method":
        request.method = oneOf(METHODS);
        request.operation = undefined;
        break;
      case "path":
        request.path = oneOf(PATHS);
        request.operation = undefined;
        break;
      case "header":
        headers[
          oneOf([
            "x-forwarded-host",
            "x-http-method-override",
            "origin",
            "accept",
            "if-none-match",
            "content-encoding",
            "authorization",
            "last-event-id",
            "cookie",
            "te",
          ])
        ] = oneOf(["DELETE", "https://evil.example", "*", "gzip", "a".repeat(7_000), '"x"', "Bearer x"]);
        break;
      case "length":
        headers["x-big"] = "b".repeat(oneOf([15_000, 17_000, 70_000]));
        break;
      default:
        request.body = '{"x":1}';
        headers["content-type"] = "application/json";
    }
    return request;
  };

  return () => {
    const kind = pick({ valid: 50, nearly: 32, hostile: 18 });
    return kind === "hostile" ? hostile() : ofOperation(kind);
  };
};
