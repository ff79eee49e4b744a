import { beforeEach, expect, it } from "vitest";
import { onEveryDatabase } from "../../support/databases.ts";
import { openWorld, reasonsIn, WEB, type World } from "../world.ts";
import { EVERYWHERE } from "../../../src/contract/names/repo-pattern.ts";

onEveryDatabase((open) => {
  let world: World;

  beforeEach(async () => {
    world = await openWorld(open);
  });

  it("records every change once, with its actor", async () => {
    await world.adopt();
    const { id, job_id } = await world.task(WEB, "A");
    const [job] = (await world.claim({ worker: "w-1" })).jobs;
    await world.gate.complete("ci", job_id, {
      lease_token: job?.lease.token ?? "",
      stage: "development",
      next: [{ agent: "developer" }],
    });
    await world.gate.cancelTask("ann", { id });
    await world.gate.freeze("ann", { repo: WEB }, { reason: "DEGRADED" });
    await world.gate.unfreeze("bob", { repo: WEB });
    const events = await world.rows(
      "SELECT kind, actor, task_id, job_id, reason FROM gate_events ORDER BY id",
    );
    expect(events).toEqual([
      { kind: "task.created", actor: null, task_id: id, job_id: null, reason: null },
      { kind: "job.created", actor: null, task_id: id, job_id, reason: null },
      { kind: "job.claimed", actor: null, task_id: id, job_id, reason: null },
      { kind: "job.completed", actor: "ci", task_id: id, job_id, reason: null },
      { kind: "task.stage", actor: "ci", task_id: id, job_id: null, reason: null },
      { kind: "job.created", actor: "ci", task_id: id, job_id: job_id + 1, reason: null },
      { kind: "task.cancelled", actor: "ann", task_id: id, job_id: null, reason: null },
      { kind: "job.cancelled", actor: "ann", task_id: id, job_id: job_id + 1, reason: null },
      { kind: "repo.frozen", actor: "ann", task_id: null, job_id: null, reason: "DEGRADED" },
      { kind: "repo.unfrozen", actor: "bob", task_id: null, job_id: null, reason: null },
    ]);
  });

  it("records each claim and completion of a group with the actor, the worker and the attempt of its own", async () => {
    await world.adopt();
    const actors = ["ann", null, "ben", "cat"];
    const repos = actors.map((_, index) => `acme/repo-${index}`);
    for (const repo of repos) await world.task(repo, `W-${repo}`);
    const claims = await Promise.all(
      actors.map((actor, index) =>
        world.gate.claim(actor, { max: 1, wait_ms: 0, ...(index === 3 ? {} : { worker: `w-${index}` }) }),
      ),
    );
    await Promise.all(
      claims.map(({ jobs: [job] }, index) =>
        world.gate.complete(actors[index] ?? null, job?.id ?? 0, {
          lease_token: job?.lease.token ?? "",
          stage: index === 0 ? "done" : "review",
        }),
      ),
    );
    const events = await world.rows<
      Record<"kind" | "actor" | "by_source" | "repo" | "detail", string | null>
    >(
      `SELECT kind, actor, by_source, repo, work_item_id, detail FROM gate_events
        WHERE kind IN ('job.claimed', 'job.completed', 'task.stage') ORDER BY id`,
    );
    const expected = actors.map((actor, index) => ({
      actor,
      by_source: actor === null ? null : "token",
      repo: repos[index],
      work_item_id: `W-acme/repo-${index}`,
    }));
    expect(events.filter(({ kind }) => kind === "job.claimed")).toEqual(
      expected.map((each, index) => ({
        kind: "job.claimed",
        ...each,
        detail: JSON.stringify({
          agent: "analyst",
          attempt: 1,
          worker: index === 3 ? null : `w-${index}`,
        }),
      })),
    );
    expect(events.filter(({ kind }) => kind !== "job.claimed")).toEqual(
      expected.flatMap((each, index) => [
        { kind: "job.completed", ...each, detail: null },
        {
          kind: "task.stage",
          ...each,
          detail: JSON.stringify({ from: "analysis", to: index === 0 ? "done" : "review" }),
        },
      ]),
    );
  });

  it("records the `by` of the request when there are no tokens", async () => {
    const { id } = await world.task(WEB, "A");
    const why = { by: "ann", reason: "at night" };
    await world.gate.pause(null, { work_item: "A" }, why);
    expect((await world.gate.task(id, EVERYWHERE)).task).toMatchObject({
      paused_by: "ann",
      pause_reason: "at night",
    });
    await world.gate.resume(null, { work_item: "A" }, why);
    await world.gate.freeze(null, { repo: WEB }, why);
    await world.gate.unfreeze(null, { repo: WEB }, why);
    await world.gate.cancelTask(null, { id }, why);
    expect(await world.operatorEvents()).toEqual(
      ["task.paused", "task.resumed", "repo.frozen", "repo.unfrozen", "task.cancelled"].map((kind) => ({
        kind,
        actor: "ann",
        reason: "at night",
      })),
    );
  });

  it("records the token's name and refuses another `by`", async () => {
    await world.task(WEB, "A");
    await expect(world.gate.pause("ci", { work_item: "A" }, { by: "ann" })).rejects.toMatchObject({
      code: "invalid_request",
    });
    await world.gate.pause("ci", { work_item: "A" }, { by: "ci" });
    expect(await world.operatorEvents()).toMatchObject([{ kind: "task.paused", actor: "ci" }]);
  });

  it("says of each event how its actor is known", async () => {
    const { id } = await world.task(WEB, "A");
    await world.gate.pause(null, { task_id: id }, { by: "ann" });
    await world.gate.resume("ci", { task_id: id }, { by: "ci" });
    await world.gate.pauseLane(null, { repo: WEB }, { by: "ann", until: "2026-06-15T08:10:00Z" });
    world.clock.pass(601_000);
    const { events } = await world.gate.events({ last: 4, limit: 100 }, EVERYWHERE);
    expect(events.map(({ kind, actor, by_source }) => [kind, actor, by_source])).toEqual([
      ["job.created", null, null],
      ["task.paused", "ann", "claimed"],
      ["task.resumed", "ci", "token"],
      ["task.paused", "ann", "claimed"],
    ]);
    await world.gate.queue(undefined, EVERYWHERE);
    expect((await world.gate.events({ last: 1, limit: 100 }, EVERYWHERE)).events).toMatchObject([
      { kind: "task.resumed", actor: "serial-gate", by_source: null },
    ]);
  });

  it("stores the operators of a freeze in its row", async () => {
    await world.gate.freeze("ann", { repo: WEB }, {});
    await world.gate.unfreeze("bob", { repo: WEB });
    expect(await world.rows("SELECT frozen_by, cleared_by FROM repo_freeze")).toEqual([
      { frozen_by: "ann", cleared_by: "bob" },
    ]);
  });

  it("records the gate as the actor when a pause ends by itself", async () => {
    await world.task(WEB, "A");
    await world.task(WEB, "B");
    await world.gate.pauseLane("ann", { repo: WEB }, { until: "2026-06-15T08:10:00Z" });
    world.clock.pass(601_000);
    expect(reasonsIn(await world.gate.queue(undefined, EVERYWHERE))).toEqual({ A: null, B: "active-task" });
    expect((await world.operatorEvents()).slice(2)).toEqual([
      { kind: "task.resumed", actor: "serial-gate", reason: "the pause ended" },
      { kind: "task.resumed", actor: "serial-gate", reason: "the pause ended" },
    ]);
  });
});
