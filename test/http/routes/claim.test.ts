import { Agent } from "node:http";
import { expect, it } from "vitest";
import type { Claim } from "../../../src/contract/jobs.ts";
import type { Task } from "../../../src/contract/tasks.ts";
import {
  A_TIME,
  AN_ID,
  invalidField,
  isolatedRepos,
  expectProblem,
  sleep,
  timed,
  type IsolatedRepos,
} from "../../support/calls.ts";
import { callRaw } from "../../support/raw.ts";
import { shareService, startService } from "../../support/service.ts";

const shared = shareService();

/** A long poll is to be answered within 50 ms of what enables it; a loaded machine gets ten times that. */
const SOON_MS = 500;

it("hands out a job with its own lease", async () => {
  const { web, add, job } = isolatedRepos(shared());
  const { task } = await add("WEB-1", { entry_job: { payload: { a: 1 }, max_attempts: 4 } });
  const from = Date.now();
  const { status, body } = await shared().post<Claim>("/jobs/claim", { repos: [web], worker: "w-1" });
  expect(status).toBe(200);
  expect(body).toEqual({
    jobs: [
      {
        id: AN_ID,
        task_id: task.id,
        repo: web,
        work_item_id: "WEB-1",
        agent: "analyst",
        stage: "analysis",
        payload: { a: 1 },
        attempt: 1,
        max_attempts: 4,
        lease: { token: expect.stringMatching(/^[0-9a-f]{32}$/) as unknown, expires_at: A_TIME },
        base: { stale: false, overtaken_by: [] },
        resumed: null,
      },
    ],
    degraded: false,
  });
  const [claimed] = body.jobs;
  if (!claimed) throw new Error("unreachable");
  const { token, expires_at } = claimed.lease;
  expect(Date.parse(expires_at) - from).toBeGreaterThanOrEqual(60_000);
  expect(Date.parse(expires_at) - Date.now()).toBeLessThanOrEqual(60_000);

  const running = await job(claimed.id);
  expect(running).toMatchObject({ status: "running", attempt: 1, started_at: A_TIME });
  expect(running.lease).toEqual({ worker: "w-1", expires_at });
  expect(JSON.stringify(running)).not.toContain(token);
});

it("claims one job without a body and with an empty one", async () => {
  const service = await startService();
  const { add } = isolatedRepos(service);
  await add("WEB-1");
  await add("WEB-2", { stage: "done", entry_job: false });
  const bare = await fetch(`${service.service.url}/jobs/claim`, { method: "POST" });
  expect(bare.status).toBe(200);
  expect(await bare.json()).toMatchObject({ jobs: [{ work_item_id: "WEB-1" }] });
  for (const body of ["", "{}"]) {
    const empty = await service.post("/jobs/claim", body);
    expect(empty).toMatchObject({ status: 200, body: { jobs: [], degraded: false } });
  }
});

it.each([1_000, 3_600_000, 86_400_000])("gives a lease of the requested %i ms", async (lease_ms) => {
  const { add, next } = isolatedRepos(shared());
  await add("WEB-1");
  const from = Date.now();
  const expires = Date.parse((await next({ lease_ms })).lease.expires_at);
  expect(expires - from).toBeGreaterThanOrEqual(lease_ms);
  expect(expires - Date.now()).toBeLessThanOrEqual(lease_ms);
});

const backlog = async () => {
  const isolated = isolatedRepos(shared());
  const { api: repo, add, enqueue } = isolated;
  await add("WEB-1", { stage: "development", entry_job: false });
  await add("API-1", { repo });
  await enqueue("WEB-1", "developer");
  await enqueue("API-1", "tester", { repo });
  await enqueue("WEB-1", "tester");
  await add("API-2", { repo });
  return isolated;
};

it("hands out at most `max` jobs, oldest first across repositories", async () => {
  const { claim } = await backlog();
  const three = await claim({ max: 3 });
  expect(three.map((job) => [job.work_item_id, job.agent])).toEqual([
    ["API-1", "analyst"],
    ["WEB-1", "developer"],
    ["API-1", "tester"],
  ]);
  expect(new Set(three.map((job) => job.lease.token)).size).toBe(3);
  expect(three.map((job) => job.id)).toEqual(three.map((job) => job.id).toSorted((a, b) => a - b));
  // API-2's entry job is held: API-1 is under way.
  expect((await claim({ max: 100 })).map((job) => [job.work_item_id, job.agent])).toEqual([
    ["WEB-1", "tester"],
  ]);
});

it("hands out one job when the claim has no `max`", async () => {
  const { claim } = await backlog();
  expect(await claim()).toHaveLength(1);
});

it.each([
  ["agents", { agents: ["tester"] }, ["API-1 tester", "WEB-1 tester"]],
  ["several agents", { agents: ["tester", "analyst"] }, ["API-1 analyst", "API-1 tester", "WEB-1 tester"]],
  ["agents that no job is for", { agents: ["nobody"] }, []],
])("hands out only the jobs of the requested agents: %s", async (_, filter, expected) => {
  const { claim } = await backlog();
  const jobs = await claim({ max: 100, ...filter });
  expect(jobs.map((job) => `${job.work_item_id ?? ""} ${job.agent}`)).toEqual(expected);
});

it("hands out only jobs of the requested repositories", async () => {
  const { web, api, claim } = await backlog();
  expect((await claim({ max: 100, repos: [api] })).map((job) => job.repo)).toEqual([api, api]);
  expect(await claim({ max: 100, repos: ["acme/none"] })).toEqual([]);
  expect((await claim({ max: 100, repos: [web] })).map((job) => job.repo)).toEqual([web, web]);
});

it("never hands out a job twice to concurrent claims", async () => {
  const { add, enqueue, claim } = isolatedRepos(shared());
  await add("WEB-1", { entry_job: false });
  for (let jobs = 0; jobs < 10; jobs += 1) await enqueue("WEB-1", "developer");
  const claimed = (await Promise.all(Array.from({ length: 30 }, () => claim()))).flat();
  expect(claimed).toHaveLength(10);
  expect(new Set(claimed.map((job) => job.id)).size).toBe(10);
});

it.each([
  ["max", 0],
  ["max", 101],
  ["max", 1.5],
  ["max", "1"],
  ["wait_ms", -1],
  ["wait_ms", 60_001],
  ["lease_ms", 999],
  ["lease_ms", 86_400_001],
  ["agents", []],
  ["agents", "analyst"],
  ["repos", []],
  ["worker", ""],
  ["worker", null],
])("refuses a claim with %s %j", async (field, value) => {
  expectProblem(await shared().post("/jobs/claim", { [field]: value }), {
    status: 400,
    code: "invalid_request",
    errors: [invalidField("body", `/${field}`)],
  });
});

interface Wait {
  readonly hold: (isolated: IsolatedRepos) => Promise<unknown>;
  readonly enable: (isolated: IsolatedRepos, held: unknown) => Promise<unknown>;
  readonly gets: string;
}
const behindAnother = async ({ add }: IsolatedRepos): Promise<Task> => {
  const { task } = await add("WEB-1", { entry_job: false });
  await add("WEB-2");
  return task;
};
const needingAnother = async ({ web, api, add }: IsolatedRepos): Promise<Task> => {
  const { task } = await add("WEB-1", { entry_job: false });
  await add("API-1", { repo: api, depends_on: [{ repo: web, work_item_id: "WEB-1" }] });
  return task;
};
const inTheFrost = async ({ web, add }: IsolatedRepos) => {
  await shared().post(`/freeze?repo=${web}`);
  await add("WEB-1");
};
const WAITS: Readonly<Record<string, Wait>> = {
  "a task is created": {
    hold: () => Promise.resolve(),
    enable: ({ add }) => add("WEB-1"),
    gets: "WEB-1",
  },
  "a job is created": {
    hold: ({ add }) => add("WEB-1", { entry_job: false }),
    enable: ({ enqueue }) => enqueue("WEB-1", "developer"),
    gets: "WEB-1",
  },
  "the task ahead is finished": {
    hold: behindAnother,
    enable: ({ move }, task) => move(task as Task, "done"),
    gets: "WEB-2",
  },
  "the task ahead is paused": { hold: behindAnother, enable: ({ pause }) => pause("WEB-1"), gets: "WEB-2" },
  "the repository is unfrozen": {
    hold: inTheFrost,
    enable: ({ web }) => shared().post(`/unfreeze?repo=${web}`),
    gets: "WEB-1",
  },
  "the dependency is finished": {
    hold: needingAnother,
    enable: ({ move }, task) => move(task as Task, "cancelled"),
    gets: "API-1",
  },
};

it.each(Object.entries(WAITS))("answers a waiting claim as soon as %s", async (_, { hold, enable, gets }) => {
  const isolated = isolatedRepos(shared());
  const held = await hold(isolated);
  expect(await isolated.claim()).toEqual([]);
  const waiting = isolated.claim({ wait_ms: 30_000 });
  await sleep(100);
  await enable(isolated, held);
  const { value, ms } = await timed(waiting);
  expect(value.map((job) => job.work_item_id)).toEqual([gets]);
  expect(ms).toBeLessThan(SOON_MS);
});

it("answers a waiting claim as soon as a job is released, without counting the attempt", async () => {
  const { add, next, report } = isolatedRepos(shared());
  await add("WEB-1");
  const first = await next();
  const waiting = next({ wait_ms: 30_000 });
  await sleep(100);
  await report(first, "release");
  const { value, ms } = await timed(waiting);
  expect(value).toMatchObject({ id: first.id, attempt: 1 });
  expect(ms).toBeLessThan(SOON_MS);
});

it("answers a long poll at once when a job is ready", async () => {
  const { add, claim } = isolatedRepos(shared());
  await add("WEB-1");
  const { value, ms } = await timed(claim({ wait_ms: 30_000 }));
  expect(value).toHaveLength(1);
  expect(ms).toBeLessThan(SOON_MS);
});

it("answers an empty claim when the wait is over", async () => {
  const { web } = isolatedRepos(shared());
  const { value, ms } = await timed(shared().post("/jobs/claim", { repos: [web], wait_ms: 300 }));
  expect(value).toMatchObject({ status: 200, body: { jobs: [], degraded: false } });
  expect(ms).toBeGreaterThanOrEqual(290);
  expect(ms).toBeLessThan(300 + 5 * SOON_MS);
});

it("leaves a waiting claim waiting when another agent's job arrives", async () => {
  const { web, api, add, claim } = isolatedRepos(shared());
  const testers = claim({ wait_ms: 400, agents: ["tester"] });
  const api_ = claim({ wait_ms: 400, repos: [api] });
  await sleep(50);
  await add("WEB-1");
  expect(await Promise.all([testers, api_])).toEqual([[], []]);
  expect(await claim({ repos: [web] })).toHaveLength(1);
});

it("gives one job to one of several waiting claims and lets the others wait", async () => {
  const { add, claim } = isolatedRepos(shared());
  const waiting = Array.from({ length: 5 }, () => claim({ wait_ms: 1_500 }));
  await sleep(100);
  await add("WEB-1");
  expect((await Promise.all(waiting)).map((jobs) => jobs.length).sort()).toEqual([0, 0, 0, 0, 1]);
});

it("loses no job when a waiting caller hangs up", async () => {
  const { web, add, next } = isolatedRepos(shared());
  const caller = new AbortController();
  const waiting = fetch(`${shared().service.url}/jobs/claim`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ repos: [web], wait_ms: 30_000 }),
    signal: caller.signal,
  });
  await sleep(200);
  caller.abort();
  await expect(waiting).rejects.toThrow(/abort/);
  await sleep(200);
  await add("WEB-1");
  expect(await next()).toMatchObject({ work_item_id: "WEB-1", attempt: 1 });
});

it("leaves no listener behind on a kept-alive connection", async () => {
  const { web } = isolatedRepos(shared());
  const warnings: string[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning.message);
  process.on("warning", onWarning);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const poll = {
    agent,
    headers: { "content-type": "application/json" },
    parts: [JSON.stringify({ repos: [web], wait_ms: 1 })],
  };
  for (let polls = 0; polls < 15; polls += 1)
    expect(await callRaw(`${shared().service.url}/jobs/claim`, poll)).toMatchObject({ status: 200 });
  agent.destroy();
  process.off("warning", onWarning);
  expect(warnings).toEqual([]);
});
