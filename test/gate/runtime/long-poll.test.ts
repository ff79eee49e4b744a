import { beforeEach, expect, it } from "vitest";
import { onEveryDatabase } from "../../support/databases.ts";
import type { Store } from "../../../src/store/port.ts";
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

  it("opens no transaction for a poll while nothing was committed since another got nothing", async () => {
    let writes = 0;
    const counted = async (clock: () => number): Promise<Store> => {
      const store = await open(clock);
      return {
        ...store,
        write: (operation, options) => {
          writes += 1;
          return store.write(operation, options);
        },
      };
    };
    const idle = await startWorld(counted);
    const poll = (): Promise<unknown> => idle.claim({ wait_ms: 20 });
    for (let times = 0; times < 3; times += 1) expect(await poll()).toMatchObject({ jobs: [] });
    writes = 0;
    await Promise.all(Array.from({ length: 50 }, poll));
    await poll();
    // A PostgreSQL server may be busy with other databases, which may count as news.
    expect(writes).toBeLessThan(25);
  });

  it("gives a job that another program made meanwhile to the next poll, and to one that waits", async () => {
    for (let times = 0; times < 3; times += 1) await world.claim({ wait_ms: 20 });
    const waiting = world.claim({ wait_ms: 20_000 });
    await world.sql(`INSERT INTO tasks(repo, work_item_id, stage) VALUES ('${WEB}', 'A', 'analysis')`);
    await world.sql(
      `INSERT INTO jobs(task_id, repo, agent, status) SELECT id, repo, 'analyst', 'queued' FROM tasks`,
    );
    const next = world.claim({ wait_ms: 20 });
    const both = [...(await next).jobs, ...(await waiting).jobs];
    expect(both).toMatchObject([{ work_item_id: "A" }]);
  });

  it("hands a job out although the last of its callers hung up while it asked", async () => {
    const { id } = await world.task(WEB, "A", { entry_job: false });
    await world.task(WEB, "B");
    for (let times = 0; times < 3; times += 1) await world.claim({ wait_ms: 20 });
    const caller = new AbortController();
    await world.gate.setStage(null, { id }, { stage: "done" });
    const gone = world.claim({ wait_ms: 20_000 }, caller.signal);
    caller.abort();
    expect(await gone).toMatchObject({ jobs: [] });
    expect(await world.claim({ wait_ms: 20 })).toMatchObject({ jobs: [{ work_item_id: "B" }] });
  });

  it("gives a lease that expired again to a poll, whatever was remembered", async () => {
    await world.task(WEB, "A");
    await world.claim({ lease_ms: 1_000 });
    for (let times = 0; times < 3; times += 1) await world.claim({ wait_ms: 20 });
    world.clock.pass(1_001);
    expect(await world.claim({ wait_ms: 20 })).toMatchObject({ jobs: [{ work_item_id: "A" }] });
  });
});
