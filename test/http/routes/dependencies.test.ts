import { expect, it } from "vitest";
import type { ClaimedJob } from "../../../src/contract/jobs.ts";
import type { HistoryEvent } from "../../../src/contract/events.ts";
import type { ChangedTask, Task } from "../../../src/contract/tasks.ts";
import { expectProblem } from "../../support/calls.ts";
import { startService } from "../../support/service.ts";

const WEB = "acme/web";
const API = "acme/api";

const start = async () => {
  const { call, post, get } = await startService();
  const patch = <Body>(path: string, body: unknown) => call<Body>("PATCH", path, body);
  const add = async (repo: string, work_item_id: string, more: object = {}): Promise<Task> =>
    (await post<{ task: Task }>("/tasks", { repo, work_item_id, ...more })).body.task;
  const depend = (task: Task, depends_on: unknown, query = "") =>
    patch<ChangedTask>(`/tasks/${task.id}${query}`, { depends_on });
  return { post, get, patch, add, depend };
};

it("replaces the dependencies of a task, with the effect and an event for each one added or dropped", async () => {
  const { add, depend, get } = await start();
  await add(API, "API-1");
  await add(API, "API-2");
  const web = await add(WEB, "WEB-1", { depends_on: ["API-1"] });
  const { body } = await depend(web, [{ repo: API, work_item_id: "API-2" }]);
  expect(body.task.depends_on).toMatchObject([{ repo: API, work_item_id: "API-2" }]);
  expect([body.started, body.effect]).toEqual([false, { now_claimable: [], now_held: [] }]);
  const freed = (await depend(web, [])).body;
  expect(freed.effect.now_claimable).toMatchObject([{ work_item_id: "WEB-1" }]);
  const { events } = (await get<{ events: HistoryEvent[] }>("/events?work_item=WEB-1")).body;
  expect(events.map(({ kind }) => kind)).toEqual([
    "task.created",
    "job.created",
    "dependency.removed",
    "dependency.added",
    "dependency.removed",
  ]);
  expect(events.some(({ detail }) => JSON.stringify(detail).includes("foreign"))).toBe(false);
});

it("changes nothing in a dry run and where the set is the same", async () => {
  const { add, depend, get } = await start();
  await add(API, "API-1");
  const web = await add(WEB, "WEB-1");
  const { body } = await depend(web, ["API-1"], "?dry_run=true");
  expect(body.effect.now_held).toMatchObject([{ work_item_id: "WEB-1", reason: "dependency" }]);
  expect((await get<{ task: Task }>(`/tasks/${web.id}`)).body.task).toEqual(web);
  expect((await depend(web, [])).body.task).toEqual(web);
});

it("refuses a cycle over several repositories with its path, and changes nothing", async () => {
  const { add, depend, get } = await start();
  const first = await add(WEB, "WEB-1");
  await add(API, "API-1", { depends_on: ["WEB-1"] });
  await add("acme/ops", "OPS-1", { depends_on: ["API-1"] });
  const refused = await depend(first, ["OPS-1"]);
  expectProblem(refused, { status: 409, code: "dependency_cycle" });
  expect(refused.body).toMatchObject({ path: ["WEB-1", "OPS-1", "API-1", "WEB-1"] });
  expectProblem(await depend(first, ["WEB-1"]), { status: 409, code: "dependency_cycle" });
  expect((await get<{ task: Task }>(`/tasks/${first.id}`)).body.task.depends_on).toEqual([]);
});

it("says that a task has started, and moves its stage in the same change", async () => {
  const { add, patch, post } = await start();
  await add(API, "API-1");
  const web = await add(WEB, "WEB-1");
  await post<{ jobs: ClaimedJob[] }>("/jobs/claim", { repos: [WEB] });
  const { body } = await patch<ChangedTask>(`/tasks/${web.id}`, { depends_on: ["API-1"], stage: "design" });
  expect(body).toMatchObject({ started: true, task: { stage: "design" } });
  expect(body.task.depends_on).toHaveLength(1);
});

it("refuses an unknown dependency, a finished task and a change of nothing", async () => {
  const { add, patch, depend } = await start();
  const web = await add(WEB, "WEB-1");
  await add(API, "API-1");
  expectProblem(await depend(web, ["NONE"]), { status: 404, code: "unknown_work_item" });
  expectProblem(await patch(`/tasks/${web.id}`, {}), { status: 400, code: "invalid_request" });
  await patch(`/tasks/${web.id}`, { stage: "done" });
  expectProblem(await depend(web, ["API-1"]), { status: 409, code: "task_terminal" });
});
