import { pino } from "pino";
import { expect, it, onTestFinished } from "vitest";
import { parseConfig, policyFor } from "../../src/config/service.ts";
import { Gate } from "../../src/gate/gate.ts";
import type { Claim } from "../../src/contract/jobs.ts";
import { buildApp } from "../../src/http/app.ts";
import { openTestSqlite } from "../support/databases.ts";

it("hands out no job while it shuts down and still accepts its workers' results", async () => {
  const logger = pino({ level: "silent" });
  const { policy: configured, defaults } = parseConfig({});
  const policy = policyFor(configured, "serial-gate");
  const store = await openTestSqlite(Date.now);
  const gate = new Gate({ store, policy, defaults, log: logger });
  const app = await buildApp({ gate, keyring: undefined, logger, version: "0" });
  onTestFinished(async () => {
    await app.close();
    await store.close();
  });
  const call = (method: "GET" | "POST", url: string, payload?: object) =>
    app.inject({ method, url, ...(payload ? { payload } : {}), headers: { host: "localhost" } });
  await call("POST", "/tasks", { repo: "acme/web", work_item_id: "WEB-1" });
  await call("POST", "/tasks", { repo: "acme/api", work_item_id: "API-1" });
  const [job] = (await call("POST", "/jobs/claim")).json<Claim>().jobs;

  gate.drain();

  for (const request of [{}, { wait_ms: 60_000 }]) {
    const refused = await call("POST", "/jobs/claim", request);
    expect(refused.statusCode).toBe(503);
    expect(refused.headers["retry-after"]).toBe("1");
    expect(refused.json()).toMatchObject({ code: "draining" });
  }
  const ready = await call("GET", "/readyz");
  expect(ready.statusCode).toBe(503);
  expect(ready.json()).toMatchObject({ code: "draining" });
  expect((await call("GET", "/livez")).statusCode).toBe(200);
  const lease_token = job?.lease.token;
  expect((await call("POST", `/jobs/${job?.id ?? 0}/heartbeat`, { lease_token })).statusCode).toBe(200);
  expect((await call("POST", `/jobs/${job?.id ?? 0}/complete`, { lease_token })).statusCode).toBe(200);
  expect((await call("GET", "/queue")).json()).toMatchObject({ jobs: { queued: 1, done: 1 } });
});
