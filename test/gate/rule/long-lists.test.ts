import { expect, it } from "vitest";
import { all } from "../../../src/store/port.ts";
import { list, raw, sql } from "../../../src/store/sql.ts";
import { onEveryDatabase } from "../../support/databases.ts";
import { API, openWorld, startWorld, WEB } from "../world.ts";
import { EVERYWHERE } from "../../../src/contract/names/repo-pattern.ts";

/** More than either database takes in one statement, value by value. */
const MANY = 70_000;

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `acme/r-${index}`);

onEveryDatabase((open) => {
  it.each([1, 100, 101, MANY])("finds what a list of %i names and ids names", async (count) => {
    const world = await openWorld(open);
    const { id } = await world.task(WEB, "A");
    await world.task(API, "B");
    const repos = [...names(count - 1), WEB];
    const ids = [...Array.from({ length: count - 1 }, (_, index) => index + 1_000), id];
    const found = await world.store.read(() =>
      all(sql`SELECT work_item_id FROM tasks WHERE repo IN ${list(repos)} AND id IN ${list(ids)}`),
    );
    expect(found).toEqual([{ work_item_id: "A" }]);
  });

  it("answers a claim and a queue of a thousand repositories as of one, and is not degraded", async () => {
    const world = await startWorld(open);
    await world.task(WEB, "A");
    await world.task(API, "B");
    const repos = [...names(999), WEB];
    const agents = Array.from({ length: 9 }, (_, index) => `agent-${index}`);
    const queue = await world.gate.queue(repos, EVERYWHERE);
    expect(queue).toMatchObject({ degraded: false });
    expect(Object.keys(queue.serial_gate.per_repo)).toContain(WEB);
    const claim = await world.claim({ repos, agents: [...agents, "analyst"], max: 100 });
    expect(claim).toMatchObject({ degraded: false, jobs: [{ work_item_id: "A" }] });
  });

  it("keeps its index under a scope of many repositories", async () => {
    const world = await openWorld(open);
    const scoped = world.under({ repos: [...names(2_000), WEB] });
    await scoped.adopt();
    await scoped.task(WEB, "A");
    await scoped.task(WEB, "B");
    await scoped.task(API, "C");
    await scoped.task(API, "D");
    expect(await scoped.reasons()).toEqual({ A: null, B: "active-task", C: null, D: null });
    expect(await scoped.claimAll()).toEqual(["A", "C", "D"]);
    expect((await scoped.gate.audit()).wrong).toBe(0);
    scoped.gate.drain();
  });

  it.each([
    ["a syntax error", "SELEC nothing"],
    ["an ambiguous column", "SELECT id FROM tasks a, tasks b"],
  ])("takes %s for a mistake in the statement, not for damage", async (_, text) => {
    const world = await openWorld(open);
    await expect(world.store.read(() => all(raw(text)))).rejects.toMatchObject({
      name: "StoreFault",
      kind: "invalid",
    });
  });

  it.each([
    ["table", "SELECT * FROM nowhere"],
    ["column", "SELECT lost FROM tasks"],
  ])("takes a %s that is missing for damage", async (_, text) => {
    const world = await openWorld(open);
    await expect(world.store.read(() => all(raw(text)))).rejects.toMatchObject({
      name: "StoreFault",
      kind: "unreadable",
    });
  });

  it(
    "gives the same answer for more jobs than a statement may name, and is not degraded by it",
    { timeout: 240_000 },
    async () => {
      const world = await openWorld(open);
      const many = 33_000; // SQLite takes 32,766 values a statement.
      for (let from = 1; from <= many; from += 3_000) {
        const numbers = `WITH RECURSIVE n(i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM n WHERE i < ${from + 2_999}) SELECT`;
        await world.sql(
          `INSERT INTO tasks(repo, work_item_id, stage) ${numbers} '${WEB}', 'T-' || i, 'analysis' FROM n`,
        );
        await world.sql(`INSERT INTO jobs(task_id, repo, agent, status)
        SELECT id, repo, 'analyst', 'queued' FROM tasks WHERE id >= ${from} ORDER BY id`);
      }
      await world.adopt();
      const paused = await world.gate.pauseLane(null, { repo: WEB }, {});
      expect(paused.changed).toBe(many);
      const ready = async () => (await world.rows("SELECT id FROM jobs WHERE ready = 1")).length;
      expect(await ready()).toBe(many);
      const frozen = await world.gate.freeze(null, { repo: WEB }, {});
      expect(frozen.effect.now_held).toHaveLength(1_000);
      expect(frozen.effect.cut).toBe(true);
      expect(await ready()).toBe(0);
      expect(await world.gate.unfreeze(null, { repo: WEB })).toMatchObject({ cleared: 1, frozen: false });
      expect(await ready()).toBe(many);
      const resumed = await world.gate.resumeLane(null, { repo: WEB });
      // Of a long repository the first ones are listed: the first stays ready.
      expect(resumed).toMatchObject({ changed: many, cut: true });
      expect(resumed.effect.now_held).toHaveLength(999);
      expect(world.logged.filter((line) => line.includes("degraded"))).toEqual([]);
    },
  );
});
