import { createServer, type RequestListener } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import Database from "better-sqlite3";
import { expect, it, onTestFinished } from "vitest";
import { Client, ProblemError } from "../../src/client/client.ts";
import { pathOf } from "../../src/store/open.ts";
import { sleep, timed } from "../support/calls.ts";
import { shareService, startService } from "../support/service.ts";

const shared = shareService();
const ENTRY = "analyst";

let repos = 0;
const freshRepo = (): string => `acme/client${++repos}`;

const problemOf = async (call: Promise<unknown>): Promise<ProblemError> => {
  const error: unknown = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof ProblemError) return error;
  throw new Error("The call was not refused.", { cause: error });
};

/** Another program at the end of the line, which answers as it is told. */
const startOther = async (answer: RequestListener): Promise<string> => {
  const server = createServer(answer).listen(0, "127.0.0.1");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

it("takes a task from its creation to its end", async () => {
  const client = new Client({ url: shared().service.url });
  const repo = freshRepo();
  const { created, task, job } = await client.createTask({ repo, work_item_id: "WEB-1", title: "First" });
  expect({ created, stage: task.stage, agent: job?.agent }).toEqual({
    created: true,
    stage: "analysis",
    agent: ENTRY,
  });
  expect(await client.createTask({ repo, work_item_id: "WEB-1" })).toEqual({ created: false, task, job });

  const [claimed] = (await client.claim({ repos: [repo], worker: "w-1" })).jobs;
  if (!claimed) throw new Error("There is nothing to claim.");
  const lease_token = claimed.lease.token;
  const { lease } = await client.heartbeat(claimed.id, { lease_token, lease_ms: 90_000 });
  expect(Date.parse(lease.expires_at)).toBeGreaterThan(Date.parse(claimed.lease.expires_at));
  const completed = await client.complete(claimed.id, {
    lease_token,
    stage: "development",
    next: [{ agent: "developer" }],
  });
  expect(completed.task?.stage).toBe("development");

  const [next] = (await client.claim({ repos: [repo] })).jobs;
  if (!next) throw new Error("There is nothing to claim.");
  const token = { lease_token: next.lease.token };
  expect((await client.release(next.id, token)).job).toMatchObject({ status: "queued", attempt: 0 });
  const [again] = (await client.claim({ repos: [repo] })).jobs;
  if (!again) throw new Error("There is nothing to claim.");
  const failure = { lease_token: again.lease.token, error: "no", retry: false };
  expect((await client.fail(again.id, failure)).job.status).toBe("failed");
  expect((await client.retryJob(again.id)).job.status).toBe("queued");
  const { job: extra } = await client.createJob({ repo, work_item_id: "WEB-1", agent: "reviewer" });
  expect((await client.job(extra.id)).job).toEqual(extra);

  expect((await client.setStage(task.id, "review")).task.stage).toBe("review");
  expect((await client.cancelTask(task.id)).task.stage).toBe("cancelled");
  const { task: last, jobs } = await client.task(task.id);
  expect(last.stage).toBe("cancelled");
  expect(jobs.map(({ status }) => status)).toEqual(["done", "cancelled", "cancelled"]);
  expect(await client.listTasks({ repo, paused: false, limit: 5 })).toEqual({
    tasks: [last],
    next_cursor: null,
  });
});

it("sends names unchanged when it pauses, freezes and reads", async () => {
  const client = new Client({ url: `${shared().service.url}/` });
  const repo = freshRepo();
  const work_item = "pino#4 & friends?";
  await client.createTask({ repo, work_item_id: work_item });
  expect(await client.pause({ repo, work_item }, { reason: "lunch" })).toMatchObject({
    work_item_id: work_item,
    paused: true,
    changed: true,
  });
  expect(await client.resume({ repo, work_item })).toMatchObject({ paused: false, changed: true });
  const { freeze_id } = await client.freeze(repo, { reason: "bad deploy" });
  const { serial_gate } = await client.queue([repo, "acme/none"]);
  expect(Object.keys(serial_gate.per_repo)).toEqual([repo]);
  expect(serial_gate.per_repo[repo]).toMatchObject({
    frozen_reason: "bad deploy",
    waiting: [{ work_item_id: work_item, reason: "freeze" }],
  });
  expect(await client.unfreeze({ repo, id: freeze_id })).toMatchObject({ cleared: 1, frozen: false });
});

it("waits for a job during a long poll and returns it when it arrives", async () => {
  const client = new Client({ url: shared().service.url });
  const repo = freshRepo();
  const waiting = client.claim({ repos: [repo], wait_ms: 20_000 });
  await sleep(100);
  await client.createTask({ repo, work_item_id: "WEB-1" });
  const { jobs } = await waiting;
  expect(jobs.map(({ work_item_id }) => work_item_id)).toEqual(["WEB-1"]);
});

it("ends a call when its signal aborts", async () => {
  const client = new Client({ url: shared().service.url });
  const leaving = new AbortController();
  const waiting = client.claim({ repos: [freshRepo()], wait_ms: 20_000 }, leaving.signal);
  setTimeout(() => {
    leaving.abort();
  }, 100);
  const { ms } = await timed(expect(waiting).rejects.toMatchObject({ name: "AbortError" }));
  expect(ms).toBeLessThan(10_000);
});

it("throws a refusal with the service's whole problem", async () => {
  const client = new Client({ url: shared().service.url });
  const [one, other] = [freshRepo(), freshRepo()];
  for (const repo of [one, other]) await client.createTask({ repo, work_item_id: "AMB-1" });
  const error = await problemOf(client.pause({ work_item: "AMB-1" }));
  expect(error.code).toBe("ambiguous_work_item");
  expect(error.problem).toMatchObject({
    status: 409,
    repos: [one, other],
    hint: "Name one of them with repo.",
  });
  expect(error.message).toBe(`${error.problem.detail} Name one of them with repo.`);
});

it("throws unauthorized without a token and succeeds with one", async () => {
  const { service } = await startService({ SERIAL_GATE_TOKENS: "ci:0123456789abcdef" });
  const error = await problemOf(new Client({ url: service.url }).claim());
  expect([error.problem.status, error.code]).toEqual([401, "unauthorized"]);
  const { jobs } = await new Client({ url: service.url, token: "0123456789abcdef" }).claim();
  expect(jobs).toEqual([]);
});

it("throws the status and text of an answer that is no problem document", async () => {
  const url = await startOther((_request, response) => {
    response.writeHead(502, { "content-type": "text/html" }).end("<h1>Bad gateway</h1>");
  });
  const error = await problemOf(new Client({ url }).claim());
  expect(error.code).toBe("http_502");
  expect(error.message).toContain("<h1>Bad gateway</h1>");
});

const closed = "http://127.0.0.1:1";

it("asks the next node after a connection failure", async () => {
  const client = new Client({ url: [closed, shared().service.url] });
  expect(await client.claim({ repos: [freshRepo()] })).toMatchObject({ jobs: [] });
});

it("throws the failure of a network that does not come back", async () => {
  await expect(new Client({ url: closed }).claim()).rejects.toThrow("fetch failed");
});

it("repeats a change whose answer was lost, and makes it once", async () => {
  const { url } = shared().service;
  const keys: unknown[] = [];
  const losing = await startOther((request, response) => {
    const headers = Object.entries(request.headers).flatMap(([name, value]): [string, string][] =>
      name.startsWith("content-type") || name === "idempotency-key" ? [[name, String(value)]] : [],
    );
    keys.push(request.headers["idempotency-key"]);
    void (async () => {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      const answer = await fetch(url + (request.url ?? ""), {
        method: "POST",
        headers,
        body: Buffer.concat(parts).toString(),
      });
      if (keys.length < 3) response.destroy();
      else response.writeHead(answer.status, { "content-type": "application/json" }).end(await answer.text());
    })();
  });
  const repo = freshRepo();
  await new Client({ url: shared().service.url }).createTask({ repo, work_item_id: "WEB-1" });
  const client = new Client({ url: losing });
  const { jobs } = await client.claim({ repos: [repo] });
  expect(jobs).toMatchObject([{ work_item_id: "WEB-1", attempt: 1 }]);
  expect(keys).toEqual([keys[0], keys[0], keys[0]]);
});

it("asks the next node when one answers 503", async () => {
  const away = await startOther((_request, response) => {
    response.writeHead(503, { "retry-after": "0" }).end();
  });
  const client = new Client({ url: [away, shared().service.url] });
  expect(await client.claim({ repos: [freshRepo()] })).toMatchObject({ jobs: [] });
});

it("moves to the next node once when several calls fail at the same time", async () => {
  const client = new Client({ url: [closed, shared().service.url] });
  const calls = await Promise.all([1, 2, 3, 4].map(() => client.claim({ repos: [freshRepo()] })));
  expect(calls).toMatchObject(Array(4).fill({ jobs: [] }));
});

it("repeats a call after the service's Retry-After", async () => {
  const { service, databaseUrl } = await startService();
  const client = new Client({ url: service.url });
  const holder = new Database(pathOf(databaseUrl));
  onTestFinished(() => {
    holder.close();
  });
  holder.exec("BEGIN IMMEDIATE");
  // Longer than the service itself is patient.
  setTimeout(() => holder.exec("ROLLBACK"), 6_000);
  const { created } = await client.createTask({ repo: "acme/web", work_item_id: "WEB-1" });
  expect(created).toBe(true);
});

it.each([
  ["stops after three retries of a 503", 503, "0", 4],
  ["does not wait when Retry-After is an hour", 503, "3600", 1],
  ["does not repeat a 503 without Retry-After", 503, undefined, 1],
  ["does not repeat a 429", 429, "0", 1],
])("%s", async (_, status, retryAfter, requests) => {
  let seen = 0;
  const url = await startOther((_request, response) => {
    seen += 1;
    if (retryAfter !== undefined) response.setHeader("retry-after", retryAfter);
    response.writeHead(status).end();
  });
  const error = await problemOf(new Client({ url }).claim());
  expect(error.code).toBe(`http_${status}`);
  expect(seen).toBe(requests);
});
