import { beforeEach, expect, it } from "vitest";
import { onEveryDatabase } from "../../support/databases.ts";
import { API, startWorld, WEB, type World } from "../world.ts";

onEveryDatabase((open) => {
  let world: World;

  beforeEach(async () => {
    world = await startWorld(open);
  });

  it("hands out the oldest job first across repositories", async () => {
    await world.task(WEB, "A");
    await world.task(API, "B");
    await world.task("acme/ops", "C");
    const order: (string | null)[] = [];
    for (let each = 0; each < 4; each += 1)
      order.push(...(await world.claim()).jobs.map((job) => job.work_item_id));
    expect(order).toEqual(["A", "B", "C"]);
  });

  it("hands out only jobs of the requested agents and repositories", async () => {
    await world.task(WEB, "A");
    await world.task(API, "B");
    await world.gate.createJob(null, { repo: API, work_item_id: "B", agent: "monitor" });
    expect((await world.claim({ agents: ["monitor"], repos: [WEB] })).jobs).toEqual([]);
    expect((await world.claim({ agents: ["monitor"] })).jobs[0]?.agent).toBe("monitor");
    expect((await world.claim({ repos: [API] })).jobs[0]?.work_item_id).toBe("B");
  });

  it("hands out a payload of any size as it was sent, beside jobs without one", async () => {
    const large = { text: "x".repeat(20_000) };
    for (const [repo, payload] of [
      [WEB, large],
      [API, undefined],
      ["acme/ops", { text: "small" }],
    ] as const)
      await world.task(repo, `T-${repo}`, { entry_job: payload ? { payload } : true });
    const { jobs } = await world.claim({ max: 3 });
    expect(jobs.map(({ payload }) => payload)).toEqual([large, null, { text: "small" }]);
  });

  it("never hands out a job twice to concurrent claims", async () => {
    for (let each = 0; each < 20; each += 1) await world.task(`acme/r${each}`, `T-${each}`);
    const claims = await Promise.all(Array.from({ length: 40 }, () => world.claim()));
    const ids = claims.flatMap(({ jobs }) => jobs.map(({ id }) => id));
    expect(new Set(ids).size).toBe(ids.length);
    // A claim that met a lane in others' hands passed over it; the next one finds it.
    const rest = (await world.claim({ max: 100 })).jobs.length;
    expect(ids.length + rest).toBe(20);
  });

  it("starts one task of a lane under concurrent claims", async () => {
    for (let each = 0; each < 10; each += 1) await world.task(WEB, `T-${each}`);
    const claims = await Promise.all(Array.from({ length: 20 }, () => world.claim({ max: 5 })));
    const started = claims.flatMap(({ jobs }) => jobs.map((job) => job.work_item_id));
    expect([...started, ...(await world.claimAll())]).toEqual(["T-0"]);
  });
});
