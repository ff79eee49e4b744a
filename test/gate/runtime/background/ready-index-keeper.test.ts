import { expect, it, onTestFinished } from "vitest";
import { onEveryDatabase } from "../../../support/databases.ts";
import { startWorld, WEB, type World } from "../../world.ts";

/** More than one step of the audit compares. */
const TASKS = 1_100;

onEveryDatabase((open) => {
  /** Another service over the same database, which starts after flags went wrong. */
  const restarted = (world: World): World => {
    const next = world.under({});
    onTestFinished(() => {
      next.gate.drain();
    });
    return next;
  };

  /** A lane whose head alone may start, and whose flags say the opposite. */
  const turned = async (): Promise<World> => {
    const world = await startWorld(open);
    const numbers = Array.from({ length: TASKS }, (_, index) => index + 1);
    const tasks = numbers.map((n) => `('${WEB}', 'W-${n}', 'analysis')`).join(", ");
    await world.sql(`INSERT INTO tasks(repo, work_item_id, stage) VALUES ${tasks}`);
    await world.sql(
      `INSERT INTO jobs(task_id, repo, agent, status) SELECT id, repo, 'analyst', 'queued' FROM tasks ORDER BY id`,
    );
    await world.sql("UPDATE jobs SET ready = 1 - ready");
    return world;
  };

  it("starts at once where the database kept the index, hands out nothing wrong, and repairs it beside its callers", async () => {
    const next = restarted(await turned());
    expect(await next.gate.adopt(true)).toBe(false);
    // One task of the lane may start, whatever the other flags propose; an idle worker gets it once its flag is repaired.
    const [early, waiting] = [next.claimAll(), next.claim({ wait_ms: 20_000, max: 100 })];
    await next.gate.isAudited;
    next.gate.drain();
    const claimed = [...(await early), ...(await waiting).jobs.map(({ work_item_id }) => work_item_id)];
    expect(claimed).toEqual(["W-1"]);
    expect(next.gate.audited.wrong).toBeGreaterThanOrEqual(TASKS);
    expect(next.logged).toContain("info: The audit of the ready index is over.");
  });

  it("has the whole index right before it starts where its triggers had to be made", async () => {
    const world = await turned();
    const next = restarted(world);
    const other = world.under({ strictLanes: false });
    await other.adopt();
    other.gate.drain();
    await world.sql("UPDATE jobs SET ready = 1 - ready");
    await next.adopt();
    expect(await next.claimAll()).toEqual(["W-1"]);
  });
});
