import { beforeEach, expect, it } from "vitest";
import { onEveryDatabase } from "../../support/databases.ts";
import { API, gateError, startWorld, WEB, type World } from "../world.ts";

onEveryDatabase((open) => {
  let world: World;

  beforeEach(async () => {
    world = await startWorld(open);
  });

  it("answers long polls in the order of arrival when a job becomes ready", async () => {
    const { id } = await world.task(WEB, "A", { entry_job: false });
    await world.task(WEB, "B");
    const polls = [world.claim({ wait_ms: 20_000 }), world.claim({ wait_ms: 20_000 })];
    await world.gate.setStage(null, { id }, { stage: "done" });
    expect((await polls[0])?.jobs.map((job) => job.work_item_id)).toEqual(["B"]);
    await world.task(API, "C");
    expect((await polls[1])?.jobs.map((job) => job.work_item_id)).toEqual(["C"]);
  });

  it("answers an empty claim when the wait is over", async () => {
    expect(await world.claim({ wait_ms: 30 })).toEqual({ jobs: [], degraded: false });
  });

  it("takes no job for a caller that hung up", async () => {
    const caller = new AbortController();
    const poll = world.claim({ wait_ms: 20_000 }, caller.signal);
    caller.abort();
    await world.task(WEB, "A");
    expect(await poll).toEqual({ jobs: [], degraded: false });
    expect(await world.reasons()).toEqual({ A: null });
  });

  it("answers waiting claims and refuses new ones while the service drains", async () => {
    const poll = world.claim({ wait_ms: 20_000 });
    world.gate.drain();
    expect(await poll).toEqual({ jobs: [], degraded: false });
    await expect(world.claim()).rejects.toEqual(gateError("draining"));
  });

  it("hands out a job that becomes due during the wait", async () => {
    await world.task(WEB, "A", { entry_job: false });
    const soon = new Date(world.clock.now + 100).toISOString();
    await world.gate.createJob(null, { repo: WEB, work_item_id: "A", agent: "monitor", run_after: soon });
    const poll = world.claim({ wait_ms: 20_000 });
    world.clock.pass(100);
    expect((await poll).jobs.map((job) => job.agent)).toEqual(["monitor"]);
  });
});
