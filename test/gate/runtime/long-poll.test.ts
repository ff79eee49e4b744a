import { beforeEach, expect, it } from "vitest";
import { onEveryDatabase } from "../../support/databases.ts";
import { API, gateError, startWorld, WEB, type World } from "../world.ts";

onEveryDatabase((open) => {
  let world: World;

  beforeEach(async () => {
    world = await startWorld(open);
  });

  it("is answered by what makes a job claimable, in the order of arrival", async () => {
    const { id } = await world.task(WEB, "A", { entry_job: false });
    await world.task(WEB, "B");
    const polls = [world.claim({ wait_ms: 20_000 }), world.claim({ wait_ms: 20_000 })];
    await world.gate.setStage(null, id, "done");
    expect((await polls[0])?.jobs.map((job) => job.work_item_id)).toEqual(["B"]);
    await world.task(API, "C");
    expect((await polls[1])?.jobs.map((job) => job.work_item_id)).toEqual(["C"]);
  });

  it("ends with nothing when its time is over", async () => {
    expect(await world.claim({ wait_ms: 30 })).toEqual({ jobs: [], degraded: false });
  });

  it("of a caller that hung up takes no job", async () => {
    const caller = new AbortController();
    const poll = world.claim({ wait_ms: 20_000 }, caller.signal);
    caller.abort();
    await world.task(WEB, "A");
    expect(await poll).toEqual({ jobs: [], degraded: false });
    expect(await world.reasons()).toEqual({ A: null });
  });

  it("is sent away when the service drains, and no new claim is taken", async () => {
    const poll = world.claim({ wait_ms: 20_000 });
    world.gate.drain();
    expect(await poll).toEqual({ jobs: [], degraded: false });
    await expect(world.claim()).rejects.toEqual(gateError("draining"));
  });

  it("finds a job that falls due while it waits", async () => {
    await world.task(WEB, "A", { entry_job: false });
    const soon = new Date(world.clock.now + 100).toISOString();
    await world.gate.createJob(null, { repo: WEB, work_item_id: "A", agent: "monitor", run_after: soon });
    const poll = world.claim({ wait_ms: 20_000 });
    world.clock.pass(100);
    expect((await poll).jobs.map((job) => job.agent)).toEqual(["monitor"]);
  });
});
