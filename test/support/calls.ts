/** Calls and assertions that the HTTP tests share. */

import { expect } from "vitest";
import type { Claim, ClaimedJob, Job } from "../../src/contract/jobs.ts";
import type { Lane, Queue } from "../../src/contract/queue.ts";
import type { Task } from "../../src/contract/tasks.ts";
import type { Answer, TestService } from "./service.ts";

export const A_TIME: unknown = expect.stringMatching(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/);
export const AN_ID: unknown = expect.any(Number);
export const SOME_TEXT: unknown = expect.stringMatching(/./);

type Input = Readonly<Record<string, unknown>>;

interface Created {
  readonly task: Task;
  /** The entry job, which a task has unless told otherwise. */
  readonly job: Job;
}

/** Two repositories that no other test of a shared service has, and the calls in them. */
export interface IsolatedRepos {
  readonly web: string;
  readonly api: string;
  /** Makes a task that there must not be yet, in `web` unless told otherwise. */
  readonly add: (workItem: string, more?: Input) => Promise<Created>;
  /** Enqueues a job for a task of `web`. */
  readonly enqueue: (workItem: string, agent: string, more?: Input) => Promise<Job>;
  /** Claims in these repositories. */
  readonly claim: (request?: Input) => Promise<ClaimedJob[]>;
  /** Claims the one job that there must be. */
  readonly next: (request?: Input) => Promise<ClaimedJob>;
  /** `POST /jobs/{id}/{verb}` with the job's own lease token. */
  readonly report: <Body>(job: ClaimedJob, verb: string, more?: Input) => Promise<Answer<Body>>;
  /** Moves a task to a stage. */
  readonly move: (task: Task, stage: string) => Promise<Answer<{ task: Task }>>;
  /** Pauses a task of `web`. */
  readonly pause: <Body>(workItem: string, note?: Input) => Promise<Answer<Body>>;
  /** Resumes a task of `web`. */
  readonly resume: <Body>(workItem: string) => Promise<Answer<Body>>;
  readonly lane: (repo?: string) => Promise<Lane>;
  /** The reasons of a lane's waiting jobs, by work item. */
  readonly reasons: (repo?: string) => Promise<Record<string, string | null>>;
  /** Moves with every change of these repositories' rows. */
  readonly revision: () => Promise<number>;
  readonly task: (id: number) => Promise<{ task: Task; jobs: Job[] }>;
  readonly job: (id: number) => Promise<Job>;
}

const ok = async <Body>(answer: Promise<Answer<Body>>, expected = 200): Promise<Body> => {
  const { status, body } = await answer;
  expect(status, JSON.stringify(body)).toBe(expected);
  return body;
};

let isolatedCount = 0;

export const isolatedRepos = ({ call, post, get }: TestService): IsolatedRepos => {
  const web = `acme/web${++isolatedCount}`;
  const api = `acme/api${isolatedCount}`;
  const query = (workItem: string) => `work_item=${encodeURIComponent(workItem)}&repo=${web}`;
  const queue = () => ok(get<Queue>(`/queue?repo=${web}&repo=${api}`));
  const claim: IsolatedRepos["claim"] = async (request = {}) =>
    (await ok(post<Claim>("/jobs/claim", { repos: [web, api], ...request }))).jobs;
  const lane: IsolatedRepos["lane"] = async (repo = web) => {
    const view = (await queue()).serial_gate.per_repo[repo];
    if (!view) throw new Error(`${repo} is not in the queue.`);
    return view;
  };
  return {
    web,
    api,
    add: (work_item_id, more = {}) => ok(post<Created>("/tasks", { repo: web, work_item_id, ...more }), 201),
    enqueue: async (work_item_id, agent, more = {}) =>
      (await ok(post<{ job: Job }>("/jobs", { repo: web, work_item_id, agent, ...more }), 201)).job,
    claim,
    next: async (request) => {
      const [job] = await claim(request);
      if (!job) throw new Error("There is nothing to claim.");
      return job;
    },
    report: ({ id, lease }, verb, more = {}) =>
      post(`/jobs/${id}/${verb}`, { lease_token: lease.token, ...more }),
    move: ({ id }, stage) => call("PATCH", `/tasks/${id}`, { stage }),
    pause: (workItem, note) => post(`/serial-gate/pause?${query(workItem)}`, note),
    resume: (workItem) => post(`/serial-gate/resume?${query(workItem)}`),
    lane,
    reasons: async (repo) =>
      Object.fromEntries((await lane(repo)).waiting.map((job) => [job.work_item_id ?? "", job.reason])),
    revision: async () => (await queue()).revision,
    task: (id) => ok(get(`/tasks/${id}`)),
    job: async (id) => (await ok(get<{ job: Job }>(`/jobs/${id}`))).job,
  };
};

/** Asserts a problem of the contract: its status and code, its form, and whatever else is expected of it. */
export const expectProblem = (
  { status, headers, body }: Answer<unknown>,
  expected: { readonly status: number; readonly code: string } & Input,
): void => {
  expect(body).toMatchObject({
    type: `urn:serial-gate:problem:${expected.code}`,
    title: SOME_TEXT,
    detail: SOME_TEXT,
    request_id: headers.get("x-request-id"),
    ...expected,
  });
  expect(status).toBe(expected.status);
  expect(headers.get("content-type")).toMatch(/^application\/problem\+json/);
  expect(headers.get("x-request-id")).toMatch(/./);
};

/** One entry of a problem's `errors`: the invalid part of the input. */
export const invalidField = (part: "body" | "query" | "path", pointer: string): unknown => ({
  in: part,
  pointer,
  detail: SOME_TEXT,
});

export const sleep = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

/** The value of a promise, and how many milliseconds it took. */
export const timed = async <T>(promise: Promise<T>): Promise<{ value: T; ms: number }> => {
  const from = performance.now();
  const value = await promise;
  return { value, ms: performance.now() - from };
};
