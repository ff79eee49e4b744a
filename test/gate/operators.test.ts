import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Effect } from "../../src/contract/effect.ts";
import { openTestSqlite } from "../support/databases.ts";
import { openTestPostgres } from "../support/postgres.ts";
import { reasonsIn, TestClock, World } from "./world.ts";

const WEB = "acme/web";
const API = "acme/api";

const names = ({ now_claimable, now_held }: Effect) => ({
  now_claimable: now_claimable.map(({ work_item_id, reason }) => [work_item_id, reason]),
  now_held: now_held.map(({ work_item_id, reason }) => [work_item_id, reason]),
});

describe.each([
  ["sqlite", openTestSqlite],
  ["postgres", openTestPostgres],
] as const)("what an operator does, on %s", (_, open) => {
  let world: World;

  beforeEach(async () => {
    const clock = new TestClock();
    world = new World(await open(clock.read), clock);
  });

  afterEach(async () => {
    await world.store.close();
  });

  const events = (): Promise<{ kind: string; actor: string | null; reason: string | null }[]> =>
    world.rows(`SELECT kind, actor, reason FROM gate_events
      WHERE kind IN ('task.paused', 'task.resumed', 'task.cancelled', 'repo.frozen', 'repo.unfrozen', 'job.retried')
      ORDER BY id`);

  describe.each([
    ["with marks", true],
    ["without marks", false],
  ])("has an effect, found %s", (_how, marked) => {
    beforeEach(async () => {
      if (marked) await world.gate.adopt();
    });

    it("of a pause: the next one may start, and the parked one still", async () => {
      await world.task(WEB, "A");
      await world.task(WEB, "B");
      await world.task(WEB, "C");
      const { effect } = await world.gate.pause(null, { work_item: "A" }, {});
      expect(names(effect)).toEqual({ now_claimable: [["B", null]], now_held: [] });
    });

    it("of a resume: who had passed is held again", async () => {
      await world.task(WEB, "A");
      await world.task(WEB, "B");
      await world.gate.pause(null, { work_item: "A" }, {});
      const { effect } = await world.gate.resume(null, { work_item: "A" });
      expect(names(effect)).toEqual({ now_claimable: [], now_held: [["B", "active-task"]] });
    });

    it("of a freeze and its end", async () => {
      await world.task(WEB, "A");
      await world.task(API, "B");
      const { effect } = await world.gate.freeze(null, { repo: WEB }, {});
      expect(names(effect)).toEqual({ now_claimable: [], now_held: [["A", "freeze"]] });
      const open = await world.gate.unfreeze(null, { repo: WEB });
      expect(names(open.effect)).toEqual({ now_claimable: [["A", null]], now_held: [] });
    });

    it("of a freeze beside another: none", async () => {
      await world.task(WEB, "A");
      await world.gate.freeze(null, { repo: WEB }, {});
      const second = await world.gate.freeze(null, { repo: WEB }, {});
      expect(names(second.effect)).toEqual({ now_claimable: [], now_held: [] });
      const open = await world.gate.unfreeze(null, { repo: WEB, id: second.freeze_id });
      expect(open).toMatchObject({ frozen: true, cleared: 1 });
      expect(names(open.effect)).toEqual({ now_claimable: [], now_held: [] });
    });

    it("of a cancel: in its lane, and in those of the tasks that depend on it; its own job is no one's any more", async () => {
      const { id } = await world.task(WEB, "A");
      await world.task(WEB, "B");
      await world.task(API, "C", { depends_on: ["A"] });
      const { effect, task } = await world.gate.cancelTask(null, { id });
      expect(task.stage).toBe("cancelled");
      expect(names(effect)).toEqual({
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
      expect(names((await world.gate.setStage(null, { id }, { stage: "review" })).effect)).toEqual({
        now_claimable: [],
        now_held: [],
      });
      expect(names((await world.gate.setStage(null, { id }, { stage: "done" })).effect)).toEqual({
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
      const { effect } = await world.gate.retryJob(null, { id: job?.id ?? 0 });
      expect(names(effect)).toEqual({ now_claimable: [["A", null]], now_held: [] });
    });
  });

  describe("as a trial", () => {
    const everything = async () => ({
      tasks: await world.rows("SELECT * FROM tasks ORDER BY id"),
      jobs: await world.rows("SELECT * FROM jobs ORDER BY id"),
      freezes: await world.rows("SELECT * FROM repo_freeze ORDER BY id"),
      events: await world.rows("SELECT * FROM gate_events ORDER BY id"),
      revision: (await world.gate.queue()).revision,
    });
    const dry_run = true;

    it("answers what the change answers, and changes nothing", async () => {
      await world.gate.adopt();
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
        expect(tried).toEqual(same);
        await world.gate.unfreeze(null, { repo: WEB });
        await world.gate.resumeLane(null, { repo: WEB });
        await world.gate.resume(null, { work_item: "A" });
      }
    });

    it("of a new task and of a new job leaves neither", async () => {
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

    it("is refused for what the change is refused for", async () => {
      await expect(world.gate.pause(null, { work_item: "NONE", dry_run }, {})).rejects.toMatchObject({
        code: "unknown_work_item",
      });
    });

    it("wakes no one who waits", async () => {
      await world.task(WEB, "A");
      await world.claim();
      await world.task(WEB, "B");
      const waiting = world.claim({ wait_ms: 400 });
      await world.gate.pause(null, { work_item: "A", dry_run }, {});
      expect((await waiting).jobs).toEqual([]);
    });
  });

  describe("is recorded with who and why", () => {
    it("as the caller says, where there are no tokens", async () => {
      const { id } = await world.task(WEB, "A");
      const why = { by: "ann", reason: "at night" };
      await world.gate.pause(null, { work_item: "A" }, why);
      expect((await world.gate.task(id)).task).toMatchObject({ paused_by: "ann", pause_reason: "at night" });
      await world.gate.resume(null, { work_item: "A" }, why);
      await world.gate.freeze(null, { repo: WEB }, why);
      await world.gate.unfreeze(null, { repo: WEB }, why);
      await world.gate.cancelTask(null, { id }, why);
      expect(await events()).toEqual(
        ["task.paused", "task.resumed", "repo.frozen", "repo.unfrozen", "task.cancelled"].map((kind) => ({
          kind,
          actor: "ann",
          reason: "at night",
        })),
      );
    });

    it("as the caller's token, and not as anyone else", async () => {
      await world.task(WEB, "A");
      await expect(world.gate.pause("ci", { work_item: "A" }, { by: "ann" })).rejects.toMatchObject({
        code: "invalid_request",
      });
      await world.gate.pause("ci", { work_item: "A" }, { by: "ci" });
      expect(await events()).toMatchObject([{ kind: "task.paused", actor: "ci" }]);
    });

    it("in the freeze's own row too", async () => {
      await world.gate.freeze("ann", { repo: WEB }, {});
      await world.gate.unfreeze("bob", { repo: WEB });
      expect(await world.rows("SELECT frozen_by, cleared_by FROM repo_freeze")).toEqual([
        { frozen_by: "ann", cleared_by: "bob" },
      ]);
    });

    it("when a pause runs out: as the gate's own doing", async () => {
      await world.task(WEB, "A");
      await world.task(WEB, "B");
      await world.gate.pauseLane("ann", { repo: WEB }, { until: "2026-06-15T08:10:00Z" });
      world.clock.pass(601_000);
      expect(reasonsIn(await world.gate.queue())).toEqual({ A: null, B: "active-task" });
      expect((await events()).slice(2)).toEqual([
        { kind: "task.resumed", actor: "serial-gate", reason: "the pause ran out" },
        { kind: "task.resumed", actor: "serial-gate", reason: "the pause ran out" },
      ]);
    });
  });

  describe("to a whole repository", () => {
    it("parks every unfinished task of it, and takes back exactly those", async () => {
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

    it("says its effect", async () => {
      await world.gate.adopt();
      await world.task(WEB, "A");
      await world.task(WEB, "B");
      expect(names((await world.gate.pauseLane(null, { repo: WEB }, {})).effect)).toEqual({
        now_claimable: [["B", null]],
        now_held: [],
      });
    });

    it("is nothing the second time", async () => {
      await world.task(WEB, "A");
      await world.gate.pauseLane(null, { repo: WEB }, {});
      expect(await world.gate.pauseLane(null, { repo: WEB }, {})).toMatchObject({ changed: 0, tasks: [] });
      await world.gate.resumeLane(null, { repo: WEB });
      expect(await world.gate.resumeLane(null, { repo: WEB })).toMatchObject({ changed: 0, tasks: [] });
      expect(await events()).toHaveLength(2);
    });
  });

  it("says what it cleared: all freezes, or the one that it names", async () => {
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
