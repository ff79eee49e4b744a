import { beforeEach, expect, it } from "vitest";
import { onEveryDatabase } from "../../support/databases.ts";
import { API, gateError, startWorld, WEB, type World } from "../world.ts";

onEveryDatabase((open) => {
  let world: World;

  beforeEach(async () => {
    world = await startWorld(open);
  });

  const pause = (workItem: string): Promise<unknown> => world.gate.pause(null, { work_item: workItem }, {});
  const finish = (id: number): Promise<unknown> => world.gate.setStage(null, { id }, { stage: "done" });

  it("keeps the first time, operator and reason when a task is paused again", async () => {
    await world.task(WEB, "A");
    const first = await world.gate.pause("ann", { work_item: "A" }, { reason: "waits for input" });
    world.clock.pass(5_000);
    const again = await world.gate.pause("bob", { work_item: "A" }, { reason: "other" });
    expect([first.changed, again.changed]).toEqual([true, false]);
    expect(again.paused_at).toBe(first.paused_at);
    expect((await world.lane(WEB))?.paused).toEqual([
      expect.objectContaining({ work_item_id: "A", paused_by: "ann", pause_reason: "waits for input" }),
    ]);
    expect((await world.gate.resume(null, { work_item: "A" })).changed).toBe(true);
    expect((await world.gate.resume(null, { work_item: "A" })).changed).toBe(false);
  });

  it("resumes a task when its pause ends and records the gate as the actor", async () => {
    await world.task(WEB, "A");
    const until = new Date(world.clock.now + 3_600_000).toISOString();
    await world.gate.pause("ann", { work_item: "A" }, { until });
    world.clock.pass(3_599_000);
    expect((await world.lane(WEB))?.paused).toHaveLength(1);
    world.clock.pass(1_000);
    expect((await world.lane(WEB))?.paused).toEqual([]);
    expect(
      await world.rows("SELECT kind, actor FROM gate_events WHERE kind LIKE 'task.%' ORDER BY id"),
    ).toEqual([
      { kind: "task.created", actor: null },
      { kind: "task.paused", actor: "ann" },
      { kind: "task.resumed", actor: "serial-gate" },
    ]);
  });

  it("refuses to pause a finished, ambiguous or unknown work item, or with the layer off", async () => {
    const { id } = await world.task(WEB, "A");
    await world.task(API, "B");
    await world.task(WEB, "B");
    await finish(id);
    await expect(pause("A")).rejects.toEqual(gateError("task_terminal"));
    await expect(pause("B")).rejects.toEqual(gateError("ambiguous_work_item"));
    await expect(pause("C")).rejects.toEqual(gateError("unknown_work_item"));
    await expect(
      world.under({ pause: false }).gate.pause(null, { work_item: "B", repo: WEB }, {}),
    ).rejects.toEqual(gateError("layer_disabled"));
  });

  it("pauses the unfinished task when a finished one has the same work item", async () => {
    const { id } = await world.task(WEB, "A");
    await finish(id);
    await world.sql(`INSERT INTO tasks(repo, work_item_id, stage) VALUES ('${WEB}', 'A', 'analysis')`);
    expect(await world.gate.pause(null, { work_item: "A" }, {})).toMatchObject({
      stage: "analysis",
      paused: true,
    });
  });

  it("marks the base of an overtaken task as stale until a job that saw it completes", async () => {
    const slow = await world.task(WEB, "SLOW", { stage: "development", entry_job: false });
    const fix = await world.task(WEB, "FIX");
    const dropped = await world.task(WEB, "DROPPED");
    await pause("SLOW");
    await finish(fix.id);
    await world.sql(`UPDATE tasks SET stage = 'cancelled' WHERE id = ${dropped.id}`);
    await world.gate.resume(null, { work_item: "SLOW" });
    await world.gate.createJob(null, { repo: WEB, work_item_id: "SLOW", agent: "developer" });

    const told = (await world.claim({ agents: ["developer"] })).jobs[0];
    expect(told?.base).toEqual({ stale: true, overtaken_by: ["FIX", "DROPPED"] });
    await world.gate.release(null, told?.id ?? 0, { lease_token: told?.lease.token ?? "" });
    const again = (await world.claim({ agents: ["developer"] })).jobs[0];
    expect(again?.base.stale).toBe(true);
    await world.gate.complete(null, again?.id ?? 0, {
      lease_token: again?.lease.token ?? "",
      next: [{ agent: "reviewer" }],
    });
    const next = (await world.claim({ agents: ["reviewer"] })).jobs[0];
    expect(next?.base).toEqual({ stale: false, overtaken_by: [] });
    expect(next?.task_id).toBe(slow.id);
  });
});
