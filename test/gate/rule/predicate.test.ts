import { beforeEach, expect, it } from "vitest";
import { onEveryDatabase } from "../../support/databases.ts";
import { API, startWorld, WEB, type World } from "../world.ts";
import { EVERYWHERE } from "../../../src/contract/names/repo-pattern.ts";

onEveryDatabase((open) => {
  let world: World;

  beforeEach(async () => {
    world = await startWorld(open);
  });

  const freeze = (repo: string): Promise<unknown> => world.gate.freeze(null, { repo }, {});
  const pause = (workItem: string): Promise<unknown> => world.gate.pause(null, { work_item: workItem }, {});
  const finish = (id: number): Promise<unknown> => world.gate.setStage(null, { id }, { stage: "done" });

  /** Prepares a world in which WEB-9's entry job waits, and says why. */
  const rows: [string, () => Promise<unknown>, string | null][] = [
    ["an empty lane", () => world.task(WEB, "WEB-9"), null],
    [
      "an unfinished task with a lower id",
      async () => {
        await world.task(WEB, "WEB-7");
        await world.task(WEB, "WEB-9");
      },
      "active-task",
    ],
    [
      "a later task of the lane",
      async () => {
        await world.task(WEB, "WEB-9");
        await world.task(WEB, "WEB-10");
      },
      null,
    ],
    [
      "an unfinished task of another repository",
      async () => {
        await world.task(API, "API-1");
        await world.task(WEB, "WEB-9");
      },
      null,
    ],
    [
      "a predecessor that is done",
      async () => {
        await finish((await world.task(WEB, "WEB-7")).id);
        await world.task(WEB, "WEB-9");
      },
      null,
    ],
    [
      "a predecessor that is cancelled",
      async () => {
        await world.gate.cancelTask(null, { id: (await world.task(WEB, "WEB-7")).id });
        await world.task(WEB, "WEB-9");
      },
      null,
    ],
    [
      "a paused predecessor",
      async () => {
        await world.task(WEB, "WEB-7");
        await world.task(WEB, "WEB-9");
        await pause("WEB-7");
      },
      null,
    ],
    [
      "a paused predecessor in front of one that is not",
      async () => {
        await world.task(WEB, "WEB-7");
        await world.task(WEB, "WEB-8");
        await world.task(WEB, "WEB-9");
        await pause("WEB-7");
      },
      "active-task",
    ],
    [
      "its own pause",
      async () => {
        await world.task(WEB, "WEB-9");
        await pause("WEB-9");
      },
      null,
    ],
    [
      "a freeze",
      async () => {
        await world.task(WEB, "WEB-9");
        await freeze(WEB);
      },
      "freeze",
    ],
    [
      "a freeze of another repository",
      async () => {
        await world.task(WEB, "WEB-9");
        await freeze(API);
      },
      null,
    ],
    [
      "a cleared freeze",
      async () => {
        await world.task(WEB, "WEB-9");
        await freeze(WEB);
        await world.gate.unfreeze(null, { repo: WEB });
      },
      null,
    ],
    [
      "one of two freezes cleared",
      async () => {
        await world.task(WEB, "WEB-9");
        const { freeze_id } = await world.gate.freeze(null, { repo: WEB }, {});
        await freeze(WEB);
        await world.gate.unfreeze(null, { repo: WEB, id: freeze_id });
      },
      "freeze",
    ],
    [
      "an unfinished dependency",
      async () => {
        await world.task(API, "API-1");
        await world.task(WEB, "WEB-9", { depends_on: ["API-1"] });
      },
      "dependency",
    ],
    [
      "a finished dependency",
      async () => {
        const { id } = await world.task(API, "API-1");
        await world.task(WEB, "WEB-9", { depends_on: ["API-1"] });
        await finish(id);
      },
      null,
    ],
    [
      "a paused dependency",
      async () => {
        await world.task(API, "API-1");
        await world.task(WEB, "WEB-9", { depends_on: ["API-1"] });
        await pause("API-1");
      },
      "dependency",
    ],
    [
      "one of two dependencies unfinished",
      async () => {
        const { id } = await world.task(API, "API-1");
        await world.task(API, "API-2");
        await world.task(WEB, "WEB-9", { depends_on: ["API-1", "API-2"] });
        await finish(id);
      },
      "dependency",
    ],
    [
      "a freeze, a dependency and an active task at once",
      async () => {
        await world.task(API, "API-1");
        await world.task(WEB, "WEB-7");
        await world.task(WEB, "WEB-9", { depends_on: ["API-1"] });
        await freeze(WEB);
      },
      "freeze",
    ],
    [
      "a dependency and an active task at once",
      async () => {
        await world.task(API, "API-1");
        await world.task(WEB, "WEB-7");
        await world.task(WEB, "WEB-9", { depends_on: ["API-1"] });
      },
      "dependency",
    ],
    [
      "a rework entry job of the task that is at work",
      async () => {
        await world.task(WEB, "WEB-9", { stage: "development", entry_job: false });
        await world.gate.createJob(null, { repo: WEB, work_item_id: "WEB-9", agent: "analyst" });
      },
      null,
    ],
  ];

  it.each(rows)("queue and claim agree on the reason for %s", async (_, prepare, reason) => {
    await prepare();
    expect((await world.reasons())["WEB-9"]).toBe(reason);
    const claimed = await world.claimAll();
    expect(claimed.includes("WEB-9")).toBe(reason === null);
  });

  it("holds an entry job without a task only by a freeze", async () => {
    await world.task(WEB, "WEB-7");
    await world.sql(`INSERT INTO jobs(agent, repo) VALUES ('analyst', '${WEB}')`);
    const reason = async (): Promise<unknown> =>
      (await world.lane(WEB))?.waiting.find((job) => job.task_id === null)?.reason;
    expect(await reason()).toBeNull();
    await freeze(WEB);
    expect(await reason()).toBe("freeze");
  });

  it("never holds a job of another agent", async () => {
    await world.task(API, "API-1");
    await world.task(WEB, "WEB-7");
    await world.task(WEB, "WEB-9", { depends_on: ["API-1"] });
    await freeze(WEB);
    await world.gate.createJob(null, { repo: WEB, work_item_id: "WEB-9", agent: "developer" });
    const { jobs } = await world.claim({ agents: ["developer"] });
    expect(jobs.map((job) => job.work_item_id)).toEqual(["WEB-9"]);
  });

  it("lets new tasks of a lane through one at a time, oldest first", async () => {
    const tasks = [await world.task(WEB, "A"), await world.task(WEB, "B"), await world.task(WEB, "C")];
    const order: (string | null)[] = [];
    for (const { id } of tasks) {
      order.push(...(await world.claimAll()));
      expect(await world.claimAll()).toEqual([]);
      await finish(id);
    }
    expect(order).toEqual(["A", "B", "C"]);
  });

  it("orders a lane by its tasks, not by their entry jobs", async () => {
    await world.task(WEB, "A", { entry_job: false });
    await world.task(WEB, "B");
    await world.gate.createJob(null, { repo: WEB, work_item_id: "A", agent: "analyst" });
    expect(await world.claimAll()).toEqual(["A"]);
    expect((await world.lane(WEB))?.waiting).toEqual([
      expect.objectContaining({ work_item_id: "B", reason: "active-task", position: 1 }),
    ]);
  });

  it("keeps the head of a lane while its job is delayed or failed", async () => {
    const { job_id } = await world.task(WEB, "A");
    await world.task(WEB, "B");
    for (const status of ["delayed", "failed"]) {
      const { jobs } = await world.claim();
      await world.gate.fail(null, job_id, {
        lease_token: jobs[0]?.lease.token ?? "",
        error: "no",
        retry: true,
      });
      expect((await world.gate.job(job_id, EVERYWHERE)).job.status).toBe(status);
      expect(await world.reasons()).toEqual({ B: "active-task" });
      world.clock.pass(10_000);
    }
  });

  it("releases an urgent fix when the waiting task is paused, and holds the lane again on resume", async () => {
    await world.task(WEB, "SLOW", { stage: "review", entry_job: false });
    await world.task(WEB, "URGENT");
    await world.task(WEB, "LATER");
    expect(await world.claimAll()).toEqual([]);
    await pause("SLOW");
    expect(await world.claimAll()).toEqual(["URGENT"]);
    await world.gate.resume(null, { work_item: "SLOW" });
    expect((await world.lane(WEB))?.active_task?.work_item_id).toBe("SLOW");
    expect(await world.reasons()).toEqual({ LATER: "active-task" });
  });
});
