import { expect, it } from "vitest";
import type { FreezeState, LanePauseState, PauseState } from "../../src/contract/operations.ts";
import { AN_ID, expectProblem, invalidField, isolatedRepos } from "../support/calls.ts";
import { shareService } from "../support/service.ts";

const shared = shareService();

it.each([
  ["POST", "/tasks", (repo: string) => ({ repo, work_item_id: "WEB-9" }), "body"],
  ["POST", "/jobs", (repo: string) => ({ repo, work_item_id: "WEB-1", agent: "reviewer" }), "body"],
  ["POST", "/freeze", undefined, "query"],
] as const)("%s %s refuses a look-alike and names the known repository", async (method, path, body, part) => {
  const { web, add } = isolatedRepos(shared());
  await add("WEB-1");
  for (const name of [web.toUpperCase(), ` ${web}`, `${web}/`, `${web}.git`]) {
    const address = body ? path : `${path}?repo=${encodeURIComponent(name)}`;
    expectProblem(await shared().call(method, address, body?.(name)), {
      status: 409,
      code: "repo_looks_alike",
      repos: [web],
      hint: `Send the repository as ${web}.`,
      errors: [invalidField(part, "/repo")],
    });
  }
});

it.each(["~user/repo", "user/c++-lib", "group/sub/repo"])("creates a task in %s", async (repo) => {
  expect(await shared().post("/tasks", { repo, work_item_id: "A-1" })).toMatchObject({ status: 201 });
});

it.each(["../etc", "acme/..", "acme/./web", "-acme/web", "acme/odd.git", "Org Name/My Project"])(
  "refuses a task and a freeze in %j, which nothing has",
  async (repo) => {
    const problem = { status: 400, code: "invalid_request" };
    const task = await shared().post("/tasks", { repo, work_item_id: "A-1" });
    expectProblem(task, { ...problem, errors: [invalidField("body", "/repo")] });
    const freeze = await shared().post(`/freeze?repo=${encodeURIComponent(repo)}`);
    expectProblem(freeze, { ...problem, errors: [invalidField("query", "/repo")] });
  },
);

it.each([
  ["a zero-width space", "WEB\u200b-1"],
  ["a soft hyphen", "WEB\u00ad-1"],
  ["a byte order mark", "\ufeffWEB-1"],
  ["a zero-width joiner", "WEB-1\u200d"],
  ["a bidi override", "\u202eWEB-1"],
  ["a bidi isolate", "WEB-\u20661"],
  ["a tag", "WEB-1\u{e0041}"],
  ["a line separator", "WEB\u2028-1"],
  ["a paragraph separator", "WEB\u2029-1"],
  ["a variation selector", "WEB-1\ufe0f"],
  ["a Hangul filler", "WEB\u3164-1"],
  ["a control character", "WEB\u009b-1"],
  ["an option's dash", "--all"],
])("refuses a new work item with %s", async (_title, work_item_id) => {
  const { web } = isolatedRepos(shared());
  expectProblem(await shared().post("/tasks", { repo: web, work_item_id }), {
    status: 400,
    code: "invalid_request",
    errors: [invalidField("body", "/work_item_id")],
  });
  expect(await shared().get(`/tasks?repo=${encodeURIComponent(web)}`)).toMatchObject({ body: { tasks: [] } });
});

it.each(["WEB 1", "Büro-1", "課題-1", "🦺-1", "a", "a b c", "x—y"])(
  "takes the work item %j",
  async (work_item_id) => {
    const { web } = isolatedRepos(shared());
    expect(await shared().post("/tasks", { repo: web, work_item_id })).toMatchObject({ status: 201 });
  },
);

it("says that nothing has a frozen repository, and what is near", async () => {
  const { web, add } = isolatedRepos(shared());
  await add("WEB-1");
  const { body } = await shared().post<FreezeState>(`/freeze?repo=${web}x`);
  expect(body).toMatchObject({ frozen: true, known: false, in_force: true });
  expect(body.near).toContain(web);
});

it.each(["pause", "resume"])("%ss a task by its id, and explains it", async (verb) => {
  const { add } = isolatedRepos(shared());
  const { task } = await add("WEB-1");
  const query = `task_id=${task.id}`;
  expect(await shared().post<PauseState>(`/serial-gate/${verb}?${query}`)).toMatchObject({
    status: 200,
    body: { task_id: task.id, work_item_id: "WEB-1", paused: verb === "pause" },
  });
  expect(await shared().get(`/queue/explain?${query}`)).toMatchObject({
    status: 200,
    body: { task: { id: task.id } },
  });
  expect(await shared().get(`/events?about_task=${task.id}`)).toMatchObject({
    status: 200,
    body: { events: [{ kind: "task.created" }, { kind: "job.created" }, ...(verb === "pause" ? [{}] : [])] },
  });
  for (const path of [`/serial-gate/${verb}?task_id=99999999`])
    expectProblem(await shared().post(path), { status: 404, code: "unknown_task" });
  expectProblem(await shared().get("/queue/explain?task_id=99999999"), { status: 404, code: "unknown_task" });
});

it.each([
  ["neither", "", "/work_item", undefined],
  ["a repository without all", "repo=REPO", "/work_item", "Add all=true to VERB every task of REPO."],
  [
    "a repository with all=false",
    "repo=REPO&all=false",
    "/work_item",
    "Add all=true to VERB every task of REPO.",
  ],
  ["all without a repository", "all=true", "/repo", undefined],
  ["all beside a work item", "repo=REPO&all=true&work_item=WEB-1", "/all", undefined],
  ["all beside an id", "repo=REPO&all=true&task_id=1", "/all", undefined],
  ["an id beside a work item", "task_id=1&work_item=WEB-1", "/task_id", undefined],
  ["an id beside a repository", "task_id=1&repo=REPO", "/repo", undefined],
])("refuses a pause and a resume that name %s", async (_, query, pointer, hint) => {
  const { web, add, lane } = isolatedRepos(shared());
  await add("WEB-1");
  for (const verb of ["pause", "resume"]) {
    const answer = await shared().post(`/serial-gate/${verb}?${query.replaceAll("REPO", web)}`);
    expectProblem(answer, {
      status: 400,
      code: "invalid_request",
      errors: [invalidField("query", pointer)],
      ...(hint === undefined ? {} : { hint: hint.replaceAll("REPO", web).replaceAll("VERB", verb) }),
    });
  }
  expect((await lane()).paused).toEqual([]);
});

it("pauses every task of a repository when all=true asks for it", async () => {
  const { web, add } = isolatedRepos(shared());
  await add("WEB-1");
  await add("WEB-2");
  const { body } = await shared().post<LanePauseState>(`/serial-gate/pause?repo=${web}&all=true`);
  expect(body).toMatchObject({ changed: 2, in_force: true, known: true, near: [] });
  expect(body).not.toHaveProperty("dry_run");
});

it("marks the answer of every dry run, and of nothing else", async () => {
  const { web, add } = isolatedRepos(shared());
  const { task, job } = await add("WEB-1");
  const calls: readonly (readonly [string, string, object?])[] = [
    ["POST", "/tasks", { repo: web, work_item_id: "WEB-2" }],
    ["PATCH", `/tasks/${task.id}`, { stage: "review" }],
    ["POST", `/tasks/${task.id}/cancel`],
    ["POST", "/jobs", { repo: web, work_item_id: "WEB-1", agent: "reviewer" }],
    ["POST", `/jobs/${job.id}/cancel`],
    ["POST", `/serial-gate/pause?task_id=${task.id}`],
    ["POST", `/serial-gate/pause?repo=${web}&all=true`],
    ["POST", `/serial-gate/resume?task_id=${task.id}`],
    ["POST", `/serial-gate/resume?repo=${web}&all=true`],
    ["POST", `/freeze?repo=${web}`],
    ["POST", `/unfreeze?repo=${web}`],
  ];
  for (const [method, path, body] of calls) {
    const { status, body: answer } = await shared().call(
      method,
      `${path}${path.includes("?") ? "&" : "?"}dry_run=true`,
      body,
    );
    expect([path, status < 300, answer]).toEqual([path, true, expect.objectContaining({ dry_run: true })]);
  }
  expect(await shared().get(`/tasks/${task.id}`)).toMatchObject({ body: { task, jobs: [{ id: AN_ID }] } });
});
