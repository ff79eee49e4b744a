import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "../../support/folder.ts";
import { startService, type Answer, type TestService } from "../../support/service.ts";

const ROLES = ["viewer", "worker", "producer", "operator"] as const;
type Role = (typeof ROLES)[number];

const secretOf = (name: string): string => `${name}-0a9z8y7x6w5v4u3t`;
const bearing = (name: string) => ({ authorization: `Bearer ${secretOf(name)}` });

const entry = (name: string, role: Role, more: object = {}) => ({
  name,
  role,
  sha256: createHash("sha256").update(secretOf(name)).digest("hex"),
  ...more,
});

/** Every name in the repository that the limited tokens may not know begins so. */
const HIDDEN = "hidden";

/** The rows of one repository. */
interface Lane {
  readonly repo: string;
  readonly workItem: string;
  readonly task: number;
  readonly job: number;
}

interface Shared {
  readonly service: TestService;
  readonly as: <Body = unknown>(
    name: string,
    method: string,
    path: string,
    body?: unknown,
  ) => Promise<Answer<Body> & { readonly text: string }>;
  readonly own: Lane;
  readonly hidden: Lane;
}

let shared: Shared;

beforeAll(async () => {
  const ends: (() => void | Promise<void>)[] = [];
  const atEnd = (end: () => void | Promise<void>): void => void ends.unshift(end);
  const file = join(temporaryFolder(atEnd), "tokens.json");
  const limited = ROLES.map((role) => entry(role, role, { repos: ["acme/web", "acme/libs-*"] }));
  const tokens = [
    ...limited,
    entry("all", "operator"),
    entry("monitor", "viewer"),
    entry("past", "operator", { expires_at: "2020-01-01T00:00:00Z" }),
    entry("developer", "worker", { repos: ["acme/web"], agents: ["developer"] }),
    entry("second", "worker", { repos: ["acme/web"] }),
  ];
  writeFileSync(file, JSON.stringify({ tokens }));
  const service = await startService(
    { SERIAL_GATE_TOKENS_FILE: file, SERIAL_GATE_PROJECTS: `acme/web,${HIDDEN}/project` },
    atEnd,
  );
  const as: Shared["as"] = async <Body>(name: string, method: string, path: string, body?: unknown) => {
    const answer = await service.call<Body>(method, path, body, bearing(name));
    return { ...answer, text: JSON.stringify(answer.body) };
  };
  const lane = async (repo: string, workItem: string, word: string): Promise<Lane> => {
    const { body } = await as<{ task: { id: number }; job: { id: number } }>("all", "POST", "/tasks", {
      repo,
      work_item_id: workItem,
      title: `${word}-title`,
      entry_job: { payload: { secret: `${word}-payload` } },
    });
    return { repo, workItem, task: body.task.id, job: body.job.id };
  };
  const hidden = await lane(`${HIDDEN}/api`, `${HIDDEN}-1`, HIDDEN);
  const own = await lane("acme/web", "WEB-1", "own");
  await as("all", "POST", `/freeze?repo=${HIDDEN}/api`, { reason: `${HIDDEN}-reason` });
  shared = { service, as, own, hidden };
  return async () => {
    for (const end of ends) await end();
  };
});

interface Case {
  /** The roles that may call it. */
  readonly roles: readonly Role[];
  readonly call: (lane: Lane) => readonly [method: string, path: string, body?: unknown];
  /** The statuses in the caller's own repository. */
  readonly own: readonly number[];
  /** The status in a repository that the caller may not know; 200 for a list, which leaves it out. */
  readonly hidden: 200 | 404;
}

const ALL: readonly Role[] = ROLES;
const READERS: readonly Role[] = ["viewer", "producer", "operator"];
const WORKERS: readonly Role[] = ["worker", "operator"];
const PRODUCERS: readonly Role[] = ["producer", "operator"];
const OPERATORS: readonly Role[] = ["operator"];

const lease_token = "0".repeat(32);
const dry = "dry_run=true";

const CASES: Readonly<Record<string, Case>> = {
  alive: { roles: ALL, call: () => ["GET", "/livez"], own: [200], hidden: 200 },
  ready: { roles: ALL, call: () => ["GET", "/readyz"], own: [200], hidden: 200 },
  whoAmI: { roles: ALL, call: () => ["GET", "/whoami"], own: [200], hidden: 200 },
  getQueue: { roles: ALL, call: ({ repo }) => ["GET", `/queue?repo=${repo}`], own: [200], hidden: 200 },
  explainWorkItem: {
    roles: ALL,
    call: ({ workItem }) => ["GET", `/queue/explain?work_item=${workItem}`],
    own: [200],
    hidden: 404,
  },
  listTasks: { roles: READERS, call: ({ repo }) => ["GET", `/tasks?repo=${repo}`], own: [200], hidden: 200 },
  resolveTask: {
    roles: READERS,
    call: ({ workItem }) => ["GET", `/tasks/resolve?work_item=${workItem}`],
    own: [200],
    hidden: 404,
  },
  getTask: { roles: READERS, call: ({ task }) => ["GET", `/tasks/${task}`], own: [200], hidden: 404 },
  listJobs: { roles: READERS, call: ({ repo }) => ["GET", `/jobs?repo=${repo}`], own: [200], hidden: 200 },
  getJob: { roles: READERS, call: ({ job }) => ["GET", `/jobs/${job}`], own: [200], hidden: 404 },
  listEvents: {
    roles: READERS,
    call: ({ repo }) => ["GET", `/events?repo=${repo}`],
    own: [200],
    hidden: 200,
  },
  // An endless answer: its own test reads it.
  followEvents: { roles: READERS, call: () => ["GET", "/events/stream?after=text"], own: [400], hidden: 200 },
  claimJobs: {
    roles: WORKERS,
    call: ({ repo }) => ["POST", "/jobs/claim", { repos: [repo], agents: ["nobody"] }],
    own: [200],
    hidden: 200,
  },
  heartbeat: {
    roles: WORKERS,
    call: ({ job }) => ["POST", `/jobs/${job}/heartbeat`, { lease_token }],
    own: [409],
    hidden: 404,
  },
  completeJob: {
    roles: WORKERS,
    call: ({ job }) => ["POST", `/jobs/${job}/complete`, { lease_token }],
    own: [409],
    hidden: 404,
  },
  failJob: {
    roles: WORKERS,
    call: ({ job }) => ["POST", `/jobs/${job}/fail`, { lease_token, error: "it failed" }],
    own: [409],
    hidden: 404,
  },
  releaseJob: {
    roles: WORKERS,
    call: ({ job }) => ["POST", `/jobs/${job}/release`, { lease_token }],
    own: [409],
    hidden: 404,
  },
  createTask: {
    roles: PRODUCERS,
    call: ({ repo }) => ["POST", `/tasks?${dry}`, { repo, work_item_id: "NEW-1" }],
    own: [201],
    hidden: 404,
  },
  changeTask: {
    roles: PRODUCERS,
    call: ({ task }) => ["PATCH", `/tasks/${task}?${dry}`, { stage: "review" }],
    own: [200],
    hidden: 404,
  },
  cancelTask: {
    roles: PRODUCERS,
    call: ({ task }) => ["POST", `/tasks/${task}/cancel?${dry}`, {}],
    own: [200],
    hidden: 404,
  },
  createJob: {
    roles: PRODUCERS,
    call: ({ repo, workItem }) => [
      "POST",
      `/jobs?${dry}`,
      { repo, work_item_id: workItem, agent: "developer" },
    ],
    own: [201],
    hidden: 404,
  },
  retryJob: {
    roles: PRODUCERS,
    call: ({ job }) => ["POST", `/jobs/${job}/retry?${dry}`, {}],
    own: [409],
    hidden: 404,
  },
  cancelJob: {
    roles: PRODUCERS,
    call: ({ job }) => ["POST", `/jobs/${job}/cancel?${dry}`, {}],
    own: [200],
    hidden: 404,
  },
  freezeRepo: {
    roles: PRODUCERS,
    call: ({ repo }) => ["POST", `/freeze?repo=${repo}&${dry}`, {}],
    own: [200],
    hidden: 404,
  },
  unfreezeRepo: {
    roles: OPERATORS,
    call: ({ repo }) => ["POST", `/unfreeze?repo=${repo}&${dry}`, {}],
    own: [200],
    hidden: 404,
  },
  pauseTask: {
    roles: OPERATORS,
    call: ({ repo }) => ["POST", `/serial-gate/pause?repo=${repo}&all=true&${dry}`, {}],
    own: [200],
    hidden: 404,
  },
  resumeTask: {
    roles: OPERATORS,
    call: ({ task }) => ["POST", `/serial-gate/resume?task_id=${task}&${dry}`, {}],
    own: [200],
    hidden: 404,
  },
};

it("every operation of the API has a case here", async () => {
  const { body } = await shared.service.get<{
    paths: Record<string, Record<string, { operationId: string }>>;
  }>("/openapi.json");
  const operations = Object.values(body.paths).flatMap((path) =>
    Object.values(path).map(({ operationId }) => operationId),
  );
  expect(Object.keys(CASES).sort()).toEqual(operations.sort());
});

describe.each(ROLES)("a %s that is limited to some repositories", (role) => {
  it.each(Object.entries(CASES))(
    "%s: is refused, or answered about its own repositories only",
    async (_, each) => {
      const { as, own, hidden } = shared;
      const [method, path, body] = each.call(own);
      const answer = await as<{ code?: string; roles?: string[] }>(role, method, path, body);
      const [otherMethod, otherPath, otherBody] = each.call(hidden);
      const other = await as<{ code?: string }>(role, otherMethod, otherPath, otherBody);
      if (!each.roles.includes(role)) {
        expect(answer).toMatchObject({ status: 403, body: { code: "forbidden", roles: each.roles } });
        expect(other).toMatchObject({ status: 403, body: { code: "forbidden" } });
        return;
      }
      expect(each.own).toContain(answer.status);
      expect(answer.text).not.toContain(HIDDEN);
      if (each.own.includes(400)) return;
      expect(other.status).toBe(each.hidden);
      // A refusal repeats what the caller sent, and nothing else.
      const sent = [hidden.repo, hidden.workItem].filter(
        (name) => otherPath.includes(name) || JSON.stringify(otherBody ?? "").includes(name),
      );
      expect(sent.reduce((text, name) => text.replaceAll(name, ""), other.text)).not.toContain(HIDDEN);
    },
  );

  it("reads no list of all repositories with another one in it", async () => {
    const { as } = shared;
    for (const path of ["/queue", "/tasks", "/jobs", "/events", "/queue/explain?work_item=WEB-1"])
      expect((await as(role, "GET", path)).text).not.toContain(HIDDEN);
  });
});

it.each([
  ["viewer", false],
  ["producer", true],
  ["operator", true],
])("shows payloads and results to a %s: %s", async (role, shown) => {
  const { as, own } = shared;
  for (const path of [`/jobs/${own.job}`, "/jobs", `/tasks/${own.task}`])
    expect((await as(role, "GET", path)).text.includes("own-payload")).toBe(shown);
});

it("lets a release by force to operators", async () => {
  const { as, own } = shared;
  const path = `/jobs/${own.job}/release?force=true`;
  expect(await as("worker", "POST", path, { reason: "it hangs" })).toMatchObject({
    status: 403,
    body: { code: "forbidden", roles: ["operator"] },
  });
  expect((await as("operator", "POST", path, { reason: "it hangs" })).status).toBe(409);
});

it("shows the metrics to tokens of all repositories only", async () => {
  const { service } = shared;
  const statusFor = async (name: string) =>
    (await fetch(`${service.service.url}/metrics`, { headers: bearing(name) })).status;
  expect(await statusFor("monitor")).toBe(200);
  for (const role of ROLES) expect(await statusFor(role)).toBe(403);
});

it("gives no ETag to a limited token, because the tag changes with every repository", async () => {
  const { as } = shared;
  expect((await as("operator", "GET", "/queue")).headers.get("etag")).toBeNull();
  expect((await as("all", "GET", "/queue")).headers.get("etag")).not.toBeNull();
});

it("refuses an expired token, and says that it has expired to who has its secret", async () => {
  expect(await shared.as("past", "GET", "/queue")).toMatchObject({
    status: 401,
    body: { code: "unauthorized", detail: "The token of past has expired." },
  });
});

it("hides a blocker in another repository: its name, its stage, and the calls that would remove it", async () => {
  const { as, hidden } = shared;
  const needs = [{ repo: hidden.repo, work_item_id: hidden.workItem }];
  const blocked = { repo: "acme/libs-a", work_item_id: "LIB-1", depends_on: needs };
  const { body } = await as<{ task: { id: number } }>("all", "POST", "/tasks", blocked);
  const explained = await as<{
    task: { depends_on: unknown[] };
    root: { sentence: string };
    jobs: { reasons: { detail: string; fix: unknown[] }[] }[];
  }>("operator", "GET", "/queue/explain?work_item=LIB-1");
  expect(explained.text).not.toContain(HIDDEN);
  expect(explained.body.task.depends_on).toEqual([]);
  expect(explained.body.jobs[0]?.reasons).toMatchObject([
    { reason: "dependency", detail: "a task of another repository is unfinished", fix: [] },
  ]);
  expect(explained.body.root.sentence).toContain("a task of another repository");
  // A new set of dependencies keeps the one that the caller does not see.
  await as("producer", "PATCH", `/tasks/${body.task.id}`, {
    depends_on: ["WEB-1"].map((work_item_id) => ({ repo: "acme/web", work_item_id })),
  });
  const { body: after } = await as<{ task: { depends_on: { repo: string }[] } }>(
    "all",
    "GET",
    `/tasks/${body.task.id}`,
  );
  expect(after.task.depends_on.map(({ repo }) => repo).sort()).toEqual(["acme/web", hidden.repo]);
  // Events of the life of the task, and the effect of the other's end.
  expect((await as("producer", "GET", "/events?about=LIB-1")).text).not.toContain(HIDDEN);
});

it("leaves the effect on another repository out of an answer, also of a stored one", async () => {
  const { service, as } = shared;
  await as("all", "POST", "/tasks", { repo: "acme/libs-c", work_item_id: "LIB-3", entry_job: false });
  const needs = [{ repo: "acme/libs-c", work_item_id: "LIB-3" }];
  await as("all", "POST", "/tasks", { repo: `${HIDDEN}/c`, work_item_id: `${HIDDEN}-3`, depends_on: needs });
  const { body } = await as<{ task: { id: number } }>("all", "GET", "/tasks/resolve?work_item=LIB-3");
  const path = `/tasks/${body.task.id}/cancel`;
  expect((await as("all", "POST", `${path}?dry_run=true`, {})).text).toContain(`${HIDDEN}-3`);
  for (const replayed of [null, "true"]) {
    const answer = await service.call(
      "POST",
      path,
      {},
      { ...bearing("producer"), "idempotency-key": "once" },
    );
    expect(answer.status).toBe(200);
    expect(answer.headers.get("idempotency-replayed")).toBe(replayed);
    expect(JSON.stringify(answer.body)).not.toContain(HIDDEN);
  }
});

it("treats a dependency of another repository as unknown", async () => {
  const { as, hidden } = shared;
  for (const needed of [hidden.workItem, { repo: hidden.repo, work_item_id: hidden.workItem }]) {
    const task = { repo: "acme/web", work_item_id: "WEB-9", depends_on: [needed] };
    expect(await as("producer", "POST", "/tasks", task)).toMatchObject({
      status: 404,
      body: { code: "unknown_work_item" },
    });
  }
});

it("finds a work item ambiguous only among the repositories that the caller may know", async () => {
  const { as } = shared;
  for (const repo of ["acme/libs-b", `${HIDDEN}/b`])
    await as("all", "POST", "/tasks", { repo, work_item_id: "SAME-1" });
  expect(await as("viewer", "GET", "/tasks/resolve?work_item=SAME-1")).toMatchObject({
    status: 200,
    body: { task: { repo: "acme/libs-b" } },
  });
  expect((await as("all", "GET", "/tasks/resolve?work_item=SAME-1")).status).toBe(409);
});

it("claims of its own repositories and agents only, and the lease is its own", async () => {
  const { as, own } = shared;
  expect(await as("developer", "POST", "/jobs/claim", { agents: ["analyst"] })).toMatchObject({
    status: 403,
    body: { code: "forbidden" },
  });
  expect(await as("developer", "POST", "/jobs/claim", {})).toMatchObject({ body: { jobs: [] } });
  const { body, text } = await as<{ jobs: { id: number; repo: string; lease: { token: string } }[] }>(
    "second",
    "POST",
    "/jobs/claim",
    { max: 10 },
  );
  expect(text).not.toContain(HIDDEN);
  expect(body.jobs.map(({ repo }) => repo)).toEqual([own.repo]);
  const job = body.jobs[0];
  const beat = { lease_token: job?.lease.token };
  expect((await as("worker", "POST", `/jobs/${job?.id}/heartbeat`, beat)).status).toBe(409);
  expect((await as("second", "POST", `/jobs/${job?.id}/heartbeat`, beat)).status).toBe(200);
  const next = { ...beat, claim: { agents: ["analyst"] } };
  expect((await as("developer", "POST", `/jobs/${job?.id}/complete`, next)).body).toMatchObject({
    code: "forbidden",
    errors: [{ pointer: "/claim/agents" }],
  });
  expect((await as("second", "POST", `/jobs/${job?.id}/release`, beat)).status).toBe(200);
});

it("streams the events of the caller's repositories only", async () => {
  const { service, as, own } = shared;
  const cut = new AbortController();
  const response = await fetch(`${service.service.url}/events/stream?last=1000`, {
    headers: bearing("viewer"),
    signal: cut.signal,
  });
  await as("all", "POST", `/freeze?repo=${HIDDEN}/api`, {});
  await as("all", "PATCH", `/tasks/${own.task}`, { stage: "seen-last" });
  let text = "";
  const decoder = new TextDecoder();
  for await (const part of response.body ?? []) {
    text += decoder.decode(part as Uint8Array);
    if (text.includes("seen-last")) break;
  }
  cut.abort();
  expect(text).toContain(own.workItem);
  expect(text).not.toContain(HIDDEN);
});

it("nobody acts as serial-gate", async () => {
  const { post } = await startService();
  expect(await post("/freeze?repo=acme/web", { by: "serial-gate" })).toMatchObject({
    status: 400,
    body: { errors: [{ pointer: "/by" }] },
  });
});
