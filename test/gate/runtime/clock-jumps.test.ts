import { beforeEach, describe, expect, it } from "vitest";
import { onEveryDatabase } from "../../support/databases.ts";
import { gateError, startWorld, WEB, type World } from "../world.ts";
import { EVERYWHERE } from "../../../src/contract/names/repo-pattern.ts";

const HOUR_MS = 3_600_000;
const LEASE_MS = 60_000;

onEveryDatabase((open) => {
  let world: World;
  let job: number;
  let token: string;

  beforeEach(async () => {
    world = await startWorld(open);
    await world.task(WEB, "A");
    const [claimed] = (await world.claim({ worker: "w1", lease_ms: LEASE_MS })).jobs;
    job = claimed?.id ?? NaN;
    token = claimed?.lease.token ?? "";
    await world.gate.queue(undefined, EVERYWHERE);
  });

  const renew = (): Promise<unknown> => world.gate.heartbeat(null, job, { lease_token: token });
  const warnings = (): string[] => world.logged.filter((line) => line.includes("The clock jumped"));

  describe.each([
    ["forward", HOUR_MS],
    ["back", -HOUR_MS],
    ["a year forward", 24 * 365 * HOUR_MS],
  ])("after the clock jumped %s", (_, jump) => {
    it("gives nothing away beside a worker that renews its lease, and says so once", async () => {
      world.clock.jump(jump);
      for (let beat = 0; beat < 6; beat += 1) {
        expect(await world.claimAll()).toEqual([]);
        await renew();
        world.clock.pass(LEASE_MS / 2);
      }
      expect(warnings()).toHaveLength(1);
      expect(warnings()[0]).toContain(`${Math.abs(jump) / 1_000} s ${jump > 0 ? "forward" : "back"}`);
      await world.gate.complete(null, job, { lease_token: token });
    });

    it("renews a lease before anything else has seen the jump", async () => {
      world.clock.jump(jump);
      await renew();
      expect(await world.claimAll()).toEqual([]);
      await world.gate.complete(null, job, { lease_token: token });
    });

    it("gives the job of a worker that is gone away after the length of its lease", async () => {
      world.clock.jump(jump);
      expect(await world.claimAll()).toEqual([]);
      world.clock.pass(LEASE_MS - 1);
      expect(await world.claimAll()).toEqual([]);
      world.clock.pass(1_001);
      expect((await world.claim()).jobs).toMatchObject([{ id: job, attempt: 2 }]);
      await expect(renew()).rejects.toEqual(gateError("lease_lost"));
    });

    it("keeps the leases when the clock is set right again", async () => {
      world.clock.jump(jump);
      await world.gate.queue(undefined, EVERYWHERE);
      await renew();
      world.clock.pass(LEASE_MS / 2);
      world.clock.jump(-jump);
      expect(await world.claimAll()).toEqual([]);
      await renew();
      world.clock.pass(LEASE_MS / 2);
      expect(await world.claimAll()).toEqual([]);
      await renew();
      world.clock.pass(LEASE_MS + 1_001);
      expect((await world.claim()).jobs).toMatchObject([{ id: job, attempt: 2 }]);
    });

    it("ends a lease that it gave after the jump in its time", async () => {
      world.clock.jump(jump);
      await world.gate.createJob(null, { repo: WEB, work_item_id: "A", agent: "developer" });
      const [later] = (await world.claim({ agents: ["developer"], lease_ms: 2_000 })).jobs;
      await renew();
      world.clock.pass(2_000);
      expect((await world.claim({ agents: ["developer"] })).jobs).toMatchObject([
        { id: later?.id, attempt: 2 },
      ]);
    });
  });

  it("takes a correction of a few seconds for none", async () => {
    world.clock.jump(4_000);
    world.clock.pass(LEASE_MS - 4_000);
    expect((await world.claim()).jobs).toMatchObject([{ id: job, attempt: 2 }]);
    expect(warnings()).toEqual([]);
  });

  it("shortens the leases that were given before a jump back and a restart", async () => {
    world.clock.jump(-HOUR_MS);
    const restarted = world.under({});
    await restarted.adopt();
    expect(await restarted.claimAll()).toEqual([]);
    world.clock.pass(LEASE_MS + 1_001);
    expect((await restarted.claim()).jobs).toMatchObject([{ id: job, attempt: 2 }]);
    restarted.gate.drain();
  });
});
