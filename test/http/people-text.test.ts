import { describe, expect, it } from "vitest";
import type { EventPage } from "../../src/contract/events.ts";
import { isolatedRepos } from "../support/calls.ts";
import { shareService } from "../support/service.ts";

const BAD = "bad \ud83d\0 text ";
const STORED = "bad \ufffd\ufffd text ";

describe("texts for people", () => {
  const shared = shareService();

  it.each([
    ["cut and binary", BAD, STORED],
    ["long", "x".repeat(150_000), `${"x".repeat(19_999)}…`],
    ["long, with emoji", "🚀".repeat(20_001), `${"🚀".repeat(19_999)}…`],
  ])("a failure is told although its text is %s", async (_, error, stored) => {
    const { web, add, next, report, job } = isolatedRepos(shared());
    await add("WEB-1");
    const claimed = await next();
    expect((await report(claimed, "fail", { error, retry: false })).status).toBe(200);
    expect(await job(claimed.id)).toMatchObject({ status: "failed", error: stored });
    const { events } = (await shared().get<EventPage>(`/events?repo=${web}&last=1`)).body;
    expect(events).toMatchObject([{ kind: "job.failed", reason: stored }]);
  });

  it("every reason and title is made storable and cut at 4,000 characters", async () => {
    const { web, add, next, report, job } = isolatedRepos(shared());
    const { post, call, get } = shared();
    const long = BAD + "x".repeat(5_000);
    const stored = `${STORED}${"x".repeat(3_999 - STORED.length)}…`;
    const { task } = await add("WEB-1", { title: long });
    expect(task.title).toBe(stored);
    const said = { reason: long };
    const query = `repo=${web}&work_item=WEB-1`;
    const failed = await next();
    await report(failed, "fail", { error: "e", retry: false });
    const answers = [
      await post(`/jobs/${failed.id}/retry`, said),
      await post(`/jobs/${failed.id}/cancel`, said),
      await post(`/serial-gate/pause?${query}`, said),
      await post(`/serial-gate/resume?${query}`, said),
      await post(`/serial-gate/pause?repo=${web}&all=true`, said),
      await post(`/serial-gate/resume?repo=${web}&all=true`, said),
      await post(`/freeze?repo=${web}`, said),
      await post(`/unfreeze?repo=${web}`, said),
      await call("PATCH", `/tasks/${task.id}`, { stage: "review", ...said }),
      await post(`/tasks/${task.id}/cancel`, said),
    ];
    expect(answers.filter(({ status }) => status >= 300)).toEqual([]);
    expect((await job(failed.id)).status).toBe("cancelled");
    const { events } = (await get<EventPage>(`/events?repo=${web}&limit=100`)).body;
    const reasons = new Set(events.map(({ reason }) => reason));
    expect([...reasons].filter((reason) => reason !== null && reason !== "e")).toEqual([stored]);
  });

  it("a worker's progress, the reason of its pause and a person's answer are made storable and cut", async () => {
    const { web, add, next, report, job, task: read } = isolatedRepos(shared());
    const { post } = shared();
    const long = BAD + "x".repeat(5_000);
    const cut = (length: number): string => `${STORED}${"x".repeat(length - 1 - STORED.length)}…`;
    const { task } = await add("WEB-1");
    const claimed = await next();
    expect((await report(claimed, "heartbeat", { progress: long })).status).toBe(200);
    expect((await job(claimed.id)).progress).toBe(cut(200));
    expect((await report(claimed, "release", { pause: { reason: long } })).status).toBe(200);
    expect((await read(task.id)).task.pause_reason).toBe(cut(4_000));
    await post(`/serial-gate/resume?repo=${web}&work_item=WEB-1`, { answer: long });
    const again = await next();
    expect(again.resumed?.answer).toBe(cut(4_000));
    const paused = await report(again, "complete", { pause: { reason: long } });
    expect(paused.body).toMatchObject({ task: { pause_reason: cut(4_000) } });
  });
});
