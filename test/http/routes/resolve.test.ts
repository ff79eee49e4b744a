import { describe, expect, it } from "vitest";
import type { EventPage } from "../../../src/contract/events.ts";
import type { Task } from "../../../src/contract/tasks.ts";
import { expectProblem } from "../../support/calls.ts";
import { shareService } from "../../support/service.ts";

const shared = shareService();

const add = async (repo: string, work_item_id: string, more = {}): Promise<Task> =>
  (await shared().post<{ task: Task }>("/tasks", { repo, work_item_id, ...more })).body.task;

describe("GET /tasks/resolve", () => {
  it("answers the unfinished task of a work item, else the latest", async () => {
    const task = await add("acme/one", "WEB-1");
    const { status, body } = await shared().get<{ task: Task }>("/tasks/resolve?work_item=WEB-1");
    expect({ status, body }).toEqual({ status: 200, body: { task } });
    await shared().post(`/tasks/${task.id}/cancel`);
    const later = await shared().get<{ task: Task }>("/tasks/resolve?work_item=WEB-1&repo=acme/one");
    expect(later.body.task).toMatchObject({ id: task.id, stage: "cancelled" });
  });

  it("refuses a work item that no task has, or that several repositories have", async () => {
    await add("acme/two", "AMB-1");
    await add("acme/three", "AMB-1");
    expectProblem(await shared().get("/tasks/resolve?work_item=NONE&repo=acme/two"), {
      status: 404,
      code: "unknown_work_item",
    });
    expectProblem(await shared().get("/tasks/resolve?work_item=AMB-1"), {
      status: 409,
      code: "ambiguous_work_item",
      repos: ["acme/three", "acme/two"],
    });
    const { body } = await shared().get<{ task: Task }>("/tasks/resolve?work_item=AMB-1&repo=acme/two");
    expect(body.task.repo).toBe("acme/two");
  });

  it("takes the work item from the query only", async () => {
    expectProblem(await shared().get("/tasks/resolve"), { status: 400, code: "invalid_request" });
  });
});

describe("GET /events?about=", () => {
  it("answers the life of one work item", async () => {
    await add("acme/four", "FOUR-1");
    await add("acme/four", "FOUR-2");
    await shared().post("/serial-gate/pause?work_item=FOUR-1");
    const { body } = await shared().get<EventPage>("/events?about=FOUR-2");
    expect(body.events.map(({ kind, work_item_id }) => [kind, work_item_id])).toEqual([
      ["task.created", "FOUR-2"],
      ["job.created", "FOUR-2"],
      ["task.paused", "FOUR-1"],
    ]);
    expectProblem(await shared().get("/events?about=NONE"), { status: 404, code: "unknown_work_item" });
  });
});
