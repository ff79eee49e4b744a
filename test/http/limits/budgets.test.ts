import { writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, it } from "vitest";
import type { EventPage } from "../../../src/contract/events.ts";
import type { Claim, JobPage } from "../../../src/contract/jobs.ts";
import type { TaskPage } from "../../../src/contract/tasks.ts";
import { toStored } from "../../../src/store/timestamps.ts";
import { expectProblem, sleep } from "../../support/calls.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { startService, type TestService } from "../../support/service.ts";

const MIB = 1024 * 1024;
const SECRET = "0123456789abcdef0123";
const asAnn = { authorization: `Bearer ${SECRET}` };
const ANN = { SERIAL_GATE_TOKENS: `ann:${SECRET}` };

const database = ({ databaseUrl }: TestService): Database.Database =>
  new Database(databaseUrl.replace("file:", ""));

it("tells a token what is left of its changes, and refuses further ones until the next second", async () => {
  const { call } = await startService({ ...ANN, SERIAL_GATE_MAX_CHANGES: "3" });
  const change = () => call("POST", "/jobs/claim", {}, asAnn);
  const answers = await Promise.all([change(), change(), change(), change(), change()]);
  expect(answers[0].headers.get("ratelimit-policy")).toBe('"changes";q=3;w=1');
  expect(answers[0].headers.get("ratelimit")).toMatch(/^"changes";r=[0-2];t=1$/);
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(0);
  const [first] = refused;
  if (first) expectProblem(first, { status: 429, code: "over_budget" });
  expect(first?.headers.get("retry-after")).toBe("1");
  // Reads are not changes.
  expect((await call("GET", "/queue", undefined, asAnn)).status).toBe(200);
  await expect.poll(async () => (await change()).status, { timeout: 5_000 }).toBe(200);
});

it("does not count the changes of this machine on a service without tokens", async () => {
  const { post } = await startService({ SERIAL_GATE_MAX_CHANGES: "1" });
  const answers = await Promise.all(Array.from({ length: 20 }, () => post("/jobs/claim", {})));
  expect(answers.every(({ status }) => status === 200)).toBe(true);
  expect(answers[0]?.headers.get("ratelimit")).toBeNull();
});

it("refuses more open long polls and streams than a token may have, and takes new ones once some have ended", async () => {
  const { call, service } = await startService({
    ...ANN,
    SERIAL_GATE_MAX_POLLS: "2",
    SERIAL_GATE_MAX_STREAMS: "1",
  });
  const poll = (wait_ms: number) => call("POST", "/jobs/claim", { wait_ms }, asAnn);
  const waiting = [poll(1_500), poll(1_500)];
  await expect.poll(async () => (await poll(1)).status).toBe(429);
  expect((await poll(0)).status).toBe(200);
  await Promise.all(waiting);
  expect((await poll(1)).status).toBe(200);

  const stop = new AbortController();
  const follow = (signal?: AbortSignal) =>
    fetch(`${service.url}/events/stream`, { headers: asAnn, ...(signal ? { signal } : {}) });
  expect((await follow(stop.signal)).status).toBe(200);
  const second = await follow();
  expect([second.status, second.headers.get("retry-after")]).toEqual([429, "5"]);
  await second.text();
  stop.abort();
  const third = new AbortController();
  await expect.poll(async () => (await follow(third.signal)).status, { timeout: 5_000 }).toBe(200);
  third.abort();
});

it("refuses a payload that is too large, and names it", async () => {
  const { post } = await startService();
  const payload = { text: "x".repeat(256 * 1024) };
  const refused = await post("/tasks", { repo: "acme/web", work_item_id: "W-1", entry_job: { payload } });
  expectProblem(refused, {
    status: 413,
    code: "payload_too_large",
    errors: [{ in: "body", pointer: "/entry_job/payload", detail: "must be at most 256 KiB of JSON" }],
  });
  const small = { text: "x".repeat(200 * 1024) };
  const taken = await post("/tasks", {
    repo: "acme/web",
    work_item_id: "W-1",
    entry_job: { payload: small },
  });
  expect(taken.status).toBe(201);
});

it("hands out fewer jobs than asked for where their payloads would be more than a page, and the rest later", async () => {
  const { post } = await startService();
  const payload = { text: "x".repeat(200 * 1024) };
  for (let n = 0; n < 12; n += 1)
    await post("/tasks", { repo: `acme/r${n}`, work_item_id: "W", entry_job: { payload } });
  const sizes: number[] = [];
  for (let left = 12; left > 0;) {
    const { body } = await post<Claim>("/jobs/claim", { max: 100 });
    expect(body.jobs.length).toBeGreaterThan(0);
    expect(JSON.stringify(body).length).toBeLessThanOrEqual(1.1 * MIB);
    sizes.push(body.jobs.length);
    left -= body.jobs.length;
  }
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(12);
  expect(sizes.length).toBeGreaterThanOrEqual(3);
});

it("ends pages of tasks, jobs and events before they are larger than a mebibyte, and loses nothing between them", async () => {
  const service = await startService();
  const db = database(service);
  db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
    INSERT INTO tasks(repo, work_item_id, stage, title) SELECT 'acme/long', 'W-' || i, 'analysis', printf('%.*c', 99000, 'x') FROM n`);
  // Control characters take six bytes in JSON.
  db.exec(
    `INSERT INTO jobs(agent, repo, task_id, error) SELECT 'dev', repo, id, replace(printf('%.*c', 50000, 'x'), 'x', char(1)) FROM tasks`,
  );
  db.exec(`UPDATE gate_events SET reason = printf('%.*c', 99000, 'y')`);
  const count = (db.prepare("SELECT COUNT(*) AS n FROM gate_events").get() as { n: number }).n;
  db.close();

  const walk = async <Page>(
    path: string,
    next: (page: Page) => string | null,
    many: (page: Page) => number,
  ) => {
    let total = 0;
    for (let from: string | null = ""; from !== null;) {
      const response = await fetch(service.service.url + path + from);
      const text = await response.text();
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MIB + 1_000);
      const page = JSON.parse(text) as Page;
      total += many(page);
      from = next(page);
    }
    return total;
  };
  const cursor = (next: string | null): string | null => (next === null ? null : `&cursor=${next}`);
  expect(
    await walk<TaskPage>(
      "/tasks?limit=500",
      (page) => cursor(page.next_cursor),
      (page) => page.tasks.length,
    ),
  ).toBe(60);
  expect(
    await walk<JobPage>(
      "/jobs?limit=500",
      (page) => cursor(page.next_cursor),
      (page) => page.jobs.length,
    ),
  ).toBe(60);
  expect(
    await walk<EventPage>(
      "/events?limit=1000",
      (page) => (page.events.length === 0 ? null : `&after=${page.next_cursor}`),
      (page) => page.events.length,
    ),
  ).toBe(count);
});

it("lists the newest jobs of a task with many large ones, and says how many it leaves out", async () => {
  const service = await startService();
  await service.post("/tasks", { repo: "acme/web", work_item_id: "W-1", entry_job: false });
  const db = database(service);
  db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30)
    INSERT INTO jobs(agent, repo, task_id, task_content) SELECT 'dev', 'acme/web', 1, '"' || printf('%.*c', 100000, 'x') || '"' FROM n`);
  db.close();
  const { body } = await service.get<{ jobs: { id: number }[]; unlisted_jobs: number }>("/tasks/1");
  expect(body.jobs.length + body.unlisted_jobs).toBe(30);
  expect(body.jobs.at(-1)?.id).toBe(30);
  expect(JSON.stringify(body).length).toBeLessThan(1.2 * MIB);
});

it("ends the streams and the long polls of a token that is taken away", async () => {
  const path = join(temporaryFolder(), "tokens.json");
  const entry = (name: string, secret: string) => ({
    name,
    role: "operator",
    sha256: createHash("sha256").update(secret).digest("hex"),
  });
  const other = "fedcba9876543210fedc";
  writeFileSync(path, JSON.stringify({ tokens: [entry("ann", SECRET), entry("bob", other)] }), {
    mode: 0o600,
  });
  const { call, service } = await startService({ SERIAL_GATE_TOKENS_FILE: path });
  const stream = await fetch(`${service.url}/events/stream`, { headers: asAnn });
  const asBob = { authorization: `Bearer ${other}` };
  const stop = new AbortController();
  const kept = await fetch(`${service.url}/events/stream`, { headers: asBob, signal: stop.signal });
  const poll = call<Claim>("POST", "/jobs/claim", { wait_ms: 60_000 }, asAnn);
  await sleep(500);
  writeFileSync(path, JSON.stringify({ tokens: [entry("bob", other)] }), { mode: 0o600 });
  service.reload();
  const began = performance.now();
  await stream.text();
  expect((await poll).body.jobs).toEqual([]);
  expect(performance.now() - began).toBeLessThan(10_000);
  expect((await call("GET", "/queue", undefined, asAnn)).status).toBe(401);
  expect(kept.body?.locked).toBe(false);
  const reader = kept.body?.getReader();
  await call("POST", "/freeze?repo=acme/web", {}, asBob);
  const decoder = new TextDecoder();
  let seen = "";
  while (!seen.includes("repo.frozen"))
    seen += decoder.decode((await reader?.read())?.value as Uint8Array | undefined);
  stop.abort();
});

it("ends a stream when its token expires", async () => {
  const path = join(temporaryFolder(), "tokens.json");
  const token = {
    name: "ann",
    role: "operator",
    sha256: createHash("sha256").update(SECRET).digest("hex"),
    expires_at: new Date(Date.now() + 10_000).toISOString(),
  };
  writeFileSync(path, JSON.stringify({ tokens: [token] }), { mode: 0o600 });
  const { service } = await startService({ SERIAL_GATE_TOKENS_FILE: path });
  const stream = await fetch(`${service.url}/events/stream`, { headers: asAnn });
  expect(stream.status).toBe(200);
  await stream.text();
});

it("keeps large payloads and results once, and repeats them whole in the answer under a key", async () => {
  const service = await startService();
  const { call } = service;
  const payload = { text: "p".repeat(200_000) };
  const result = { text: "r".repeat(200_000) };
  const create = { repo: "acme/web", work_item_id: "W-1", entry_job: { payload } };
  const under = (key: string) => ({ "idempotency-key": key });
  const twice = async <Body>(key: string, path: string, body: object) => {
    const first = await call<Body>("POST", path, body, under(key));
    const second = await call<Body>("POST", path, body, under(key));
    expect(second.headers.get("idempotency-replayed")).toBe("true");
    expect(second.body).toEqual(first.body);
    return first.body;
  };
  await twice("k-1", "/tasks", create);
  const { jobs } = await twice<Claim>("k-2", "/jobs/claim", {});
  expect(jobs[0]?.payload).toEqual(payload);
  const [job] = jobs;
  await twice("k-3", `/jobs/${job?.id ?? 0}/complete`, { lease_token: job?.lease.token, result });
  const db = database(service);
  const { bytes } = db.prepare("SELECT SUM(length(answer)) AS bytes FROM gate_idempotency").get() as {
    bytes: number;
  };
  db.close();
  expect(bytes).toBeLessThan(20_000);
});

it("forgets the oldest kept answers of a token beyond its budget, and refuses keys while all of them are young", async () => {
  const service = await startService({
    ...ANN,
    SERIAL_GATE_MAX_KEPT_MB: "1",
    SERIAL_GATE_MAX_CHANGES: "1000",
  });
  const text = "x".repeat(3_900);
  const create = (n: number, headers: Record<string, string>) =>
    service.call(
      "POST",
      "/tasks",
      { repo: "acme/web", work_item_id: `W-${n}`, title: text, entry_job: { payload: { text } } },
      { ...asAnn, ...headers },
    );
  const under = (n: number) => create(n, { "idempotency-key": `k-${String(n).padStart(4, "0")}` });
  const keptBytes = (db: Database.Database) =>
    (db.prepare("SELECT SUM(length(answer)) AS bytes FROM gate_idempotency").get() as { bytes: number })
      .bytes;

  let n = 0;
  let answer = await under(n);
  while (answer.status === 201 && n < 300) answer = await under((n += 1));
  expectProblem(answer, { status: 429, code: "over_budget" });
  expect(answer.headers.get("retry-after")).toBe("5");
  const db = database(service);
  expect(keptBytes(db)).toBeGreaterThan(MIB * 0.9);
  expect(keptBytes(db)).toBeLessThan(MIB * 1.1);
  // A call without a key goes on.
  expect((await create(n, {})).status).toBe(201);

  // Three minutes later.
  db.prepare("UPDATE gate_idempotency SET at = ?").run(toStored(Date.now() - 180_000));
  await expect.poll(async () => (await under(n + 1)).status, { timeout: 15_000, interval: 500 }).toBe(201);
  expect(keptBytes(db)).toBeLessThan(MIB * 0.8);
  db.close();
  // The newest are still there, the oldest are gone.
  expect((await under(n - 1)).headers.get("idempotency-replayed")).toBe("true");
  expect((await under(0)).headers.get("idempotency-replayed")).toBeNull();
}, 60_000);
