/** A worker that cannot go on says so, a person answers, and the task's next job goes on with the answer. */

import { beforeEach, describe, expect, it } from "vitest";
import type { ClaimedJob } from "../../../src/contract/jobs.ts";
import { onEveryDatabase } from "../../support/databases.ts";
import { effectNames, gateError, openWorld, WEB, type World } from "../world.ts";
import { EVERYWHERE } from "../../../src/contract/names/repo-pattern.ts";

const NINE = "2026-06-15T09:00:00.000Z";
const QUESTION = { reason: "which of the two designs?" };
const ANSWER = { answer: "the second", by: "ann" };

onEveryDatabase((open) => {
  let world: World;

  const claimOne = async (): Promise<ClaimedJob> => {
    const [job] = (await world.claim()).jobs;
    if (!job) throw new Error("There is nothing to claim.");
    return job;
  };
  const tokenOf = ({ lease }: ClaimedJob): { lease_token: string } => ({ lease_token: lease.token });
  const A = { work_item: "A", repo: WEB };

  beforeEach(async () => {
    world = (await openWorld(open)).under({ strictLanes: true });
    await world.adopt();
    await world.task(WEB, "A");
    await world.task(WEB, "B");
  });

  it("delays a released job until its time, without an attempt, and its task keeps the lane", async () => {
    const job = await claimOne();
    const released = await world.gate.release(null, job.id, { ...tokenOf(job), run_after: NINE });
    expect(released.job).toMatchObject({ status: "delayed", run_after: NINE, attempt: 0, lease: null });
    expect(await world.claimAll()).toEqual([]);
    world.clock.pass(3_600_000);
    expect(await claimOne()).toMatchObject({ id: job.id, attempt: 1 });
  });

  it("queues a released job at once when its time has come already", async () => {
    const job = await claimOne();
    const past = "2026-06-15T07:00:00.000Z";
    const released = await world.gate.release(null, job.id, { ...tokenOf(job), run_after: past });
    expect(released.job.status).toBe("queued");
  });

  it("pauses the task of a released job and frees its lane in one transaction", async () => {
    const job = await claimOne();
    const { effect } = await world.gate.release("w", job.id, {
      ...tokenOf(job),
      pause: { ...QUESTION, until: NINE },
    });
    expect(effectNames(effect)).toEqual({ now_claimable: [["B", null]], now_held: [] });
    const { task } = await world.gate.task(job.task_id ?? 0, EVERYWHERE);
    expect(task).toMatchObject({ paused_by: "w", pause_reason: QUESTION.reason, pause_until: NINE });
    expect(await world.reasons()).toEqual({ A: "paused", B: null });
  });

  it("pauses the task with the completion of its job, and its next job waits", async () => {
    const job = await claimOne();
    const { task } = await world.gate.complete(null, job.id, {
      ...tokenOf(job),
      stage: "design",
      next: [{ agent: "developer" }],
      pause: QUESTION,
    });
    expect(task).toMatchObject({ stage: "design", pause_reason: QUESTION.reason });
    expect(await world.reasons()).toEqual({ A: "paused", B: null });
  });

  const REFUSED: readonly [string, object, object, string][] = [
    ["a pause that ends in the past", {}, { ...QUESTION, until: "2026-06-15T07:00:00Z" }, "invalid_request"],
    ["a pause while the pause is switched off", { pause: false }, QUESTION, "layer_disabled"],
  ];
  it.each(REFUSED)("refuses %s and changes nothing", async (_, policy, pause, code) => {
    const job = await claimOne();
    const { gate } = world.under(policy);
    const before = await world.rows("SELECT * FROM jobs ORDER BY id");
    const more = { ...tokenOf(job), pause: pause as typeof QUESTION };
    await expect(gate.release(null, job.id, more)).rejects.toMatchObject({ code });
    await expect(gate.complete(null, job.id, more)).rejects.toMatchObject({ code });
    expect(await world.rows("SELECT * FROM jobs ORDER BY id")).toEqual(before);
  });

  it("refuses a pause of a task that the same completion finishes", async () => {
    const job = await claimOne();
    const both = { ...tokenOf(job), stage: "done", pause: QUESTION };
    await expect(world.gate.complete(null, job.id, both)).rejects.toEqual(gateError("invalid_request"));
  });

  it("delays a failed job for as long as its worker asks", async () => {
    const job = await claimOne();
    const failure = { ...tokenOf(job), error: "quota", retry: true, retry_after_ms: 3_600_000 };
    expect((await world.gate.fail(null, job.id, failure)).job).toMatchObject({
      status: "delayed",
      run_after: NINE,
    });
  });

  it("refuses a wait before a retry that is not wanted", async () => {
    const job = await claimOne();
    const failure = { ...tokenOf(job), error: "no", retry: false, retry_after_ms: 1 };
    await expect(world.gate.fail(null, job.id, failure)).rejects.toEqual(gateError("invalid_request"));
  });

  describe("the progress of a job", () => {
    const progressOf = async (id: number): Promise<string | null> =>
      (await world.gate.job(id, EVERYWHERE)).job.progress;

    it("is kept until the next one, cut at 200 characters, and moves the lane's revision", async () => {
      const job = await claimOne();
      const { revision } = await world.gate.queue(undefined, EVERYWHERE);
      await world.gate.heartbeat(null, job.id, { ...tokenOf(job), progress: "x".repeat(300) });
      expect(await progressOf(job.id)).toBe(`${"x".repeat(199)}…`);
      expect((await world.gate.queue(undefined, EVERYWHERE)).revision).toBeGreaterThan(revision);
      await world.gate.heartbeat(null, job.id, tokenOf(job));
      await world.gate.heartbeat(null, job.id, { ...tokenOf(job), progress: "2 of 3\0" });
      expect(await progressOf(job.id)).toBe("2 of 3\ufffd");
    });

    const ENDS: Readonly<Record<string, (job: ClaimedJob) => Promise<unknown>>> = {
      complete: (job) => world.gate.complete(null, job.id, tokenOf(job)),
      fail: (job) => world.gate.fail(null, job.id, { ...tokenOf(job), error: "no", retry: true }),
      release: (job) => world.gate.release(null, job.id, tokenOf(job)),
      "expired lease": () => {
        world.clock.pass(60_000);
        return world.gate.queue(undefined, EVERYWHERE);
      },
      "change by another program": (job) =>
        world.sql(`UPDATE jobs SET status = 'failed' WHERE id = ${job.id}`),
    };
    it.each(Object.entries(ENDS))("ends with the run (%s)", async (_, end) => {
      const job = await claimOne();
      await world.gate.heartbeat(null, job.id, { ...tokenOf(job), progress: "half" });
      await end(job);
      expect(await progressOf(job.id)).toBeNull();
    });
  });

  describe("the answer to a task", () => {
    const told = { answer: "the second", by: "ann", at: "2026-06-15T08:00:00.000Z" };

    const answered = async (): Promise<ClaimedJob> => {
      const job = await claimOne();
      expect(job.resumed).toBeNull();
      await world.gate.release(null, job.id, { ...tokenOf(job), pause: QUESTION });
      await world.gate.resume(null, A, ANSWER);
      return claimOne();
    };

    it("comes with the task's next claim", async () => {
      expect(await answered()).toMatchObject({ work_item_id: "A", resumed: told });
    });

    it("comes again when the lease expires, the job fails or is released, until it completes", async () => {
      await answered();
      world.clock.pass(60_000);
      const second = await claimOne();
      expect(second.resumed).toEqual(told);
      await world.gate.release(null, second.id, tokenOf(second));
      const third = await claimOne();
      expect(third.resumed).toEqual(told);
      await world.gate.complete(null, third.id, { ...tokenOf(third), next: [{ agent: "developer" }] });
      expect(await claimOne()).toMatchObject({ agent: "developer", resumed: null });
    });

    it("is not taken by a job that was claimed before", async () => {
      const entry = await claimOne();
      await world.gate.createJob(null, { repo: WEB, work_item_id: "A", agent: "developer" });
      await world.gate.pause(null, A, {});
      await world.gate.resume(null, A, ANSWER);
      await world.gate.complete(null, entry.id, tokenOf(entry));
      expect(await claimOne()).toMatchObject({ agent: "developer", resumed: told });
    });

    it("is kept for a task whose pause ended while it was written, and recorded", async () => {
      const job = await claimOne();
      await world.gate.release(null, job.id, { ...tokenOf(job), pause: { ...QUESTION, until: NINE } });
      world.clock.pass(3_600_000);
      await world.gate.queue(undefined, EVERYWHERE);
      const state = await world.gate.resume(null, A, ANSWER);
      expect(state).toMatchObject({ changed: false, paused: false });
      expect((await claimOne()).resumed).toMatchObject({ answer: "the second", at: NINE });
      const events = await world.rows("SELECT kind, actor FROM gate_events WHERE detail LIKE '%second%'");
      expect(events).toEqual([{ kind: "task.answered", actor: "ann" }]);
    });

    it("gives way to a later answer", async () => {
      const job = await answered();
      await world.gate.release(null, job.id, { ...tokenOf(job), pause: QUESTION });
      await world.gate.resume(null, A, { answer: "the first after all" });
      expect((await claimOne()).resumed).toMatchObject({ answer: "the first after all", by: null });
    });

    it("is refused for a task that is finished", async () => {
      const { task } = await world.gate.resolveTask(A, EVERYWHERE);
      await world.gate.setStage(null, { id: task.id }, { stage: "done" });
      await expect(world.gate.resume(null, A, ANSWER)).rejects.toEqual(gateError("task_terminal"));
    });
  });
});
