import { beforeEach, expect, it } from "vitest";
import { onEveryDatabase } from "../../support/databases.ts";
import { API, startWorld, WEB, type World } from "../world.ts";

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

  it("to the freezes closes the gate: no entry job starts, every repository shows as frozen", async () => {
    await hide("repo_freeze");
    const { jobs, degraded } = await world.claim({ max: 100 });
    expect(jobs.map((job) => job.agent)).toEqual(["developer"]);
    expect(degraded).toBe(true);
    const queue = await world.gate.queue();
    expect(queue.degraded).toBe(true);
    expect(Object.values(queue.serial_gate.per_repo).map((lane) => lane.frozen)).toEqual([true, true]);
    expect(await world.reasons()).toEqual({ A: "freeze", B: "freeze", C: "freeze" });
    expect(world.logged.filter((line) => line.startsWith("error: The gate is degraded"))).toHaveLength(1);

    await restore("repo_freeze");
    expect(await world.claimAll()).toEqual(["A"]);
    expect(world.logged.at(-1)).toContain("info: The gate reads all of its database again");
  });

  it("to the freezes means nothing while their layer is off", async () => {
    await hide("repo_freeze");
    const off = world.under({ freeze: false });
    expect(await off.claim()).toMatchObject({ jobs: [{ work_item_id: "A" }], degraded: false });
    off.gate.drain();
  });

  it("to the tasks opens the gate: the oldest queued job starts, dependents stay", async () => {
    await hide("tasks");
    const first = await world.claim();
    expect(first).toMatchObject({ jobs: [{ id: 1, work_item_id: null, stage: null }], degraded: true });
    const rest = await world.claim({ max: 100 });
    expect(rest.jobs.map(({ id }) => id)).toEqual([2, 4]);
    const queue = await world.gate.queue();
    expect(queue).toMatchObject({ degraded: true, jobs: { running: 3, queued: 1 } });
    expect(queue.serial_gate.per_repo[API]?.waiting).toEqual([
      expect.objectContaining({ job_id: 3, reason: "dependency" }),
    ]);
    await restore("tasks");
    expect((await world.gate.queue()).degraded).toBe(false);
  });

  it("to the tasks, dropped for good, does not stop the claim", async () => {
    await world.sql("DROP TABLE tasks");
    const { jobs, degraded } = await world.claim({ max: 100 });
    expect(jobs.map(({ id }) => id)).toEqual([1, 2, 4]);
    expect(degraded).toBe(true);
  });

  it("to the tasks does not open a frozen repository", async () => {
    await world.gate.freeze(null, WEB, {});
    await hide("tasks");
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
    await hide("job_deps");
    const { jobs, degraded } = await world.claim({ max: 100 });
    expect(jobs.map((job) => job.agent)).toEqual(["developer"]);
    expect(degraded).toBe(true);
  });

  it("to the tasks and the freezes lets only jobs through that no gate holds", async () => {
    await hide("tasks");
    await hide("repo_freeze");
    const { jobs, degraded } = await world.claim({ max: 100 });
    expect(jobs.map((job) => job.agent)).toEqual(["developer"]);
    expect(degraded).toBe(true);
  });

  it("to the jobs is a fault that says so, and nothing is lost when it is mended", async () => {
    await hide("jobs");
    await expect(world.claim()).rejects.toMatchObject({ name: "StoreFault", kind: "unreadable" });
    await expect(world.gate.queue()).rejects.toMatchObject({ name: "StoreFault", kind: "unreadable" });
    await restore("jobs");
    expect(await world.claimAll()).toContain("A");
  });
});
