/** Finished is finished: the end of a task ends its work, whoever moved it (docs/adr/0017). */

import { beforeEach, describe, expect, it } from "vitest";
import type { ClaimedJob } from "../../../src/contract/jobs.ts";
import { onEveryDatabase } from "../../support/databases.ts";
import { gateError, startWorld, WEB, type World } from "../world.ts";
import { EVERYWHERE } from "../../../src/contract/names/repo-pattern.ts";

onEveryDatabase((open) => {
  let world: World;
  let id: number;
  let claimed: ClaimedJob;
  let token: { lease_token: string };

  const statusOf = async (job: number): Promise<string> => (await world.gate.job(job, EVERYWHERE)).job.status;
  const enqueue = async (agent: string, more: object = {}): Promise<number> =>
    (await world.gate.createJob(null, { repo: WEB, work_item_id: "A", agent, ...more })).job.id;
  const claimOne = async (request: object = {}): Promise<ClaimedJob> => {
    const [job] = (await world.claim(request)).jobs;
    if (!job) throw new Error("There is nothing to claim.");
    return job;
  };

  beforeEach(async () => {
    world = await startWorld(open);
    ({ id } = await world.task(WEB, "A"));
    claimed = await claimOne();
    token = { lease_token: claimed.lease.token };
  });

  const ENDS: Readonly<Record<string, () => Promise<unknown>>> = {
    "our own call": () => world.gate.setStage(null, { id }, { stage: "done" }),
    "another program": () => world.sql(`UPDATE tasks SET stage = 'done' WHERE id = ${id}`),
    "another program, in steps": async () => {
      for (const stage of ["cancelled", "review", "done"])
        await world.sql(`UPDATE tasks SET stage = '${stage}' WHERE id = ${id}`);
    },
    "another job of it": async () => {
      await enqueue("developer");
      const other = await claimOne({ agents: ["developer"] });
      await world.gate.complete(null, other.id, { lease_token: other.lease.token, stage: "done" });
    },
  };

  describe.each(Object.entries(ENDS))("when %s makes a task done", (_, finish) => {
    it("tells the worker of a job that was claimed before with its heartbeat", async () => {
      await finish();
      for (const more of [{}, { progress: "half" }])
        await expect(world.gate.heartbeat(null, claimed.id, { ...token, ...more })).rejects.toEqual(
          gateError("task_terminal"),
        );
    });

    it.each([
      ["a next job", { next: [{ agent: "developer" }] }],
      ["a stage", { stage: "review" }],
      ["the stage that the task is in", { stage: "done" }],
      ["a pause", { pause: { reason: "waits" } }],
    ])("refuses a completion with %s and takes the plain one", async (_what, more) => {
      await finish();
      const refused = world.gate.complete(null, claimed.id, { ...token, result: 1, ...more });
      await expect(refused).rejects.toEqual(gateError("task_terminal"));
      const { job, next } = await world.gate.complete(null, claimed.id, { ...token, result: 1 });
      expect([job.status, job.result, next]).toEqual(["done", 1, []]);
    });

    it("cancels the job that fails, is released or loses its lease, and hands out nothing of it again", async () => {
      const others: number[] = [];
      for (const agent of ["tester", "reviewer"]) others.push(await enqueue(agent));
      const [test, review] = [
        await claimOne({ agents: ["tester"] }),
        await claimOne({ agents: ["reviewer"] }),
      ];
      await finish();
      await world.gate.fail(null, claimed.id, { ...token, error: "no", retry: true });
      await world.gate.release(null, test.id, {
        lease_token: test.lease.token,
        run_after: "2027-01-01T00:00:00Z",
        pause: { reason: "too late" },
      });
      world.clock.pass(60_000);
      expect(await world.claimAll()).toEqual([]);
      for (const job of [claimed.id, test.id, review.id]) expect(await statusOf(job)).toBe("cancelled");
      expect((await world.gate.task(id, EVERYWHERE)).task.paused_at).toBeNull();
    });

    it("lets a job live that was claimed after the end", async () => {
      const late = await enqueue("deployer");
      await finish();
      const watch = await claimOne({ agents: ["deployer"] });
      expect(watch.id).toBe(late);
      const lease_token = watch.lease.token;
      await world.gate.heartbeat(null, late, { lease_token });
      const { job } = await world.gate.fail(null, late, { lease_token, error: "not yet", retry: true });
      expect(job.status).toBe("delayed");
      world.clock.pass(10_000);
      const again = await claimOne({ agents: ["deployer"] });
      const { next } = await world.gate.complete(null, late, {
        lease_token: again.lease.token,
        next: [{ agent: "deployer" }],
      });
      expect(next).toMatchObject([{ status: "queued" }]);
    });

    it("enqueues no entry job for a job that was claimed after the end", async () => {
      const late = await enqueue("deployer");
      await finish();
      const watch = await claimOne({ agents: ["deployer"] });
      const again = world.gate.complete(null, late, {
        lease_token: watch.lease.token,
        next: [{ agent: "analyst" }],
      });
      await expect(again).rejects.toEqual(gateError("task_terminal"));
    });
  });

  it("tells the worker of a cancelled task that it was cancelled, whoever cancelled it", async () => {
    await world.sql(`UPDATE tasks SET stage = 'cancelled' WHERE id = ${id}`);
    await expect(world.gate.heartbeat(null, claimed.id, token)).rejects.toEqual(gateError("task_cancelled"));
    await world.gate.release(null, claimed.id, token);
    expect(await statusOf(claimed.id)).toBe("cancelled");
  });

  it("goes on with the job of a task that another program opened again", async () => {
    for (const stage of ["done", "development"])
      await world.sql(`UPDATE tasks SET stage = '${stage}' WHERE id = ${id}`);
    await world.gate.heartbeat(null, claimed.id, token);
    const { task } = await world.gate.complete(null, claimed.id, { ...token, stage: "review" });
    expect(task?.stage).toBe("review");
  });

  it("forgets the end with the run, also when another program ends it", async () => {
    await enqueue("developer");
    const developer = await claimOne({ agents: ["developer"] });
    await world.sql(`UPDATE tasks SET stage = 'done' WHERE id = ${id}`);
    await world.sql(`UPDATE jobs SET status = 'queued' WHERE id = ${developer.id}`);
    const again = await claimOne({ agents: ["developer"] });
    await world.gate.heartbeat(null, again.id, { lease_token: again.lease.token });
    const { job } = await world.gate.release(null, again.id, { lease_token: again.lease.token });
    expect(job.status).toBe("queued");
  });

  describe("the jobs that wait when our own call finishes the task", () => {
    let entries: number[];
    let others: number[];

    beforeEach(async () => {
      const later = { run_after: "2026-06-15T09:00:00Z" };
      entries = [await enqueue("analyst"), await enqueue("analyst", later)];
      others = [await enqueue("deployer"), await enqueue("deployer", later)];
    });

    const CALLS: Readonly<Record<string, () => Promise<{ cancelled_jobs: object[]; left_jobs: object[] }>>> =
      {
        "a stage": () => world.gate.setStage(null, { id }, { stage: "done" }),
        "a completion": () => world.gate.complete(null, claimed.id, { ...token, stage: "done" }),
        "the same stage again": async () => {
          await world.sql(`UPDATE tasks SET stage = 'done' WHERE id = ${id}`);
          return world.gate.setStage(null, { id }, { stage: "done" });
        },
      };

    it.each(Object.entries(CALLS))("%s cancels the entry jobs and lists both kinds", async (_, finish) => {
      const { cancelled_jobs, left_jobs } = await finish();
      expect(cancelled_jobs).toEqual(
        entries.map((job_id) => ({ job_id, agent: "analyst", status: "cancelled" })),
      );
      expect(left_jobs).toEqual([
        { job_id: others[0], agent: "deployer", status: "queued" },
        { job_id: others[1], agent: "deployer", status: "delayed" },
      ]);
      world.clock.pass(3_600_000);
      const handedOut = (await world.claim({ max: 10 })).jobs.map((job) => job.id);
      expect(handedOut).toEqual(others);
      for (const job of entries) expect(await statusOf(job)).toBe("cancelled");
    });

    it("are all cancelled with cancel_jobs, and in a cancelled task", async () => {
      const all = [...entries, ...others];
      const { cancelled_jobs, left_jobs } = await world.gate.setStage(
        null,
        { id },
        { stage: "done", cancel_jobs: true },
      );
      expect(cancelled_jobs.map(({ job_id }) => job_id)).toEqual(all);
      expect(left_jobs).toEqual([]);
      const other = await world.task(WEB, "B");
      const cancelled = await world.gate.cancelTask(null, { id: other.id });
      expect(cancelled).toMatchObject({ cancelled_jobs: [{ job_id: other.job_id }], left_jobs: [] });
    });

    it("stay in a dry run, which lists them", async () => {
      const { cancelled_jobs } = await world.gate.setStage(null, { id, dry_run: true }, { stage: "done" });
      expect(cancelled_jobs.map(({ job_id }) => job_id)).toEqual(entries);
      expect(await statusOf(entries[0] ?? 0)).toBe("queued");
    });

    it("are recorded as cancelled by the caller", async () => {
      await world.gate.setStage("ann", { id }, { stage: "done" });
      const events = await world.rows(
        "SELECT job_id, actor FROM gate_events WHERE kind = 'job.cancelled' ORDER BY id",
      );
      expect(events).toEqual(entries.map((job_id) => ({ job_id, actor: "ann" })));
    });
  });

  it("cancels a delayed entry job that falls due after another program finished its task", async () => {
    await world.gate.fail(null, claimed.id, { ...token, error: "no", retry: true });
    await world.sql(`UPDATE tasks SET stage = 'done' WHERE id = ${id}`);
    world.clock.pass(10_000);
    expect(await world.claimAll()).toEqual([]);
    expect(await statusOf(claimed.id)).toBe("cancelled");
  });

  it("refuses to cancel the jobs of a task that goes on", async () => {
    const refused = world.gate.setStage(null, { id }, { stage: "review", cancel_jobs: true });
    await expect(refused).rejects.toEqual(gateError("invalid_request"));
    expect((await world.gate.task(id, EVERYWHERE)).task.stage).toBe("analysis");
  });

  it.each([
    ["finishes", (strict: World, b: number) => strict.gate.setStage(null, { id: b }, { stage: "done" })],
    ["is paused", (strict: World, b: number) => strict.gate.pause(null, { task_id: b }, {})],
    [
      "is moved by another program",
      (strict: World, b: number) => strict.sql(`UPDATE tasks SET stage = 'done' WHERE id = ${b}`),
    ],
  ])("a job that a task left behind without its lane starts when the holder %s", async (_, leave) => {
    const strict = world.under({ strictLanes: true });
    await strict.adopt();
    const b = await strict.task(WEB, "B");
    await strict.gate.pause(null, { task_id: id }, {});
    await strict.gate.complete(null, claimed.id, { ...token, next: [{ agent: "deployer" }] });
    const [holder] = (await strict.claim()).jobs;
    expect(holder?.task_id).toBe(b.id);
    await strict.gate.resume(null, { task_id: id }, {});
    const { left_jobs } = await strict.gate.setStage(null, { id }, { stage: "done" });
    expect(left_jobs).toHaveLength(1);
    expect(await strict.claimAll()).toEqual([]);
    await leave(strict, b.id);
    if (holder) await strict.gate.complete(null, holder.id, { lease_token: holder.lease.token });
    expect(await strict.claimAll()).toEqual(["A"]);
  });

  it("a job that a paused task left behind is free once its repository is resumed", async () => {
    const strict = world.under({ strictLanes: true });
    await strict.adopt();
    await enqueue("deployer");
    await strict.gate.complete(null, claimed.id, token);
    await strict.gate.pauseLane(null, { repo: WEB }, {});
    await strict.gate.setStage(null, { id }, { stage: "done" });
    expect(await strict.claimAll()).toEqual([]);
    expect((await strict.gate.resumeLane(null, { repo: WEB }, {})).tasks).toMatchObject([{ task_id: id }]);
    expect(await strict.claimAll()).toEqual(["A"]);
    expect((await strict.gate.resumeLane(null, { repo: WEB }, {})).tasks).toEqual([]);
  });
});
