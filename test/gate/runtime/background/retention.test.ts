import { expect, it } from "vitest";
import { forgetAnswer, KEPT_MS, type Call } from "../../../../src/gate/commands/idempotency.ts";
import { LeaseClock } from "../../../../src/gate/lease-clock.ts";
import { pruneEvents, Retention } from "../../../../src/gate/runtime/background/retention.ts";
import { onEveryDatabase } from "../../../support/databases.ts";
import { startWorld, type World } from "../../world.ts";
import { EVERYWHERE } from "../../../../src/contract/names/repo-pattern.ts";

const DAY_MS = 86_400_000;
const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

const callUnder = (key: string, replayed = (): void => undefined): Call => ({
  actor: "ann",
  key,
  fingerprint: "the same",
  replayed,
});

const retaining = (world: World, eventsDays: number): Retention =>
  new Retention({
    store: world.store,
    log: SILENT,
    clock: world.clock.read,
    leaseClock: new LeaseClock(world.clock.readMonotonic, () => undefined),
    eventsDays,
  });

onEveryDatabase((open) => {
  const start = (): Promise<World> => startWorld(open);
  const eventIds = async (world: World): Promise<number[]> =>
    (await world.gate.events({ limit: 100 }, EVERYWHERE)).events.map(({ id }) => id);
  const keys = (world: World) =>
    world.rows<{ idempotency_key: string }>("SELECT idempotency_key FROM gate_idempotency ORDER BY at");

  it("deletes events by age, oldest first, one batch at a time", async () => {
    const world = await start();
    const { id } = await world.task("acme/web", "A");
    await world.gate.cancelTask(null, { id });
    world.clock.pass(2 * DAY_MS);
    await world.task("acme/web", "B");
    expect(await eventIds(world)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await world.store.write(() => pruneEvents(DAY_MS, 3))).toBe(3);
    expect(await eventIds(world)).toEqual([4, 5, 6]);
    expect(await world.store.write(() => pruneEvents(DAY_MS, 3))).toBe(1);
    expect(await world.store.write(() => pruneEvents(DAY_MS, 3))).toBe(0);
    expect(await eventIds(world)).toEqual([5, 6]);
    // A reader that has not seen event 4 is told; one that has seen it misses nothing.
    await expect(world.gate.events({ after: 3, limit: 100 }, EVERYWHERE)).rejects.toMatchObject({
      code: "cursor_unknown",
      context: { more: { oldest: 5, newest: 6 } },
    });
    for (const after of [0, 4])
      expect((await world.gate.events({ after, limit: 100 }, EVERYWHERE)).events.map(({ id }) => id)).toEqual(
        [5, 6],
      );
    world.clock.pass(2 * DAY_MS);
    await world.store.write(() => pruneEvents(DAY_MS, 3));
    expect(await world.gate.events({ after: 6, limit: 100 }, EVERYWHERE)).toEqual({
      events: [],
      next_cursor: 6,
    });
    await expect(world.gate.events({ after: 7, limit: 100 }, EVERYWHERE)).rejects.toMatchObject({
      code: "cursor_unknown",
      context: { more: { oldest: null } },
    });
  });

  it("deletes batch after batch until nothing is old, lets others write in between, and looks again after a minute", async () => {
    const world = await start();
    const retention = retaining(world, 1);
    const at = "2026-06-01 08:00:00.000";
    const values = Array.from({ length: 5_200 }, () => `('${at}', 'task.stage')`).join(", ");
    await world.sql(`INSERT INTO gate_events(at, kind) VALUES ${values}`);
    const left = async (): Promise<number> =>
      (await world.rows<{ many: number }>("SELECT COUNT(*) AS many FROM gate_events"))[0]?.many ?? NaN;
    const tending = retention.tend();
    await world.sql("INSERT INTO repo_freeze(repo, frozen_at) VALUES ('acme/other', '2026-06-15 08:00:00')");
    expect(await left()).toBeGreaterThan(0);
    await tending;
    // The freeze's own event is young.
    expect(await left()).toBe(1);
    await world.sql("DELETE FROM gate_events");
    await world.sql(`INSERT INTO gate_events(at, kind) VALUES ('${at}', 'task.stage')`);
    await retention.tend();
    expect(await left()).toBe(1);
    world.clock.pass(60_000);
    await retention.tend();
    expect(await left()).toBe(0);
  });

  it("keeps events for ever when 0 days are set", async () => {
    const world = await start();
    await world.task("acme/web", "A");
    world.clock.pass(36_500 * DAY_MS);
    await retaining(world, 0).tend();
    expect(await eventIds(world)).toHaveLength(2);
  });

  it("keeps an idempotent answer for a day and deletes it afterwards", async () => {
    const world = await start();
    const retention = retaining(world, 0);
    await world.gate.freeze(callUnder("one"), { repo: "acme/web" }, {});
    world.clock.pass(KEPT_MS - 60_000);
    await world.gate.freeze(callUnder("two"), { repo: "acme/web" }, {});
    await retention.tend();
    let replays = 0;
    await world.gate.freeze(
      callUnder("one", () => (replays += 1)),
      { repo: "acme/web" },
      {},
    );
    expect(replays).toBe(1);
    world.clock.pass(120_000);
    await retention.tend();
    expect(await keys(world)).toEqual([{ idempotency_key: "two" }]);
    const { freeze_id } = await world.gate.freeze(callUnder("one"), { repo: "acme/web" }, {});
    expect(freeze_id).toBe(3);
  });

  it("deletes an answer that no one repeated, and keeps one that was replayed", async () => {
    const world = await start();
    await world.gate.freeze(callUnder("one"), { repo: "acme/web" }, {});
    await world.gate.freeze(callUnder("two"), { repo: "acme/web" }, {});
    await world.gate.freeze(callUnder("two"), { repo: "acme/web" }, {});
    expect(await world.store.write(() => forgetAnswer(callUnder("one")))).toBe(true);
    expect(await world.store.write(() => forgetAnswer(callUnder("two")))).toBe(false);
    expect(await world.store.write(() => forgetAnswer(null))).toBe(true);
    expect(await keys(world)).toEqual([{ idempotency_key: "two" }]);
  });
});
