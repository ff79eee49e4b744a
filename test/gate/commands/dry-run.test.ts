import { beforeEach, expect, it } from "vitest";
import { onEveryDatabase } from "../../support/databases.ts";
import { API, openWorld, WEB, type World } from "../world.ts";
import { EVERYWHERE } from "../../../src/contract/names/repo-pattern.ts";

onEveryDatabase((open) => {
  let world: World;

  beforeEach(async () => {
    world = await openWorld(open);
  });

  const everything = async () => ({
    tasks: await world.rows("SELECT * FROM tasks ORDER BY id"),
    jobs: await world.rows("SELECT * FROM jobs ORDER BY id"),
    freezes: await world.rows("SELECT * FROM repo_freeze ORDER BY id"),
    events: await world.rows("SELECT * FROM gate_events ORDER BY id"),
    revision: (await world.gate.queue(undefined, EVERYWHERE)).revision,
  });
  const dry_run = true;

  it("answers a dry run like the real change and changes nothing", async () => {
    await world.adopt();
    const { id } = await world.task(WEB, "A");
    await world.task(WEB, "B");
    await world.gate.freeze(null, { repo: API }, {});
    const trials = {
      pause: (trial: object) => world.gate.pause("ann", { work_item: "A", ...trial }, { reason: "why" }),
      pauseLane: (trial: object) => world.gate.pauseLane("ann", { repo: WEB, ...trial }, {}),
      freeze: (trial: object) => world.gate.freeze("ann", { repo: WEB, ...trial }, { reason: "bad" }),
      unfreeze: (trial: object) => world.gate.unfreeze("ann", { repo: API, ...trial }),
      cancel: (trial: object) => world.gate.cancelTask("ann", { id, ...trial }),
    };
    for (const change of Object.values(trials)) {
      const before = await everything();
      const tried = await change({ dry_run });
      expect(await everything()).toEqual(before);
      const done: object = await change({});
      // On PostgreSQL the trial has drawn an id.
      const same = "freeze_id" in done ? { ...done, freeze_id: expect.any(Number) as unknown } : done;
      expect(tried).toEqual({ ...same, dry_run: true });
      await world.gate.unfreeze(null, { repo: WEB });
      await world.gate.resumeLane(null, { repo: WEB });
      await world.gate.resume(null, { work_item: "A" });
    }
  });

  it("creates no task and no job in a dry run", async () => {
    const before = await everything();
    const tried = await world.gate.createTask(null, {
      repo: WEB,
      work_item_id: "A",
      stage: "analysis",
      dry_run,
    });
    expect(tried).toMatchObject({ created: true, task: { work_item_id: "A" }, job: { status: "queued" } });
    expect(await everything()).toEqual(before);

    await world.task(WEB, "A");
    const there = await everything();
    const job = { repo: WEB, work_item_id: "A", agent: "reviewer" };
    expect(await world.gate.createJob(null, { ...job, dry_run })).toMatchObject({
      job: { agent: "reviewer" },
    });
    expect(await everything()).toEqual(there);
  });

  it("refuses a dry run for the same reason as the real change", async () => {
    await expect(world.gate.pause(null, { work_item: "NONE", dry_run }, {})).rejects.toMatchObject({
      code: "unknown_work_item",
    });
  });

  it("wakes no long poll by a dry run", async () => {
    await world.task(WEB, "A");
    await world.claim();
    await world.task(WEB, "B");
    const waiting = world.claim({ wait_ms: 400 });
    await world.gate.pause(null, { work_item: "A", dry_run }, {});
    expect((await waiting).jobs).toEqual([]);
  });
});
