import { beforeEach, expect, it } from "vitest";
import { onEveryDatabase } from "../../support/databases.ts";
import { API, effectNames, openWorld, WEB, type World } from "../world.ts";

onEveryDatabase((open) => {
  let world: World;

  beforeEach(async () => {
    world = await openWorld(open);
  });

  it("pauses every unfinished task of a repository and resumes exactly those", async () => {
    const { id } = await world.task(WEB, "FINISHED");
    await world.gate.setStage(null, { id }, { stage: "done" });
    await world.task(WEB, "A");
    await world.task(WEB, "BY-ITSELF");
    await world.task(WEB, "B");
    await world.task(API, "ELSEWHERE");
    await world.gate.pause("ann", { work_item: "BY-ITSELF" }, { reason: "mine" });

    const parked = await world.gate.pauseLane("bob", { repo: WEB }, { reason: "all hands" });
    expect(parked).toMatchObject({ repo: WEB, paused: true, changed: 2 });
    expect(parked.tasks.map(({ work_item_id }) => work_item_id)).toEqual(["A", "B"]);
    expect((await world.lane(WEB))?.paused).toMatchObject([
      { work_item_id: "A", paused_by: "bob", pause_reason: "all hands" },
      { work_item_id: "BY-ITSELF", paused_by: "ann", pause_reason: "mine" },
      { work_item_id: "B", paused_by: "bob" },
    ]);
    await world.task(WEB, "LATER");
    await world.gate.resume(null, { work_item: "B" });
    await world.gate.pause(null, { work_item: "B" }, {});

    const back = await world.gate.resumeLane("bob", { repo: WEB });
    expect(back).toMatchObject({
      paused: false,
      changed: 1,
      tasks: [{ work_item_id: "A", paused_at: null }],
    });
    expect((await world.lane(WEB))?.paused).toMatchObject([
      { work_item_id: "BY-ITSELF" },
      { work_item_id: "B" },
    ]);
  });

  it("returns the effect of pausing a repository", async () => {
    await world.adopt();
    await world.task(WEB, "A");
    await world.task(WEB, "B");
    expect(effectNames((await world.gate.pauseLane(null, { repo: WEB }, {})).effect)).toEqual({
      now_claimable: [["B", null]],
      now_held: [],
    });
  });

  it("changes nothing when a repository is paused or resumed again", async () => {
    await world.task(WEB, "A");
    await world.gate.pauseLane(null, { repo: WEB }, {});
    expect(await world.gate.pauseLane(null, { repo: WEB }, {})).toMatchObject({ changed: 0, tasks: [] });
    await world.gate.resumeLane(null, { repo: WEB });
    expect(await world.gate.resumeLane(null, { repo: WEB })).toMatchObject({ changed: 0, tasks: [] });
    expect(await world.operatorEvents()).toHaveLength(2);
  });
});
