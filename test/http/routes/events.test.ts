import { expect, it } from "vitest";
import type { EventPage } from "../../../src/contract/events.ts";
import { A_TIME, invalidField, isolatedRepos, expectProblem } from "../../support/calls.ts";
import { shareService } from "../../support/service.ts";

const shared = shareService();

it("lists one work item's events page by page", async () => {
  const isolated = isolatedRepos(shared());
  const { task, job } = await isolated.add("WEB-1");
  await isolated.pause("WEB-1", { reason: "waits" });
  const path = `/events?work_item=WEB-1&repo=${isolated.web}`;
  const first = await shared().get<EventPage>(`${path}&limit=2`);
  expect(first.status).toBe(200);
  expect(first.body.events.map(({ kind }) => kind)).toEqual(["task.created", "job.created"]);
  expect(first.body.events[1]).toEqual({
    id: first.body.next_cursor,
    at: A_TIME,
    kind: "job.created",
    repo: isolated.web,
    task_id: task.id,
    work_item_id: "WEB-1",
    job_id: job.id,
    actor: null,
    by_source: null,
    reason: null,
    detail: { agent: "analyst" },
  });
  const rest = await shared().get<EventPage>(`${path}&after=${first.body.next_cursor}`);
  expect(rest.body.events).toEqual([expect.objectContaining({ kind: "task.paused", reason: "waits" })]);
  const newest = await shared().get<EventPage>(`${path}&last=1`);
  expect(newest.body.events).toEqual(rest.body.events);
});

it.each([
  ["after=x", "/after"],
  ["after=-1", "/after"],
  ["limit=0", "/limit"],
  ["limit=1001", "/limit"],
  ["last=1001", "/last"],
  ["after=1&last=1", "/last"],
  ["kind=task.paused", "/kind"],
])("refuses the query %s", async (query, pointer) => {
  expectProblem(await shared().get(`/events?${query}`), {
    status: 400,
    code: "invalid_request",
    errors: [invalidField("query", pointer)],
  });
});
