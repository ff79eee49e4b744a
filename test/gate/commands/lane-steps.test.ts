import { expect, it, onTestFinished } from "vitest";
import type { Call } from "../../../src/gate/commands/idempotency.ts";
import { EVERYWHERE } from "../../../src/contract/names/repo-pattern.ts";
import { StoreFault, type Store } from "../../../src/store/port.ts";
import { onEveryDatabase } from "../../support/databases.ts";
import { effectNames, TestClock, WEB, World } from "../world.ts";

/** More than a gate with steps of two rows changes at once. */
const TASKS = 11;
const NAMES = Array.from({ length: TASKS }, (_, index) => `W-${index + 1}`);

const STANDING_MS = 10_000;

onEveryDatabase((open) => {
  /** A lane that is long for its gate, and what runs before each of its writes. */
  const longLane = async (strictLanes = true) => {
    const clock = new TestClock();
    const store = await open(clock.read);
    const hooks = { beforeWrite: (): Promise<void> => Promise.resolve() };
    const hooked: Store = {
      ...store,
      write: async (operation, options) => {
        await hooks.beforeWrite();
        return store.write(operation, options);
      },
    };
    const world = new World(hooked, clock, { strictLanes }, [], { laneStep: 2 });
    onTestFinished(async () => {
      world.gate.drain();
      await store.close();
    });
    await world.adopt();
    for (const name of NAMES) await world.task(WEB, name);
    /** Another service over the same database. */
    const another = (): World => {
      const other = new World(store, clock, { strictLanes }, [], { laneStep: 2 });
      onTestFinished(() => {
        other.gate.drain();
      });
      return other;
    };
    return { world, another, hooks };
  };

  /** The state of the lane as each of its readers has it. */
  const seen = async (other: World) => {
    const lane = await other.lane(WEB);
    const { tasks } = await other.gate.listTasks({ repo: WEB, paused: true, limit: 100 }, EVERYWHERE);
    const counts = await other.gate.stateCounts();
    return {
      inQueue: lane?.paused.length,
      inTasks: tasks.length,
      inCounts: counts.pausedTasks,
      reasons: new Set(lane?.waiting.map(({ reason }) => reason)),
      active: lane?.active_task?.work_item_id,
    };
  };

  it("pauses and resumes a long lane in steps, and all of its tasks turn at one commit for everybody who looks", async () => {
    const { world, another, hooks } = await longLane();
    const other = another();
    const states: Awaited<ReturnType<typeof seen>>[] = [];
    hooks.beforeWrite = async () => void states.push(await seen(other));
    const before = {
      ...{ inQueue: 0, inTasks: 0, inCounts: 0, active: "W-1" },
      reasons: new Set([null, "active-task"]),
    };
    const after = {
      ...{ inQueue: TASKS, inTasks: TASKS, inCounts: TASKS, active: undefined },
      reasons: new Set(["paused"]),
    };
    const paused = await world.gate.pauseLane("ann", { repo: WEB }, { reason: "all hands" });
    expect(paused).toMatchObject({ paused: true, changed: TASKS });
    expect(paused.tasks.map(({ work_item_id }) => work_item_id)).toEqual(NAMES);
    expect(effectNames(paused.effect)).toEqual({ now_claimable: [], now_held: [["W-1", "paused"]] });
    expect(states.length).toBeGreaterThan(5);
    for (const state of states) expect([before, after]).toContainEqual(state);
    expect(await seen(other)).toEqual(after);

    states.length = 0;
    const resumed = await world.gate.resumeLane("bob", { repo: WEB });
    expect(resumed).toMatchObject({ paused: false, changed: TASKS });
    expect(resumed.tasks.map(({ work_item_id }) => work_item_id)).toEqual(NAMES);
    expect(effectNames(resumed.effect)).toEqual({ now_claimable: [["W-1", null]], now_held: [] });
    expect(states.length).toBeGreaterThan(5);
    for (const state of states) expect([before, after]).toContainEqual(state);
    expect(await seen(other)).toEqual(before);
    expect((await world.gate.audit()).wrong).toBe(0);
    expect(await world.rows("SELECT repo FROM gate_lane_steps")).toEqual([]);
  });

  it("tells two pauses of a lane within a millisecond apart", async () => {
    const { world } = await longLane();
    await world.gate.pauseLane("ann", { repo: WEB }, {});
    const more = ["M-1", "M-2", "M-3"];
    for (const name of more) await world.task(WEB, name);
    const again = await world.gate.pauseLane("bob", { repo: WEB }, {});
    expect(again.changed).toBe(3);
    expect(again.tasks.map(({ work_item_id }) => work_item_id)).toEqual(more);
  });

  it.each([true, false])(
    "hands out one task at a time, in order, while its lane is paused and resumed in steps (strict: %s)",
    async (strict) => {
      const { world, another, hooks } = await longLane(strict);
      const other = another();
      await world.gate.pauseLane(null, { repo: WEB }, {});
      const started: (string | null)[] = [];
      let isWorking = false;
      hooks.beforeWrite = async () => {
        if (isWorking || !(await other.rows("SELECT repo FROM gate_lane_steps")).length) return;
        isWorking = true;
        const { jobs } = await other.claim({ max: 100 });
        expect(jobs.length).toBeLessThanOrEqual(1);
        for (const { id, lease, work_item_id } of jobs) {
          started.push(work_item_id);
          await other.gate.complete(null, id, { lease_token: lease.token, stage: "done" });
        }
        isWorking = false;
      };
      if (strict) expect(await world.claimAll()).toEqual([]);
      await world.gate.resumeLane(null, { repo: WEB });
      hooks.beforeWrite = () => Promise.resolve();
      for (let job; (job = (await other.claim()).jobs[0]);) {
        started.push(job.work_item_id);
        await other.gate.complete(null, job.id, { lease_token: job.lease.token, stage: "done" });
      }
      if (strict) expect(started).toEqual(NAMES);
      else expect(new Set(started)).toEqual(new Set(NAMES));
    },
  );

  it.each(["pause", "resume"] as const)(
    "goes on with the %s of a lane when its service ended in the middle, and has the answer for the same call",
    async (verb) => {
      for (let writes = 1; writes < 6; writes += 1) {
        const { world, another, hooks } = await longLane();
        if (verb === "resume") await world.gate.pauseLane(null, { repo: WEB }, {});
        const call: Call = { actor: "ann", key: "k", fingerprint: "f", replayed: () => undefined };
        const change = (of: World) =>
          verb === "pause"
            ? of.gate.pauseLane(call, { repo: WEB }, {})
            : of.gate.resumeLane(call, { repo: WEB });
        let left = writes + 1;
        hooks.beforeWrite = () =>
          (left -= 1) < 0
            ? Promise.reject(new StoreFault("unavailable", "The disk is away."))
            : Promise.resolve();
        await expect(change(world)).rejects.toMatchObject({ kind: "unavailable" });
        world.gate.drain();

        const next = another();
        await next.adopt();
        next.clock.pass(STANDING_MS);
        next.gate.start();
        await expect
          .poll(() => next.rows("SELECT repo FROM gate_lane_steps"), { timeout: 10_000 })
          .toEqual([]);
        expect((await seen(next)).inQueue).toBe(verb === "pause" ? TASKS : 0);
        expect(await change(next)).toMatchObject({ changed: TASKS, paused: verb === "pause" });
        expect((await next.gate.audit()).wrong).toBe(0);
      }
    },
    60_000,
  );

  it("makes a verb for one task wait for that of its lane", async () => {
    const { world } = await longLane();
    const [lane, task] = await Promise.all([
      world.gate.pauseLane(null, { repo: WEB }, {}),
      world.gate.resume(null, { work_item: "W-5" }),
    ]);
    expect(lane.changed).toBe(TASKS);
    const isPaused = (await world.lane(WEB))?.paused.some(({ work_item_id }) => work_item_id === "W-5");
    expect(isPaused).toBe(!task.changed);
  });

  it("gives two calls for one lane their turns", async () => {
    const { world, another } = await longLane();
    const other = another();
    const changes = await Promise.all([
      world.gate.pauseLane(null, { repo: WEB }, {}),
      world.gate.pauseLane(null, { repo: WEB }, {}),
      other.gate.pauseLane(null, { repo: WEB }, {}),
    ]);
    expect(changes.every(({ paused }) => paused)).toBe(true);
    expect((await world.lane(WEB))?.paused).toHaveLength(TASKS);
    const events = await world.rows("SELECT id FROM gate_events WHERE kind = 'task.paused'");
    expect(events).toHaveLength(TASKS);
  });

  it("says in a dry run what the pause of a long lane does, and changes nothing", async () => {
    const { world } = await longLane();
    const tried = await world.gate.pauseLane(null, { repo: WEB, dry_run: true }, {});
    expect((await world.lane(WEB))?.paused).toEqual([]);
    const { dry_run, ...rest } = tried;
    expect(dry_run).toBe(true);
    expect(await world.gate.pauseLane(null, { repo: WEB }, {})).toEqual(rest);
  });

  it("leaves a task alone that is created while its lane is paused in steps", async () => {
    const { world, another, hooks } = await longLane();
    const other = another();
    let isMade = false;
    hooks.beforeWrite = async () => {
      if (isMade || !(await other.rows("SELECT repo FROM gate_lane_steps")).length) return;
      isMade = true;
      await other.task(WEB, "LATER");
      expect(await other.reasons()).toMatchObject({ LATER: "active-task" });
    };
    expect(await world.gate.pauseLane(null, { repo: WEB }, {})).toMatchObject({
      changed: TASKS,
      effect: { now_claimable: [{ work_item_id: "LATER" }] },
    });
    expect(isMade).toBe(true);
    expect(await other.claimAll()).toEqual(["LATER"]);
  });
});
