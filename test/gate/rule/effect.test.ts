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

    it("of a pause: the next one may start, and the parked one still", async () => {
      await world.task(WEB, "A");
      await world.task(WEB, "B");
      await world.task(WEB, "C");
      const { effect } = await world.gate.pause(null, { work_item: "A" }, {});
      expect(effectNames(effect)).toEqual({ now_claimable: [["B", null]], now_held: [] });
    });

    it("of a resume: who had passed is held again", async () => {
      await world.task(WEB, "A");
      await world.task(WEB, "B");
      await world.gate.pause(null, { work_item: "A" }, {});
      const { effect } = await world.gate.resume(null, { work_item: "A" });
      expect(effectNames(effect)).toEqual({ now_claimable: [], now_held: [["B", "active-task"]] });
    });

    it("of a freeze and its end", async () => {
      await world.task(WEB, "A");
      await world.task(API, "B");
      const { effect } = await world.gate.freeze(null, WEB, {});
      expect(effectNames(effect)).toEqual({ now_claimable: [], now_held: [["A", "freeze"]] });
      const open = await world.gate.unfreeze(null, { repo: WEB });
      expect(effectNames(open.effect)).toEqual({ now_claimable: [["A", null]], now_held: [] });
    });

    it("of a freeze beside another: none", async () => {
      await world.task(WEB, "A");
      await world.gate.freeze(null, WEB, {});
      const second = await world.gate.freeze(null, WEB, {});
      expect(effectNames(second.effect)).toEqual({ now_claimable: [], now_held: [] });
      const open = await world.gate.unfreeze(null, { repo: WEB, id: second.freeze_id });
      expect(open).toMatchObject({ frozen: true, cleared: 1 });
      expect(effectNames(open.effect)).toEqual({ now_claimable: [], now_held: [] });
    });

    it("of a cancel: in its lane, and in those of the tasks that depend on it; its own job is no one's any more", async () => {
      const { id } = await world.task(WEB, "A");
      await world.task(WEB, "B");
      await world.task(API, "C", { depends_on: ["A"] });
      const { effect, task } = await world.gate.cancelTask(null, id);
      expect(task.stage).toBe("cancelled");
      expect(effectNames(effect)).toEqual({
        now_claimable: [
          ["B", null],
          ["C", null],
        ],
        now_held: [],
      });
    });

    it("of a task's end, and of another stage: none", async () => {
      const { id } = await world.task(WEB, "A");
      await world.task(WEB, "B");
      expect(effectNames((await world.gate.setStage(null, id, "review")).effect)).toEqual({
        now_claimable: [],
        now_held: [],
      });
      expect(effectNames((await world.gate.setStage(null, id, "done")).effect)).toEqual({
        now_claimable: [["B", null]],
        now_held: [],
      });
    });

    it("of a second try of a failed entry job: it may start", async () => {
      await world.task(WEB, "A");
      const [job] = (await world.claim()).jobs;
      await world.gate.fail(null, job?.id ?? 0, {
        lease_token: job?.lease.token ?? "",
        error: "no",
        retry: false,
      });
      const { effect } = await world.gate.retryJob(null, job?.id ?? 0);
      expect(effectNames(effect)).toEqual({ now_claimable: [["A", null]], now_held: [] });
    });
  });
});
