import { beforeEach, describe, expect, it } from "vitest";
import type { ClaimedJob } from "../../../src/contract/jobs.ts";
import { onEveryDatabase } from "../../support/databases.ts";
import { effectNames, gateError, startWorld, WEB, type World } from "../world.ts";
import { EVERYWHERE } from "../../../src/contract/names/repo-pattern.ts";

onEveryDatabase((open) => {
  let world: World;

  beforeEach(async () => {
    world = await startWorld(open);
  });

  const claimed = async (): Promise<ClaimedJob> => {
    const [job] = (await world.claim({ worker: "w-1", lease_ms: 3_600_000 })).jobs;
    if (!job) throw new Error("There is nothing to claim.");
    return job;
  };
  const force = (id: number, more: { dry_run?: boolean; by?: string } = {}) => {
    const { dry_run, ...by } = more;
    return world.gate.releaseByForce(null, { id, dry_run }, { reason: "w-1 hangs", ...by });
  };
  const lastEvent = async () =>
    (
      await world.rows<{ kind: string; actor: string | null; reason: string | null; detail: string }>(
        "SELECT kind, actor, reason, detail FROM gate_events ORDER BY id DESC LIMIT 1",
      )
    )[0];

  describe("a release by force", () => {
    it("gives the job of a worker that hangs back to the queue, with its attempt, and ends its token", async () => {
      await world.task(WEB, "A");
      const { id, lease } = await claimed();
      const { job, effect } = await force(id, { by: "ann" });
      expect(job).toMatchObject({ status: "queued", attempt: 0, lease: null, started_at: null });
      expect(effectNames(effect)).toEqual({ now_claimable: [["A", null]], now_held: [] });
      const event = await lastEvent();
      expect(event).toMatchObject({ kind: "job.released", actor: "ann", reason: "w-1 hangs" });
      expect(JSON.parse(event?.detail ?? "")).toEqual({ force: true, worker: "w-1" });
      const again = await claimed();
      expect(again).toMatchObject({ id, attempt: 1 });
      const late = { lease_token: lease.token };
      for (const call of [
        () => world.gate.heartbeat(null, id, late),
        () => world.gate.complete(null, id, late),
        () => world.gate.fail(null, id, { ...late, error: "late", retry: true }),
        () => world.gate.release(null, id, late),
      ])
        await expect(call()).rejects.toEqual(gateError("lease_lost"));
    });

    it.each([
      [0, 0],
      [2, 1],
    ])(
      "takes a job that another program left running in attempt %i, without a lease",
      async (attempts, left) => {
        const { job_id } = await world.task(WEB, "A");
        await world.sql(
          `UPDATE jobs SET status = 'running', attempts = ${attempts}, started_at = '2026-06-15 07:00:00'`,
        );
        world.clock.pass(86_400_000);
        expect(await world.claimAll()).toEqual([]);
        expect((await force(job_id)).job).toMatchObject({ status: "queued", attempt: left });
        expect(await world.claimAll()).toEqual(["A"]);
      },
    );

    it("cancels the job of a cancelled task", async () => {
      const { id: task } = await world.task(WEB, "A");
      const { id } = await claimed();
      await world.gate.cancelTask(null, { id: task });
      expect((await force(id)).job).toMatchObject({ status: "cancelled", lease: null });
      expect(await lastEvent()).toMatchObject({ kind: "job.cancelled", reason: "w-1 hangs" });
    });

    it("changes nothing in a dry run, and tells the effect", async () => {
      await world.task(WEB, "A");
      const { id, lease } = await claimed();
      const { job, effect } = await force(id, { dry_run: true });
      expect(job.status).toBe("queued");
      expect(effect.now_claimable).toHaveLength(1);
      expect((await world.gate.job(id, EVERYWHERE)).job.status).toBe("running");
      await world.gate.heartbeat(null, id, { lease_token: lease.token });
    });

    it.each(["queued", "delayed", "done", "failed", "cancelled"])(
      "refuses a job that is %s",
      async (status) => {
        const { job_id } = await world.task(WEB, "A");
        await world.sql(`UPDATE jobs SET status = '${status}', run_after = '2030-01-01 00:00:00'`);
        await expect(force(job_id)).rejects.toEqual(gateError("job_not_running"));
        expect((await world.gate.job(job_id, EVERYWHERE)).job.status).toBe(status);
      },
    );

    it("refuses a job that is not there", async () => {
      await expect(force(99)).rejects.toEqual(gateError("unknown_job"));
    });
  });
});
