import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, expect, it } from "vitest";
import type { ClaimedJob } from "../../../src/contract/jobs.ts";
import { onEveryDatabase } from "../../support/databases.ts";
import { API, startWorld, WEB, type World } from "../world.ts";
import { EVERYWHERE } from "../../../src/contract/names/repo-pattern.ts";

onEveryDatabase((open) => {
  let world: World;

  beforeEach(async () => {
    world = await startWorld(open);
  });

  const hide = (table: string): Promise<void> => world.sql(`ALTER TABLE ${table} RENAME TO ${table}_gone`);
  const restore = (table: string): Promise<void> => world.sql(`ALTER TABLE ${table}_gone RENAME TO ${table}`);

  beforeEach(async () => {
    await world.task(WEB, "A");
    await world.task(WEB, "B");
    await world.task(API, "C", { depends_on: ["A"] });
    await world.gate.createJob(null, { repo: WEB, work_item_id: "B", agent: "developer" });
  });

  /** Claims until so many jobs came. The first failure begins a probe of readiness, which may hold a lane for a moment, and
   *  a claim passes over a lane that is held. */
  const claimUntil = async (many: number) => {
    const jobs: ClaimedJob[] = [];
    let isDegraded = true;
    for (let left = 100; left > 0 && jobs.length < many; left -= 1) {
      const claimed = await world.claim({ max: many - jobs.length });
      jobs.push(...claimed.jobs);
      isDegraded &&= claimed.degraded;
      if (claimed.jobs.length === 0) await sleep(20);
    }
    return { jobs: jobs.sort((a, b) => a.id - b.id), degraded: isDegraded };
  };

  /** Claims so many, and looks that there are no more. */
  const claimAllOf = async (many: number) => {
    const { jobs, degraded } = await claimUntil(many);
    const more = await world.claim({ max: 100 });
    return { jobs: [...jobs, ...more.jobs], degraded: degraded && more.degraded };
  };

  it("holds every entry job and shows every repository as frozen when the freezes cannot be read", async () => {
    await hide("repo_freeze");
    const { jobs, degraded } = await claimAllOf(1);
    expect(jobs.map((job) => job.agent)).toEqual(["developer"]);
    expect(degraded).toBe(true);
    const queue = await world.gate.queue(undefined, EVERYWHERE);
    expect(queue.degraded).toBe(true);
    expect(Object.values(queue.serial_gate.per_repo).map((lane) => lane.frozen)).toEqual([true, true]);
    expect(await world.reasons()).toEqual({ A: "freeze", B: "freeze", C: "freeze" });
    expect(world.logged.filter((line) => line.startsWith("error: The gate is degraded"))).toHaveLength(1);

    await restore("repo_freeze");
    expect(await world.claimAll()).toEqual(["A"]);
    expect(world.logged.at(-1)).toContain("info: The gate reads all of its database again");
  });

  it("ignores unreadable freezes while their layer is off", async () => {
    await hide("repo_freeze");
    const off = world.under({ freeze: false });
    expect(await off.claim()).toMatchObject({ jobs: [{ work_item_id: "A" }], degraded: false });
    off.gate.drain();
  });

  it("starts the oldest queued job and keeps dependents waiting when the tasks cannot be read", async () => {
    await hide("tasks");
    const first = await claimUntil(1);
    expect(first).toMatchObject({ jobs: [{ id: 1, work_item_id: null, stage: null }], degraded: true });
    const rest = await claimAllOf(2);
    expect(rest.jobs.map(({ id }) => id)).toEqual([2, 4]);
    const queue = await world.gate.queue(undefined, EVERYWHERE);
    expect(queue).toMatchObject({ degraded: true, jobs: { running: 3, queued: 1 } });
    expect(queue.serial_gate.per_repo[API]?.waiting).toEqual([
      expect.objectContaining({ job_id: 3, reason: "dependency" }),
    ]);
    await restore("tasks");
    expect((await world.gate.queue(undefined, EVERYWHERE)).degraded).toBe(false);
  });

  it("keeps claiming when the tasks table was dropped", async () => {
    await world.sql("DROP TABLE tasks");
    const { jobs, degraded } = await claimAllOf(3);
    expect(jobs.map(({ id }) => id)).toEqual([1, 2, 4]);
    expect(degraded).toBe(true);
  });

  it("keeps a frozen repository closed when the tasks cannot be read", async () => {
    await world.gate.freeze(null, { repo: WEB }, {});
    await hide("tasks");
    const { jobs } = await claimAllOf(1);
    expect(jobs.map((job) => job.agent)).toEqual(["developer"]);
  });

  it("relaxes only the lane when the pause column cannot be read", async () => {
    await world.sql("ALTER TABLE tasks RENAME COLUMN paused_at TO paused_at_gone");
    const { jobs, degraded } = await claimAllOf(3);
    expect(jobs.map((job) => job.work_item_id)).toEqual(["A", "B", "B"]);
    expect(degraded).toBe(true);
    expect(await world.reasons()).toEqual({ C: "dependency" });
  });

  it("holds every entry job with a possible dependency when the dependencies cannot be read", async () => {
    await hide("job_deps");
    const { jobs, degraded } = await claimAllOf(1);
    expect(jobs.map((job) => job.agent)).toEqual(["developer"]);
    expect(degraded).toBe(true);
  });

  it("starts only jobs of other agents when tasks and freezes cannot be read", async () => {
    await hide("tasks");
    await hide("repo_freeze");
    const { jobs, degraded } = await claimAllOf(1);
    expect(jobs.map((job) => job.agent)).toEqual(["developer"]);
    expect(degraded).toBe(true);
  });

  it("fails as unreadable when the jobs cannot be read, and serves them once they are restored", async () => {
    await hide("jobs");
    await expect(world.claim()).rejects.toMatchObject({ name: "StoreFault", kind: "unreadable" });
    await expect(world.gate.queue(undefined, EVERYWHERE)).rejects.toMatchObject({
      name: "StoreFault",
      kind: "unreadable",
    });
    await restore("jobs");
    expect(await world.claimAll()).toContain("A");
  });
});
