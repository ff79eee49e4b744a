import { beforeEach, expect, it } from "vitest";
import type { Policy } from "../../../src/gate/rule/policy.ts";
import { onEveryDatabase } from "../../support/databases.ts";
import { API, startWorld, WEB, type World } from "../world.ts";

onEveryDatabase((open) => {
  let world: World;

  beforeEach(async () => {
    world = await startWorld(open);
  });

  /** WEB-7 is ahead of WEB-9; WEB-8 depends on API-1; the repository API is frozen. */
  const prepare = async (): Promise<void> => {
    await world.task(API, "API-1");
    await world.task(WEB, "WEB-7");
    await world.task("acme/ops", "OPS-8", { depends_on: ["API-1"] });
    await world.task(WEB, "WEB-9");
    await world.gate.pause(null, { work_item: "WEB-7" }, {});
    await world.gate.freeze(null, { repo: API }, {});
  };
  const all = { "API-1": "freeze", "WEB-7": null, "OPS-8": "dependency", "WEB-9": null };

  it.each<[string, Partial<Policy>, Record<string, string | null>]>([
    ["all on", {}, all],
    ["the gate off, so that only dependencies hold", { enabled: false }, { ...all, "API-1": null }],
    ["the freeze off", { freeze: false }, { ...all, "API-1": null }],
    [
      "the pause off, so that a paused task holds its lane",
      { pause: false },
      { ...all, "WEB-9": "active-task" },
    ],
    ["the dependencies off", { dependencies: false }, { ...all, "OPS-8": null }],
    ["a scope without the frozen repository", { repos: [WEB] }, { ...all, "API-1": null }],
    ["a scope without the lane, pause off", { repos: [API], pause: false }, all],
    ["another entry agent, so that no job waits", { entryAgent: "planner" }, {}],
  ])("applies the switches: %s", async (_, policy, reasons) => {
    await prepare();
    const other = world.under(policy);
    expect(await other.reasons()).toEqual(reasons);
    const claimable = Object.keys(reasons).filter((workItem) => reasons[workItem] === null);
    const claimed = await other.claimAll();
    if (policy.entryAgent === undefined) expect(claimed.sort()).toEqual(claimable.sort());
    else expect(claimed).toHaveLength(4);
    other.gate.drain();
  });
});
