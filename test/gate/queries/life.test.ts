import { describe, expect, it } from "vitest";
import type { EventPage, EventQuery } from "../../../src/contract/events.ts";
import { openTestSqlite } from "../../support/databases.ts";
import { openTestPostgres } from "../../support/postgres.ts";
import { startWorld, type World } from "../world.ts";
import { EVERYWHERE } from "../../../src/contract/names/repo-pattern.ts";

const WEB = "acme/web";
const API = "acme/api";

const DATABASES = [
  ["sqlite", openTestSqlite],
  ["postgres", openTestPostgres],
] as const;

/** The events of a life as `kind work item`, or `kind repository` for a freeze of no work item. */
const told = ({ events }: EventPage): string[] =>
  events.map(({ kind, work_item_id, repo }) => `${kind} ${work_item_id ?? repo ?? "?"}`);

describe.each(DATABASES)("the life of a work item on %s", (_, open) => {
  const life = (world: World, about: string, more: Partial<EventQuery> = {}): Promise<EventPage> =>
    world.gate.events({ limit: 100, about, ...more }, EVERYWHERE);

  const start = async (): Promise<World> => {
    const world = await startWorld(open);
    await world.gate.freeze("ann", { repo: API }, { reason: "before anything" });
    await world.gate.unfreeze("ann", { repo: API });
    const api = await world.task(API, "API-1");
    await world.task(WEB, "WEB-1");
    await world.task(WEB, "WEB-2", { depends_on: [{ repo: API, work_item_id: "API-1" }] });
    await world.task(WEB, "WEB-3");
    await world.task("acme/other", "OTHER-1");
    await world.gate.pause("ann", { work_item: "WEB-1" }, {});
    await world.gate.pause("ann", { work_item: "WEB-3" }, {});
    await world.gate.freeze("bob", { repo: API }, {});
    await world.gate.freeze("bob", { repo: "acme/other" }, {});
    await world.gate.setStage("bob", { id: api.id }, { stage: "done" });
    await world.claim({ repos: [WEB] });
    await world.gate.resume("ann", { work_item: "WEB-1" });
    return world;
  };

  it("is its own events, its dependencies', the pauses of earlier tasks and the freezes, since its creation", async () => {
    const world = await start();
    expect(told(await life(world, "WEB-2"))).toEqual([
      "task.created WEB-2",
      "job.created WEB-2",
      "task.paused WEB-1",
      `repo.frozen ${API}`,
      "task.stage API-1",
      "task.resumed WEB-1",
    ]);
    expect(told(await life(world, "WEB-1"))).toEqual([
      "task.created WEB-1",
      "job.created WEB-1",
      "task.paused WEB-1",
      "job.claimed WEB-1",
      "task.resumed WEB-1",
    ]);
  });

  it("begins at the first event kept when the creation of its task is not among them", async () => {
    const world = await start();
    await world.sql("DELETE FROM gate_events WHERE kind = 'task.created'");
    expect(told(await life(world, "API-1"))).toEqual([
      `repo.frozen ${API}`,
      `repo.unfrozen ${API}`,
      "job.created API-1",
      `repo.frozen ${API}`,
      "task.stage API-1",
      "job.cancelled API-1",
    ]);
  });

  it("is read page by page", async () => {
    const world = await start();
    const whole = (await life(world, "WEB-2")).events;
    const first = await life(world, "WEB-2", { limit: 4 });
    const rest = await life(world, "WEB-2", { limit: 4, after: first.next_cursor });
    expect([...first.events, ...rest.events]).toEqual(whole);
    expect((await life(world, "WEB-2", { last: 2 })).events).toEqual(whole.slice(-2));
  });

  it("is refused for a work item that no task has, that several repositories have, or beside work_item", async () => {
    const world = await start();
    await world.task(API, "WEB-1");
    await expect(life(world, "NONE")).rejects.toMatchObject({ code: "unknown_work_item" });
    await expect(life(world, "WEB-1")).rejects.toMatchObject({ code: "ambiguous_work_item" });
    expect(told(await life(world, "WEB-1", { repo: API }))).toContain("task.created WEB-1");
    await expect(life(world, "WEB-2", { work_item: "WEB-2" })).rejects.toMatchObject({
      code: "invalid_request",
    });
  });
});
