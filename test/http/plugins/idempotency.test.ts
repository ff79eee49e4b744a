import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { EventPage } from "../../../src/contract/events.ts";
import type { Claim, Job } from "../../../src/contract/jobs.ts";
import type { Task } from "../../../src/contract/tasks.ts";
import { isolatedRepos, expectProblem, sleep } from "../../support/calls.ts";
import { testDatabase } from "../../support/postgres.ts";
import { callRaw } from "../../support/raw.ts";
import { shareService, startService, type TestService } from "../../support/service.ts";

const under = (key: string) => ({ "idempotency-key": key });

/** Sends a call twice under one key: the second answer is the first's. */
const sendTwice = async <Body>(
  { call }: TestService,
  method: string,
  path: string,
  body?: unknown,
): Promise<Body> => {
  const key = randomUUID();
  const first = await call<Body>(method, path, body, under(key));
  expect(first.status, JSON.stringify(first.body)).toBeLessThan(300);
  expect(first.headers.get("idempotency-replayed")).toBe(null);
  const second = await call<Body>(method, path, body, under(key));
  expect([second.status, second.body]).toEqual([first.status, first.body]);
  expect(second.headers.get("idempotency-replayed")).toBe("true");
  return first.body;
};

const lastEvent = async ({ get }: TestService): Promise<number> =>
  (await get<EventPage>("/events?last=1")).body.next_cursor;

const describeOn = (name: string, env: () => Promise<Record<string, string>>): void => {
  describe(`on ${name}`, () => {
    const start = async (): Promise<TestService> => startService(await env());

    it("replays the answer of every kind of call sent again under its key", async () => {
      const service = await start();
      const isolated = isolatedRepos(service);
      const { web } = isolated;
      const created = await sendTwice<{ task: Task; job: Job }>(service, "POST", "/tasks", {
        repo: web,
        work_item_id: "WEB-1",
      });
      const { jobs } = await sendTwice<Claim>(service, "POST", "/jobs/claim", { repos: [web], max: 10 });
      expect(jobs.map(({ id }) => id)).toEqual([created.job.id]);
      const lease_token = jobs[0]?.lease.token;
      await sendTwice(service, "POST", `/jobs/${created.job.id}/heartbeat`, { lease_token });
      await sendTwice(service, "POST", `/jobs/${created.job.id}/complete`, {
        lease_token,
        stage: "development",
      });
      const { job } = await sendTwice<{ job: Job }>(service, "POST", "/jobs", {
        repo: web,
        work_item_id: "WEB-1",
        agent: "developer",
      });
      const [again] = await isolated.claim();
      await sendTwice(service, "POST", `/jobs/${job.id}/release`, { lease_token: again?.lease.token });
      const [third] = await isolated.claim();
      const failure = { lease_token: third?.lease.token, error: "no", retry: false };
      await sendTwice(service, "POST", `/jobs/${job.id}/fail`, failure);
      await sendTwice(service, "POST", `/jobs/${job.id}/retry`);
      await sendTwice(service, "POST", `/serial-gate/pause?work_item=WEB-1&repo=${web}`, { reason: "waits" });
      await sendTwice(service, "POST", `/serial-gate/resume?work_item=WEB-1&repo=${web}`);
      await sendTwice(service, "POST", `/freeze?repo=${web}`);
      await sendTwice(service, "POST", `/unfreeze?repo=${web}`);
      await sendTwice(service, "PATCH", `/tasks/${created.task.id}`, { stage: "review" });
      await sendTwice(service, "POST", `/tasks/${created.task.id}/cancel`);
      const { events } = (await service.get<EventPage>("/events")).body;
      expect(events.map(({ kind }) => kind)).toEqual([
        "task.created",
        "job.created",
        "job.claimed",
        "job.completed",
        "task.stage",
        "job.created",
        "job.claimed",
        "job.released",
        "job.claimed",
        "job.failed",
        "job.retried",
        "task.paused",
        "task.resumed",
        "repo.frozen",
        "repo.unfrozen",
        "task.stage",
        "task.cancelled",
        "job.cancelled",
      ]);
    });

    it("runs concurrent calls under one key once and gives all the same answer", async () => {
      const service = await start();
      const { web, add } = isolatedRepos(service);
      for (const workItem of ["WEB-1", "WEB-2", "WEB-3"]) await add(workItem, { entry_job: false });
      for (const workItem of ["WEB-1", "WEB-2", "WEB-3"])
        await service.post("/jobs", { repo: web, work_item_id: workItem, agent: "developer" });
      const key = randomUUID();
      const answers = await Promise.all(
        Array.from({ length: 8 }, () => service.call<Claim>("POST", "/jobs/claim", {}, under(key))),
      );
      const [first] = answers;
      expect(first?.body.jobs).toHaveLength(1);
      for (const { status, body } of answers) expect([status, body]).toEqual([200, first?.body]);
      expect(answers.filter(({ headers }) => headers.has("idempotency-replayed"))).toHaveLength(7);
      const [job] = first?.body.jobs ?? [];
      const ending = { lease_token: job?.lease.token };
      const ends = await Promise.all(
        Array.from({ length: 8 }, () =>
          service.call("POST", `/jobs/${job?.id ?? 0}/complete`, ending, under(key + "-end")),
        ),
      );
      expect(ends.map(({ status }) => status)).toEqual(Array(8).fill(200));
    });

    it("replays a committed answer after a restart of the service", async () => {
      const environment = await env();
      const first = await startService(environment);
      const settings = { ...environment, DATABASE_URL: first.databaseUrl };
      const key = randomUUID();
      const body = { repo: "acme/web", work_item_id: "WEB-1" };
      const answer = await first.call("POST", "/tasks", body, under(key));
      await first.service.close();
      const second = await startService(settings);
      const again = await second.call("POST", "/tasks", body, under(key));
      expect([again.status, again.body]).toEqual([201, answer.body]);
    });
  });
};

describeOn("SQLite", () => Promise.resolve({}));
describeOn("PostgreSQL", async () => ({ DATABASE_URL: await testDatabase() }));

describe("shared service", () => {
  const shared = shareService();

  it("refuses a key that was used for another request, and changes nothing", async () => {
    const { web, add, task } = isolatedRepos(shared());
    const key = randomUUID();
    const made = await add("WEB-1");
    const path = `/tasks/${made.task.id}`;
    expect((await shared().call("PATCH", path, { stage: "review" }, under(key))).status).toBe(200);
    const before = await lastEvent(shared());
    for (const [method, url, body] of [
      ["PATCH", path, { stage: "done" }],
      ["POST", `${path}/cancel`, undefined],
      ["POST", `/freeze?repo=${web}`, undefined],
    ] as const)
      expectProblem(await shared().call(method, url, body, under(key)), {
        status: 422,
        code: "idempotency_key_reused",
      });
    expect((await task(made.task.id)).task.stage).toBe("review");
    expect(await lastEvent(shared())).toBe(before);
  });

  it("frees the key of a refused call and of an empty claim", async () => {
    const { web, add } = isolatedRepos(shared());
    const key = randomUUID();
    const path = `/serial-gate/pause?work_item=WEB-1&repo=${web}`;
    expect((await shared().call("POST", path, {}, under(key))).status).toBe(404);
    const claim = { repos: [web] };
    const claimKey = randomUUID();
    const empty = await shared().call<Claim>("POST", "/jobs/claim", claim, under(claimKey));
    expect(empty.body.jobs).toEqual([]);
    const { job } = await add("WEB-1");
    const full = await shared().call<Claim>("POST", "/jobs/claim", claim, under(claimKey));
    expect(full.headers.get("idempotency-replayed")).toBe(null);
    expect(full.body.jobs.map(({ id }) => id)).toEqual([job.id]);
    expect((await shared().call("POST", path, {}, under(key))).status).toBe(200);
  });

  it.each(["", "a".repeat(201), "two words", "café"])("refuses %j as an idempotency key", async (key) => {
    const answer = await callRaw(`${shared().service.url}/jobs/claim`, {
      headers: { "idempotency-key": Buffer.from(key).toString("latin1") },
    });
    expectProblem(answer, {
      status: 400,
      code: "invalid_request",
      errors: [{ in: "header", pointer: "/idempotency-key", detail: expect.any(String) as unknown }],
    });
  });

  it("ignores the key of a read", async () => {
    const key = randomUUID();
    for (const path of ["/queue", "/tasks", "/queue"]) {
      const { status, headers } = await shared().call("GET", path, undefined, under(key));
      expect([status, headers.get("idempotency-replayed")]).toEqual([200, null]);
    }
  });

  it("stores the answer of a keyed long poll once it has a job", async () => {
    const { web, add } = isolatedRepos(shared());
    const key = randomUUID();
    const request = { repos: [web], wait_ms: 20_000 };
    const poll = shared().call<Claim>("POST", "/jobs/claim", request, under(key));
    await sleep(50);
    const { job } = await add("WEB-1");
    const { body } = await poll;
    expect(body.jobs.map(({ id }) => id)).toEqual([job.id]);
    // Others wait in the same line, and get nothing.
    const gone = new AbortController();
    const other = fetch(`${shared().service.url}/jobs/claim`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(request),
      signal: gone.signal,
    }).catch(() => undefined);
    const again = await shared().call<Claim>("POST", "/jobs/claim", request, under(key));
    expect(again.body).toEqual(body);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    gone.abort();
    await other;
  });

  it("keeps the keys of different tokens apart", async () => {
    const tokens = "ann:0123456789abcdef-ann,bob:0123456789abcdef-bob";
    const service = await startService({ SERIAL_GATE_TOKENS: tokens });
    const as = (name: string) => ({ authorization: `Bearer 0123456789abcdef-${name}`, ...under("one") });
    const body = { repo: "acme/web", work_item_id: "WEB-1" };
    expect((await service.call("POST", "/tasks", body, as("ann"))).status).toBe(201);
    expect((await service.call("POST", "/tasks", body, as("bob"))).status).toBe(200);
    expect((await service.call("POST", "/tasks", body, as("ann"))).status).toBe(201);
  });

  it("logs neither the key nor its stored answer", async () => {
    const service = await startService({ LOG_LEVEL: "trace" });
    const { add, web } = isolatedRepos(service);
    await add("WEB-1");
    const claim = () => service.call<Claim>("POST", "/jobs/claim", { repos: [web] }, under("secret-key"));
    await claim();
    const token = (await claim()).body.jobs[0]?.lease.token ?? "none";
    expect(service.logs.join("\n")).not.toMatch(new RegExp(`secret-key|${token}`));
  });
});
