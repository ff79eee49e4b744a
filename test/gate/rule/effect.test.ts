import { beforeEach, describe, expect, it } from "vitest";
import { onEveryDatabase } from "../../support/databases.ts";
import { API, effectNames, openWorld, startWorld, WEB, type World } from "../world.ts";

onEveryDatabase((open) => {
  describe.each([
    ["with ready flags", true],
    ["without ready flags", false],
  ])("%s", (_, flagged) => {
    let world: World;

    beforeEach(async () => {
      world = await (flagged ? startWorld : openWorld)(open);
    });

    it("a pause releases the next task of the lane", async () => {
      await world.task(WEB, "A");
      await world.task(WEB, "B");
      await world.task(WEB, "C");
      const { effect } = await world.gate.pause(null, { work_item: "A" }, {});
      expect(effectNames(effect)).toEqual({ now_claimable: [["B", null]], now_held: [] });
    });

    it("a resume holds the task that had passed", async () => {
      await world.task(WEB, "A");
      await world.task(WEB, "B");
      await world.gate.pause(null, { work_item: "A" }, {});
      const { effect } = await world.gate.resume(null, { work_item: "A" });
      expect(effectNames(effect)).toEqual({ now_claimable: [], now_held: [["B", "active-task"]] });
    });

    it("a freeze holds a repository's entry jobs and an unfreeze releases them", async () => {
      await world.task(WEB, "A");
      await world.task(API, "B");
      const { effect } = await world.gate.freeze(null, { repo: WEB }, {});
      expect(effectNames(effect)).toEqual({ now_claimable: [], now_held: [["A", "freeze"]] });
      const open = await world.gate.unfreeze(null, { repo: WEB });
      expect(effectNames(open.effect)).toEqual({ now_claimable: [["A", null]], now_held: [] });
    });

    it("a second freeze has no effect, nor has clearing it", async () => {
      await world.task(WEB, "A");
      await world.gate.freeze(null, { repo: WEB }, {});
      const second = await world.gate.freeze(null, { repo: WEB }, {});
      expect(effectNames(second.effect)).toEqual({ now_claimable: [], now_held: [] });
      const open = await world.gate.unfreeze(null, { repo: WEB, id: second.freeze_id });
      expect(open).toMatchObject({ frozen: true, cleared: 1 });
      expect(effectNames(open.effect)).toEqual({ now_claimable: [], now_held: [] });
    });

    it("a cancel releases the next task of the lane and the dependents in other lanes", async () => {
      const { id } = await world.task(WEB, "A");
      await world.task(WEB, "B");
      await world.task(API, "C", { depends_on: ["A"] });
      const { effect, task } = await world.gate.cancelTask(null, { id });
      expect(task.stage).toBe("cancelled");
      expect(effectNames(effect)).toEqual({
        now_claimable: [
          ["B", null],
          ["C", null],
        ],
        now_held: [],
      });
    });

    it("a stage change has no effect until the task is done", async () => {
      const { id } = await world.task(WEB, "A");
      await world.task(WEB, "B");
      expect(effectNames((await world.gate.setStage(null, { id }, { stage: "review" })).effect)).toEqual({
        now_claimable: [],
        now_held: [],
      });
      expect(effectNames((await world.gate.setStage(null, { id }, { stage: "done" })).effect)).toEqual({
        now_claimable: [["B", null]],
        now_held: [],
      });
    });

    it("a retry makes a failed entry job ready", async () => {
      await world.task(WEB, "A");
      const [job] = (await world.claim()).jobs;
      await world.gate.fail(null, job?.id ?? 0, {
        lease_token: job?.lease.token ?? "",
        error: "no",
        retry: false,
      });
      const { effect } = await world.gate.retryJob(null, { id: job?.id ?? 0 });
      expect(effectNames(effect)).toEqual({ now_claimable: [["A", null]], now_held: [] });
    });
  });
});
