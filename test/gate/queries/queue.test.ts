import { expect, it } from "vitest";
import { onEveryDatabase } from "../../support/databases.ts";
import { startWorld, World } from "../world.ts";
import { EVERYWHERE } from "../../../src/contract/names/repo-pattern.ts";

onEveryDatabase((open) => {
  it("shows configured projects that have no tasks", async () => {
    const world = await startWorld(open);
    const idle = new World(world.store, world.clock, {}, ["acme/idle"]);
    expect((await idle.gate.queue(undefined, EVERYWHERE)).serial_gate.per_repo["acme/idle"]).toEqual({
      active_task: null,
      running: [],
      waiting: [],
      paused: [],
      freezes: [],
      frozen: false,
      frozen_reason: null,
      frozen_at: null,
      stuck: [],
    });
    expect((await idle.gate.queue(["acme/other"], EVERYWHERE)).serial_gate.per_repo).toEqual({});
  });
});
