import { expect, it } from "vitest";
import type { ClaimedJob } from "../../../src/contract/jobs.ts";
import { MAX_OVERTAKERS } from "../../../src/contract/vocabulary.ts";
import { onEveryDatabase } from "../../support/databases.ts";
import { startWorld, WEB, type World } from "../world.ts";

const FRESH = { stale: false, overtaken_by: [] };

onEveryDatabase((open) => {
  const lane = async (strictLanes: boolean, ...workItems: string[]): Promise<World> => {
    const world = (await startWorld(open)).under({ strictLanes });
    await world.adopt();
    for (const workItem of workItems) await world.task(WEB, workItem);
    return world;
  };
  const next = async (world: World): Promise<ClaimedJob> => {
    const [job] = (await world.claim()).jobs;
    if (!job) throw new Error("No job could be claimed.");
    return job;
  };
  const complete = (world: World, job: ClaimedJob, more: object): Promise<unknown> =>
    world.gate.complete(null, job.id, { lease_token: job.lease.token, ...more });

  it.each([true, false])(
    "tells a task of the one that overtook it, also where that one ends after the resume (strict lanes: %s)",
    async (strictLanes) => {
      const world = await lane(strictLanes, "Z-1", "Z-2");
      const first = await next(world);
      await world.gate.pause(null, { work_item: "Z-1" }, {});
      const overtaker = await next(world);
      expect([overtaker.work_item_id, overtaker.base]).toEqual(["Z-2", FRESH]);
      await world.gate.resume(null, { work_item: "Z-1" });
      await complete(world, overtaker, { stage: "done" });
      await complete(world, first, { next: [{ agent: "developer" }] });

      const told = await next(world);
      expect([told.work_item_id, told.base]).toEqual(["Z-1", { stale: true, overtaken_by: ["Z-2"] }]);
      await complete(world, told, { next: [{ agent: "reviewer" }] });
      expect((await next(world)).base).toEqual(FRESH);
    },
  );

  it("does not tell a task that starts after its resume of the tasks that were ahead of it", async () => {
    const world = await lane(true, "Z-1", "Z-2");
    const ahead = await next(world);
    await world.gate.pause(null, { work_item: "Z-2" }, {});
    await world.gate.resume(null, { work_item: "Z-2" });
    await complete(world, ahead, { stage: "done" });
    expect((await next(world)).base).toEqual(FRESH);
  });

  it("does not tell a task in progress of a queued task that is cancelled", async () => {
    const world = await lane(true, "Z-1", "Z-2");
    const first = await next(world);
    await world.sql("UPDATE tasks SET stage = 'cancelled' WHERE work_item_id = 'Z-2'");
    await complete(world, first, { next: [{ agent: "developer" }] });
    expect((await next(world)).base).toEqual(FRESH);
  });

  it("writes one row for a finish, however many tasks are paused, and none where no task is", async () => {
    const world = await lane(true, "Z-1", "Z-2", "Z-3", "Z-4", "Z-5");
    const finishes = (): Promise<unknown[]> => world.rows("SELECT task_id FROM gate_finishes");
    await complete(world, await next(world), { stage: "done" });
    expect(await finishes()).toEqual([]);
    for (const work_item of ["Z-2", "Z-3", "Z-4"]) await world.gate.pause(null, { work_item }, {});
    await complete(world, await next(world), { stage: "done" });
    expect(await finishes()).toHaveLength(1);
  });

  it("lists the latest of many overtakers", async () => {
    const world = await lane(true, "Z-1");
    await world.gate.pause(null, { work_item: "Z-1" }, {});
    for (let n = 1; n <= MAX_OVERTAKERS + 1; n += 1)
      await world.sql(`INSERT INTO tasks(repo, work_item_id, stage) VALUES ('${WEB}', 'O-${n}', 'review')`);
    await world.sql("UPDATE tasks SET stage = 'done' WHERE work_item_id LIKE 'O-%'");
    await world.gate.resume(null, { work_item: "Z-1" });
    const { base } = await next(world);
    expect([base.stale, base.overtaken_by.length]).toEqual([true, MAX_OVERTAKERS]);
    expect(base.overtaken_by).not.toContain("O-1");
  });
});
