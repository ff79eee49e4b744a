import { beforeEach, expect, it } from "vitest";
import { onEveryDatabase } from "../../support/databases.ts";
import { gateError, startWorld, WEB, type World } from "../world.ts";

onEveryDatabase((open) => {
  let world: World;

  beforeEach(async () => {
    world = await startWorld(open);
  });

  const freeze = (repo: string): Promise<unknown> => world.gate.freeze(null, { repo }, {});

  it("adds a row for every freeze and clears them one by one or all at once", async () => {
    const one = await world.gate.freeze("ann", { repo: WEB }, { reason: "DEGRADED", work_item_id: "WEB-3" });
    const two = await world.gate.freeze("ann", { repo: WEB }, { reason: "again" });
    expect((await world.lane(WEB))?.frozen_reason).toBe("again");
    expect(await world.gate.unfreeze(null, { repo: WEB, id: two.freeze_id })).toMatchObject({
      repo: WEB,
      frozen: true,
      cleared: 1,
    });
    expect(await world.lane(WEB)).toMatchObject({
      frozen: true,
      frozen_reason: "DEGRADED",
      frozen_at: one.frozen_at,
    });
    expect(await world.gate.unfreeze(null, { repo: WEB })).toMatchObject({
      repo: WEB,
      frozen: false,
      cleared: 1,
    });
    expect(await world.gate.unfreeze(null, { repo: WEB })).toMatchObject({
      repo: WEB,
      frozen: false,
      cleared: 0,
    });
    expect(await world.lane(WEB)).toBeUndefined();
  });

  it("releases the holder's rework behind a task that waits for it in a strict lane", async () => {
    const strict = world.under({ strictLanes: true });
    await strict.adopt();
    await strict.task(WEB, "A");
    await strict.task(WEB, "B");
    await strict.gate.pause(null, { work_item: "A" }, {});
    const [job] = (await strict.claim()).jobs;
    await strict.gate.resume(null, { work_item: "A" });
    await strict.gate.complete(null, job?.id ?? NaN, {
      lease_token: job?.lease.token ?? "",
      next: [{ agent: "analyst" }],
    });
    await strict.gate.freeze(null, { repo: WEB }, {});
    const { effect } = await strict.gate.unfreeze(null, { repo: WEB });
    expect(effect.now_claimable).toMatchObject([{ work_item_id: "B" }]);
    expect(await strict.claimAll()).toEqual(["B"]);
    strict.gate.drain();
  });

  it("keeps a freeze while tasks are paused, resumed and finished", async () => {
    const { id } = await world.task(WEB, "A");
    await freeze(WEB);
    await world.gate.pause(null, { work_item: "A" }, {});
    await world.gate.resume(null, { work_item: "A" });
    await world.gate.setStage(null, { id }, { stage: "done" });
    await world.task(WEB, "B");
    expect(await world.reasons()).toEqual({ B: "freeze" });
  });

  it("refuses a freeze while the layer is off and still clears an existing one", async () => {
    await freeze(WEB);
    const off = world.under({ freeze: false });
    await expect(off.gate.freeze(null, { repo: WEB }, {})).rejects.toEqual(gateError("layer_disabled"));
    expect((await off.gate.unfreeze(null, { repo: WEB })).cleared).toBe(1);
  });

  it("unfreeze returns the freezes that it cleared: all, or the one with the given id", async () => {
    const first = await world.gate.freeze(
      "ann",
      { repo: WEB },
      { reason: "error rate", work_item_id: "WEB-3" },
    );
    const second = await world.gate.freeze("bob", { repo: WEB }, { reason: "latency" });
    const third = await world.gate.freeze(null, { repo: WEB }, {});
    const one = await world.gate.unfreeze(null, { repo: WEB, id: second.freeze_id });
    expect(one).toMatchObject({ frozen: true, freezes: [{ freeze_id: second.freeze_id, frozen_by: "bob" }] });
    const rest = await world.gate.unfreeze(null, { repo: WEB });
    expect(rest).toMatchObject({
      frozen: false,
      cleared: 2,
      freezes: [
        { freeze_id: first.freeze_id, frozen_by: "ann", reason: "error rate", work_item_id: "WEB-3" },
        { freeze_id: third.freeze_id, frozen_by: null, reason: null, work_item_id: null },
      ],
    });
  });
});
