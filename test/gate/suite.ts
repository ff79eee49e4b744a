/** What every database must give: one suite, run on each. */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { GateErrorCode } from "../../src/contract/errors.ts";
import type { Policy } from "../../src/gate/rule/policy.ts";
import { TestClock, World, type OpenDatabase } from "./world.ts";

const WEB = "acme/web";
const API = "acme/api";

const refused = (code: GateErrorCode): object =>
  expect.objectContaining({ name: "GateError", code }) as object;

export const gateSuite = (name: string, open: OpenDatabase): void => {
  describe(`the gate on ${name}`, () => {
    let world: World;

    beforeEach(async () => {
      const clock = new TestClock();
      world = new World(await open(clock.read), clock);
      await world.gate.adopt();
    });

    afterEach(async () => {
      world.gate.drain();
      await world.store.close();
    });

    const freeze = (repo: string): Promise<unknown> => world.gate.freeze(null, { repo }, {});
    const pause = (workItem: string): Promise<unknown> => world.gate.pause(null, { work_item: workItem }, {});
    const finish = (id: number): Promise<unknown> => world.gate.setStage(null, { id }, { stage: "done" });

    describe("the reason", () => {
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

      it.each(rows)("of %s: the snapshot and the claim agree", async (_, prepare, reason) => {
        await prepare();
        expect((await world.reasons())["WEB-9"]).toBe(reason);
        const claimed = await world.claimAll();
        expect(claimed.includes("WEB-9")).toBe(reason === null);
      });

      it("of an entry job without a task is a freeze or nothing", async () => {
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
    });

    describe("a switch", () => {
      /** WEB-7 is ahead of WEB-9; WEB-8 depends on API-1; the repository API is frozen. */
      const prepare = async (): Promise<void> => {
        await world.task(API, "API-1");
        await world.task(WEB, "WEB-7");
        await world.task("acme/ops", "OPS-8", { depends_on: ["API-1"] });
        await world.task(WEB, "WEB-9");
        await pause("WEB-7");
        await freeze(API);
      };
      const all = { "API-1": "freeze", "WEB-7": null, "OPS-8": "dependency", "WEB-9": null };

      it.each<[string, Partial<Policy>, Record<string, string | null>]>([
        ["all on", {}, all],
        ["the gate off: only dependencies hold", { enabled: false }, { ...all, "API-1": null }],
        ["the freeze off", { freeze: false }, { ...all, "API-1": null }],
        ["the pause off: a parked task holds its lane", { pause: false }, { ...all, "WEB-9": "active-task" }],
        ["the dependencies off", { dependencies: false }, { ...all, "OPS-8": null }],
        ["a scope without the frozen repository", { repos: [WEB] }, { ...all, "API-1": null }],
        ["a scope without the lane, pause off", { repos: [API], pause: false }, all],
        ["another entry agent: no entry job waits", { entryAgent: "planner" }, {}],
      ])("%s", async (_, policy, reasons) => {
        await prepare();
        const other = world.under(policy);
        expect(await other.reasons()).toEqual(reasons);
        const claimable = Object.keys(reasons).filter((workItem) => reasons[workItem] === null);
        const claimed = await other.claimAll();
        if (policy.entryAgent === undefined) expect(claimed.sort()).toEqual(claimable.sort());
        else expect(claimed).toHaveLength(4);
        other.gate.drain();
      });
    });

    describe("a lane", () => {
      it("lets a batch of fresh tasks through one at a time, oldest first", async () => {
        const tasks = [await world.task(WEB, "A"), await world.task(WEB, "B"), await world.task(WEB, "C")];
        const order: (string | null)[] = [];
        for (const { id } of tasks) {
          order.push(...(await world.claimAll()));
          expect(await world.claimAll()).toEqual([]);
          await finish(id);
        }
        expect(order).toEqual(["A", "B", "C"]);
      });

      it("starts in the order of the tasks, not of their entry jobs", async () => {
        await world.task(WEB, "A", { entry_job: false });
        await world.task(WEB, "B");
        await world.gate.createJob(null, { repo: WEB, work_item_id: "A", agent: "analyst" });
        expect(await world.claimAll()).toEqual(["A"]);
        expect((await world.lane(WEB))?.waiting).toEqual([
          expect.objectContaining({ work_item_id: "B", reason: "active-task", position: 1 }),
        ]);
      });

      it("keeps its head while the head's job is delayed or failed", async () => {
        const { job_id } = await world.task(WEB, "A");
        await world.task(WEB, "B");
        for (const status of ["delayed", "failed"]) {
          const { jobs } = await world.claim();
          await world.gate.fail(null, job_id, {
            lease_token: jobs[0]?.lease.token ?? "",
            error: "no",
            retry: true,
          });
          expect((await world.gate.job(job_id)).job.status).toBe(status);
          expect(await world.reasons()).toEqual({ B: "active-task" });
          world.clock.pass(10_000);
        }
      });

      it("frees an urgent fix when the task that waits for a human is paused, and closes again on resume", async () => {
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

    describe("a claim", () => {
      it("takes the oldest job first, whatever its repository", async () => {
        await world.task(WEB, "A");
        await world.task(API, "B");
        await world.task("acme/ops", "C");
        const order: (string | null)[] = [];
        for (let each = 0; each < 4; each += 1)
          order.push(...(await world.claim()).jobs.map((job) => job.work_item_id));
        expect(order).toEqual(["A", "B", "C"]);
      });

      it("takes only the agents and the repositories that it names", async () => {
        await world.task(WEB, "A");
        await world.task(API, "B");
        await world.gate.createJob(null, { repo: API, work_item_id: "B", agent: "monitor" });
        expect((await world.claim({ agents: ["monitor"], repos: [WEB] })).jobs).toEqual([]);
        expect((await world.claim({ agents: ["monitor"] })).jobs[0]?.agent).toBe("monitor");
        expect((await world.claim({ repos: [API] })).jobs[0]?.work_item_id).toBe("B");
      });

      it("never hands out one job twice, however many claim at once", async () => {
        for (let each = 0; each < 20; each += 1) await world.task(`acme/r${each}`, `T-${each}`);
        const claims = await Promise.all(Array.from({ length: 40 }, () => world.claim()));
        const ids = claims.flatMap(({ jobs }) => jobs.map(({ id }) => id));
        expect(new Set(ids).size).toBe(ids.length);
        // A claim that met a lane in others' hands passed over it; the next one finds it.
        const rest = (await world.claim({ max: 100 })).jobs.length;
        expect(ids.length + rest).toBe(20);
      });

      it("starts one of a lane, however many claim at once", async () => {
        for (let each = 0; each < 10; each += 1) await world.task(WEB, `T-${each}`);
        const claims = await Promise.all(Array.from({ length: 20 }, () => world.claim({ max: 5 })));
        const started = claims.flatMap(({ jobs }) => jobs.map((job) => job.work_item_id));
        expect([...started, ...(await world.claimAll())]).toEqual(["T-0"]);
      });
    });

    describe("a lease", () => {
      it("that lapsed gives the job back, and its token is dead for ever", async () => {
        const { job_id } = await world.task(WEB, "A");
        const [first] = (await world.claim({ worker: "one", lease_ms: 1_000 })).jobs;
        world.clock.pass(1_000);
        const late = { lease_token: first?.lease.token ?? "" };
        await expect(world.gate.heartbeat(null, job_id, late)).rejects.toEqual(refused("lease_lost"));
        const [second] = (await world.claim({ worker: "two" })).jobs;
        expect(second).toMatchObject({ id: job_id, attempt: 2 });
        for (const call of [
          () => world.gate.heartbeat(null, job_id, late),
          () => world.gate.complete(null, job_id, late),
          () => world.gate.fail(null, job_id, { ...late, error: "no", retry: true }),
          () => world.gate.release(null, job_id, { lease_token: late.lease_token }),
        ])
          await expect(call()).rejects.toEqual(refused("lease_lost"));
        expect((await world.gate.job(job_id)).job.lease?.worker).toBe("two");
      });

      it("that lapsed in the last attempt fails the job, and the task keeps its lane", async () => {
        const { job_id } = await world.task(WEB, "A", { entry_job: { max_attempts: 1 } });
        await world.task(WEB, "B");
        await world.claim({ worker: "gone" });
        world.clock.pass(60_000);
        expect(await world.claimAll()).toEqual([]);
        const { job } = await world.gate.job(job_id);
        expect(job).toMatchObject({ status: "failed", lease: null });
        expect(job.error).toContain("gone");
      });

      it("that is kept does not lapse", async () => {
        const { job_id } = await world.task(WEB, "A");
        const [job] = (await world.claim({ lease_ms: 2_000 })).jobs;
        for (let beat = 0; beat < 5; beat += 1) {
          world.clock.pass(1_500);
          await world.gate.heartbeat(null, job_id, { lease_token: job?.lease.token ?? "", lease_ms: 2_000 });
        }
        expect((await world.gate.job(job_id)).job).toMatchObject({ status: "running", attempt: 1 });
      });

      it("of a job that the orchestrator runs itself is none of ours: it never lapses", async () => {
        const { job_id } = await world.task(WEB, "A");
        await world.sql(`UPDATE jobs SET status = 'running', attempts = 1 WHERE id = ${job_id}`);
        world.clock.pass(86_400_000);
        expect(await world.claimAll()).toEqual([]);
        expect((await world.gate.job(job_id)).job).toMatchObject({ status: "running", lease: null });
      });

      it("of a job whose task was cancelled ends the job instead of queueing it again", async () => {
        const { id, job_id } = await world.task(WEB, "A");
        const [job] = (await world.claim()).jobs;
        await world.gate.cancelTask(null, { id });
        const kept = world.gate.heartbeat(null, job_id, { lease_token: job?.lease.token ?? "" });
        await expect(kept).rejects.toEqual(refused("task_cancelled"));
        world.clock.pass(60_000);
        await world.claimAll();
        expect((await world.gate.job(job_id)).job.status).toBe("cancelled");
      });
    });

    describe("a pause", () => {
      it("keeps its time when it comes again, and says what changed", async () => {
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

      it("with an end resumes by itself, and the record says that the gate did it", async () => {
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

      it("is refused where it means nothing", async () => {
        const { id } = await world.task(WEB, "A");
        await world.task(API, "B");
        await world.task(WEB, "B");
        await finish(id);
        await expect(pause("A")).rejects.toEqual(refused("task_terminal"));
        await expect(pause("B")).rejects.toEqual(refused("ambiguous_work_item"));
        await expect(pause("C")).rejects.toEqual(refused("unknown_work_item"));
        await expect(
          world.under({ pause: false }).gate.pause(null, { work_item: "B", repo: WEB }, {}),
        ).rejects.toEqual(refused("layer_disabled"));
      });

      it("means the unfinished task when the orchestrator made the work item again", async () => {
        const { id } = await world.task(WEB, "A");
        await finish(id);
        await world.sql(`INSERT INTO tasks(repo, work_item_id, stage) VALUES ('${WEB}', 'A', 'analysis')`);
        expect(await world.gate.pause(null, { work_item: "A" }, {})).toMatchObject({
          stage: "analysis",
          paused: true,
        });
      });

      it("that let others finish makes the base stale, until the job that was told has completed", async () => {
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

    describe("a freeze", () => {
      it("is one row each time, cleared one by one or all at once", async () => {
        const one = await world.gate.freeze(
          "ann",
          { repo: WEB },
          { reason: "DEGRADED", work_item_id: "WEB-3" },
        );
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

      it("outlives everything that the tasks do", async () => {
        const { id } = await world.task(WEB, "A");
        await freeze(WEB);
        await pause("A");
        await world.gate.resume(null, { work_item: "A" });
        await finish(id);
        await world.task(WEB, "B");
        expect(await world.reasons()).toEqual({ A: "freeze", B: "freeze" });
      });

      it("is not made while its layer is off, and can always be cleared", async () => {
        await freeze(WEB);
        const off = world.under({ freeze: false });
        await expect(off.gate.freeze(null, { repo: WEB }, {})).rejects.toEqual(refused("layer_disabled"));
        expect((await off.gate.unfreeze(null, { repo: WEB })).cleared).toBe(1);
      });
    });

    describe("damage", () => {
      const gone = (table: string): Promise<void> =>
        world.sql(`ALTER TABLE ${table} RENAME TO ${table}_gone`);
      const back = (table: string): Promise<void> =>
        world.sql(`ALTER TABLE ${table}_gone RENAME TO ${table}`);

      beforeEach(async () => {
        await world.task(WEB, "A");
        await world.task(WEB, "B");
        await world.task(API, "C", { depends_on: ["A"] });
        await world.gate.createJob(null, { repo: WEB, work_item_id: "B", agent: "developer" });
      });

      it("to the freezes closes the gate: no entry job starts, every repository shows as frozen", async () => {
        await gone("repo_freeze");
        const { jobs, degraded } = await world.claim({ max: 100 });
        expect(jobs.map((job) => job.agent)).toEqual(["developer"]);
        expect(degraded).toBe(true);
        const queue = await world.gate.queue();
        expect(queue.degraded).toBe(true);
        expect(Object.values(queue.serial_gate.per_repo).map((lane) => lane.frozen)).toEqual([true, true]);
        expect(await world.reasons()).toEqual({ A: "freeze", B: "freeze", C: "freeze" });
        expect(world.told.filter((line) => line.startsWith("error: The gate is degraded"))).toHaveLength(1);

        await back("repo_freeze");
        expect(await world.claimAll()).toEqual(["A"]);
        expect(world.told.at(-1)).toContain("info: The gate reads all of its database again");
      });

      it("to the freezes means nothing while their layer is off", async () => {
        await gone("repo_freeze");
        const off = world.under({ freeze: false });
        expect(await off.claim()).toMatchObject({ jobs: [{ work_item_id: "A" }], degraded: false });
        off.gate.drain();
      });

      it("to the tasks opens the gate: the oldest queued job starts, dependents stay", async () => {
        await gone("tasks");
        const first = await world.claim();
        expect(first).toMatchObject({ jobs: [{ id: 1, work_item_id: null, stage: null }], degraded: true });
        const rest = await world.claim({ max: 100 });
        expect(rest.jobs.map(({ id }) => id)).toEqual([2, 4]);
        const queue = await world.gate.queue();
        expect(queue).toMatchObject({ degraded: true, jobs: { running: 3, queued: 1 } });
        expect(queue.serial_gate.per_repo[API]?.waiting).toEqual([
          expect.objectContaining({ job_id: 3, reason: "dependency" }),
        ]);
        await back("tasks");
        expect((await world.gate.queue()).degraded).toBe(false);
      });

      it("to the tasks, dropped for good, does not stop the claim", async () => {
        await world.sql("DROP TABLE tasks");
        const { jobs, degraded } = await world.claim({ max: 100 });
        expect(jobs.map(({ id }) => id)).toEqual([1, 2, 4]);
        expect(degraded).toBe(true);
      });

      it("to the tasks does not open a frozen repository", async () => {
        await freeze(WEB);
        await gone("tasks");
        const { jobs } = await world.claim({ max: 100 });
        expect(jobs.map((job) => job.agent)).toEqual(["developer"]);
      });

      it("to the pause column relaxes the lane alone", async () => {
        await world.sql("ALTER TABLE tasks RENAME COLUMN paused_at TO paused_at_gone");
        const { jobs, degraded } = await world.claim({ max: 100 });
        expect(jobs.map((job) => job.work_item_id)).toEqual(["A", "B", "B"]);
        expect(degraded).toBe(true);
        expect(await world.reasons()).toEqual({ C: "dependency" });
      });

      it("to the dependencies holds whatever may depend on something", async () => {
        await gone("job_deps");
        const { jobs, degraded } = await world.claim({ max: 100 });
        expect(jobs.map((job) => job.agent)).toEqual(["developer"]);
        expect(degraded).toBe(true);
      });

      it("to the tasks and the freezes lets only jobs through that no gate holds", async () => {
        await gone("tasks");
        await gone("repo_freeze");
        const { jobs, degraded } = await world.claim({ max: 100 });
        expect(jobs.map((job) => job.agent)).toEqual(["developer"]);
        expect(degraded).toBe(true);
      });

      it("to the jobs is a fault that says so, and nothing is lost when it is mended", async () => {
        await gone("jobs");
        await expect(world.claim()).rejects.toMatchObject({ name: "StoreFault", kind: "unreadable" });
        await expect(world.gate.queue()).rejects.toMatchObject({ name: "StoreFault", kind: "unreadable" });
        await back("jobs");
        expect(await world.claimAll()).toContain("A");
      });
    });

    describe("a long poll", () => {
      it("is answered by what makes a job claimable, in the order of arrival", async () => {
        const { id } = await world.task(WEB, "A", { entry_job: false });
        await world.task(WEB, "B");
        const polls = [world.claim({ wait_ms: 20_000 }), world.claim({ wait_ms: 20_000 })];
        await finish(id);
        expect((await polls[0])?.jobs.map((job) => job.work_item_id)).toEqual(["B"]);
        await world.task(API, "C");
        expect((await polls[1])?.jobs.map((job) => job.work_item_id)).toEqual(["C"]);
      });

      it("ends with nothing when its time is over", async () => {
        expect(await world.claim({ wait_ms: 30 })).toEqual({ jobs: [], degraded: false });
      });

      it("of a caller that hung up takes no job", async () => {
        const caller = new AbortController();
        const poll = world.claim({ wait_ms: 20_000 }, caller.signal);
        caller.abort();
        await world.task(WEB, "A");
        expect(await poll).toEqual({ jobs: [], degraded: false });
        expect(await world.reasons()).toEqual({ A: null });
      });

      it("is sent away when the service drains, and no new claim is taken", async () => {
        const poll = world.claim({ wait_ms: 20_000 });
        world.gate.drain();
        expect(await poll).toEqual({ jobs: [], degraded: false });
        await expect(world.claim()).rejects.toEqual(refused("draining"));
      });

      it("finds a job that falls due while it waits", async () => {
        await world.task(WEB, "A", { entry_job: false });
        const soon = new Date(world.clock.now + 100).toISOString();
        await world.gate.createJob(null, { repo: WEB, work_item_id: "A", agent: "monitor", run_after: soon });
        const poll = world.claim({ wait_ms: 20_000 });
        world.clock.pass(100);
        expect((await poll).jobs.map((job) => job.agent)).toEqual(["monitor"]);
      });
    });

    it("records every change once, with who asked for it", async () => {
      const { id, job_id } = await world.task(WEB, "A");
      const [job] = (await world.claim({ worker: "w-1" })).jobs;
      await world.gate.complete("ci", job_id, {
        lease_token: job?.lease.token ?? "",
        stage: "development",
        next: [{ agent: "developer" }],
      });
      await world.gate.cancelTask("ann", { id });
      await world.gate.freeze("ann", { repo: WEB }, { reason: "DEGRADED" });
      await world.gate.unfreeze("bob", { repo: WEB });
      const events = await world.rows(
        "SELECT kind, actor, task_id, job_id, reason FROM gate_events ORDER BY id",
      );
      expect(events).toEqual([
        { kind: "task.created", actor: null, task_id: id, job_id: null, reason: null },
        { kind: "job.created", actor: null, task_id: id, job_id, reason: null },
        { kind: "job.claimed", actor: null, task_id: id, job_id, reason: null },
        { kind: "job.completed", actor: "ci", task_id: id, job_id, reason: null },
        { kind: "task.stage", actor: "ci", task_id: id, job_id: null, reason: null },
        { kind: "job.created", actor: "ci", task_id: id, job_id: job_id + 1, reason: null },
        { kind: "task.cancelled", actor: "ann", task_id: id, job_id: null, reason: null },
        { kind: "job.cancelled", actor: "ann", task_id: id, job_id: job_id + 1, reason: null },
        { kind: "repo.frozen", actor: "ann", task_id: null, job_id: null, reason: "DEGRADED" },
        { kind: "repo.unfrozen", actor: "bob", task_id: null, job_id: null, reason: null },
      ]);
    });

    it("shows configured projects also when nothing goes on in them", async () => {
      const idle = new World(world.store, world.clock, {}, ["acme/idle"]);
      expect((await idle.gate.queue()).serial_gate.per_repo["acme/idle"]).toEqual({
        active_task: null,
        waiting: [],
        paused: [],
        frozen: false,
        frozen_reason: null,
        frozen_at: null,
        stuck: [],
      });
      expect((await idle.gate.queue(["acme/other"])).serial_gate.per_repo).toEqual({});
    });

    it("moves the revision with every change of the rows, whoever makes it", async () => {
      const revision = async (): Promise<number> => (await world.gate.queue()).revision;
      const seen = [await revision()];
      const { id, job_id } = await world.task(WEB, "A");
      seen.push(await revision());
      await pause("A");
      seen.push(await revision());
      await world.sql(`UPDATE tasks SET stage = 'review' WHERE id = ${id}`);
      seen.push(await revision());
      await world.sql(`INSERT INTO repo_freeze(repo) VALUES ('${API}')`);
      seen.push(await revision());
      await world.sql(`INSERT INTO job_deps(task_id, depends_on_task_id) VALUES (${id}, ${id})`);
      seen.push(await revision());
      await world.sql(`DELETE FROM jobs WHERE id = ${job_id}`);
      seen.push(await revision());
      expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
      expect(await revision()).toBe(seen.at(-1));
    });
  });
};
