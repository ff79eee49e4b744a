import { beforeEach, expect, it } from "vitest";
import { onEveryDatabase } from "../../support/databases.ts";
import { gateError, startWorld, WEB, type World } from "../world.ts";
import { EVERYWHERE } from "../../../src/contract/names/repo-pattern.ts";

onEveryDatabase((open) => {
  let world: World;

  beforeEach(async () => {
    world = await startWorld(open);
  });

  it("requeues the job of an expired lease and refuses its token from then on", async () => {
    const { job_id } = await world.task(WEB, "A");
    const [first] = (await world.claim({ worker: "one", lease_ms: 1_000 })).jobs;
    world.clock.pass(1_000);
    const late = { lease_token: first?.lease.token ?? "" };
    await expect(world.gate.heartbeat(null, job_id, late)).rejects.toEqual(gateError("lease_lost"));
    const [second] = (await world.claim({ worker: "two" })).jobs;
    expect(second).toMatchObject({ id: job_id, attempt: 2 });
    for (const call of [
      () => world.gate.heartbeat(null, job_id, late),
      () => world.gate.complete(null, job_id, late),
      () => world.gate.fail(null, job_id, { ...late, error: "no", retry: true }),
      () => world.gate.release(null, job_id, { lease_token: late.lease_token }),
    ])
      await expect(call()).rejects.toEqual(gateError("lease_lost"));
    expect((await world.gate.job(job_id, EVERYWHERE)).job.lease?.worker).toBe("two");
  });

  it("fails the job when the lease of its last attempt expires, and the task keeps its lane", async () => {
    const { job_id } = await world.task(WEB, "A", { entry_job: { max_attempts: 1 } });
    await world.task(WEB, "B");
    await world.claim({ worker: "gone" });
    world.clock.pass(60_000);
    expect(await world.claimAll()).toEqual([]);
    const { job } = await world.gate.job(job_id, EVERYWHERE);
    expect(job).toMatchObject({ status: "failed", lease: null });
    expect(job.error).toContain("gone");
  });

  it("keeps a lease alive through heartbeats", async () => {
    const { job_id } = await world.task(WEB, "A");
    const [job] = (await world.claim({ lease_ms: 2_000 })).jobs;
    for (let beat = 0; beat < 5; beat += 1) {
      world.clock.pass(1_500);
      await world.gate.heartbeat(null, job_id, { lease_token: job?.lease.token ?? "", lease_ms: 2_000 });
    }
    expect((await world.gate.job(job_id, EVERYWHERE)).job).toMatchObject({ status: "running", attempt: 1 });
  });

  it("never expires a job that the orchestrator runs itself", async () => {
    const { job_id } = await world.task(WEB, "A");
    await world.sql(`UPDATE jobs SET status = 'running', attempts = 1 WHERE id = ${job_id}`);
    world.clock.pass(86_400_000);
    expect(await world.claimAll()).toEqual([]);
    expect((await world.gate.job(job_id, EVERYWHERE)).job).toMatchObject({ status: "running", lease: null });
  });

  it("cancels the job instead of requeueing it when the lease expires after its task was cancelled", async () => {
    const { id, job_id } = await world.task(WEB, "A");
    const [job] = (await world.claim()).jobs;
    await world.gate.cancelTask(null, { id });
    const kept = world.gate.heartbeat(null, job_id, { lease_token: job?.lease.token ?? "" });
    await expect(kept).rejects.toEqual(gateError("task_cancelled"));
    world.clock.pass(60_000);
    await world.claimAll();
    expect((await world.gate.job(job_id, EVERYWHERE)).job.status).toBe("cancelled");
  });
});
