import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { openapiYaml } from "../../../src/cli/commands/admin/openapi.ts";
import { shareService } from "../../support/service.ts";

const shared = shareService();

interface Operation {
  readonly operationId: string;
  readonly requestBody?: { readonly required: boolean };
  readonly security?: readonly unknown[];
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content: Readonly<Record<string, unknown>> }>
  >;
}

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const described = async (): Promise<Document> => (await shared().get<Document>("/openapi.json")).body;

it("openapi.yaml equals the description of the routes (if not: npm run openapi)", async () => {
  const file = fileURLToPath(new URL("../../../openapi.yaml", import.meta.url));
  expect(readFileSync(file, "utf8"), "openapi.yaml is stale: run `npm run openapi`").toBe(
    await openapiYaml(),
  );
});

it("describes every route under its own name", async () => {
  const { openapi, paths } = await described();
  expect(openapi).toBe("3.1.0");
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(routes).toEqual(
    expect.arrayContaining([
      "POST /tasks",
      "GET /tasks",
      "GET /tasks/{id}",
      "PATCH /tasks/{id}",
      "POST /tasks/{id}/cancel",
      "POST /jobs",
      "GET /jobs/{id}",
      "POST /jobs/claim",
      "POST /jobs/{id}/heartbeat",
      "POST /jobs/{id}/complete",
      "POST /jobs/{id}/fail",
      "POST /jobs/{id}/release",
      "POST /jobs/{id}/retry",
      "POST /serial-gate/pause",
      "POST /serial-gate/resume",
      "POST /freeze",
      "POST /unfreeze",
      "GET /queue",
      "GET /events",
      "GET /events/stream",
      "GET /livez",
      "GET /readyz",
    ]),
  );
  const names = Object.values(paths).flatMap((methods) =>
    Object.values(methods).map((each) => each.operationId),
  );
  expect(new Set(names).size).toBe(routes.length);
});

it("answers on every described route", async () => {
  const { paths } = await described();
  for (const [path, methods] of Object.entries(paths))
    for (const method of Object.keys(methods)) {
      if (path === "/events/stream") continue; // It answers without an end: events-stream.test.ts.
      const url = path.replaceAll(/\{\w+\}/g, "0");
      const { status, body } = await shared().call<{ code?: string } | null>(method.toUpperCase(), url);
      expect([200, 400], `${method} ${url} answered ${status}`).toContain(status);
      if (status === 400) expect(body?.code).toBe("invalid_request");
    }
});

it("describes a body as required exactly where a call without one is refused", async () => {
  const needed = Object.entries((await described()).paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { requestBody }]) =>
      requestBody ? [[`${method.toUpperCase()} ${path}`, requestBody.required] as const] : [],
    ),
  );
  expect(Object.fromEntries(needed)).toMatchObject({
    "POST /tasks": true,
    "PATCH /tasks/{id}": true,
    "POST /jobs": true,
    "POST /jobs/claim": false,
    "POST /jobs/{id}/heartbeat": true,
    "POST /jobs/{id}/complete": true,
    "POST /jobs/{id}/fail": true,
    "POST /jobs/{id}/release": true,
    "POST /serial-gate/pause": false,
    "POST /freeze": false,
  });
});

it("describes every failure as a problem, and the probes as open", async () => {
  for (const [path, methods] of Object.entries((await described()).paths))
    for (const { responses, security } of Object.values(methods)) {
      for (const [status, { description, content }] of Object.entries(responses)) {
        expect(description).not.toBe("");
        if (status === "304") continue; // It has no body.
        const answer = path === "/events/stream" ? "text/event-stream" : "application/json";
        expect(Object.keys(content)).toEqual([Number(status) < 400 ? answer : "application/problem+json"]);
      }
      expect("401" in responses).toBe(security === undefined);
      expect(security !== undefined).toBe(path === "/livez" || path === "/readyz");
    }
});
