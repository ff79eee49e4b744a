import { expect, it } from "vitest";
import type { EventPage, EventQuery } from "../../../src/contract/events.ts";
import { onEveryDatabase } from "../../support/databases.ts";
import { API, startWorld, WEB, type World } from "../world.ts";
import { EVERYWHERE } from "../../../src/contract/names/repo-pattern.ts";

onEveryDatabase((open) => {
  const start = (): Promise<World> => startWorld(open);
  const read = ({ gate }: World, query: Partial<EventQuery> = {}): Promise<EventPage> =>
    gate.events({ limit: 100, ...query }, EVERYWHERE);
  const kinds = ({ events }: EventPage): string[] => events.map(({ kind }) => kind);

  it("returns an event with its kind, subject, time, actor and reason", async () => {
    const world = await start();
    const { id, job_id } = await world.task(WEB, "A");
    world.clock.pass(1_500);
    await world.gate.pause("ann", { work_item: "A" }, { reason: "waits for the customer" });
    const { events, next_cursor } = await read(world);
    const about = { repo: WEB, task_id: id, work_item_id: "A" };
    expect(events).toEqual([
      expect.objectContaining({ kind: "task.created", ...about, job_id: null, actor: null }),
      expect.objectContaining({ kind: "job.created", ...about, job_id, actor: null }),
      {
        id: 3,
        at: "2026-06-15T08:00:01.500Z",
        kind: "task.paused",
        ...about,
        job_id: null,
        actor: "ann",
        by_source: "token",
        reason: "waits for the customer",
        detail: { until: null },
      },
    ]);
    expect(next_cursor).toBe(3);
  });

  it("pages forward after the last event seen", async () => {
    const world = await start();
    for (const workItem of ["A", "B", "C"]) await world.task(WEB, workItem);
    const seen: number[] = [];
    for (let after = 0; ;) {
      const page = await read(world, { after, limit: 2 });
      if (page.events.length === 0) break;
      seen.push(...page.events.map(({ id }) => id));
      after = page.next_cursor;
    }
    expect(seen).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await read(world, { after: 6 })).toEqual({ events: [], next_cursor: 6 });
  });

  it("pages backward from the newest event", async () => {
    const world = await start();
    for (const workItem of ["A", "B", "C"]) await world.task(WEB, workItem);
    const ids = ({ events }: EventPage): number[] => events.map(({ id }) => id);
    const newest = await read(world, { last: 2 });
    expect(ids(newest)).toEqual([5, 6]);
    expect(newest.next_cursor).toBe(6);
    expect(ids(await read(world, { before: 5, limit: 3 }))).toEqual([2, 3, 4]);
    expect(ids(await read(world, { before: 2 }))).toEqual([1]);
    expect(await read(world, { before: 1 })).toEqual({ events: [], next_cursor: 1 });
    expect(await read(world, { last: 0 })).toEqual({ events: [], next_cursor: 6 });
  });

  it("filters by repository or work item and moves the cursor past the other events", async () => {
    const world = await start();
    await world.task(WEB, "A");
    await world.task(API, "A");
    await world.gate.freeze("ann", { repo: WEB }, {});
    await world.task(API, "B");
    expect(kinds(await read(world, { repo: WEB }))).toEqual(["task.created", "job.created", "repo.frozen"]);
    const ofA = await read(world, { work_item: "A" });
    expect(ofA.events.map(({ repo }) => repo)).toEqual([WEB, WEB, API, API]);
    expect(ofA.next_cursor).toBe(7);
    expect((await read(world, { work_item: "A", repo: API })).events.map(({ id }) => id)).toEqual([3, 4]);
    expect(await read(world, { repo: "acme/other" })).toEqual({ events: [], next_cursor: 7 });
  });

  it("refuses a query with more than one start", async () => {
    const world = await start();
    for (const query of [
      { after: 1, last: 2 },
      { before: 3, last: 2 },
      { after: 1, before: 3 },
    ])
      await expect(read(world, query)).rejects.toMatchObject({ name: "GateError", code: "invalid_request" });
  });
});
