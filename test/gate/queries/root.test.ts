import { expect, it } from "vitest";
import type { Explanation } from "../../../src/contract/explanation.ts";
import { onEveryDatabase } from "../../support/databases.ts";
import { API, openWorld, WEB } from "../world.ts";
import { EVERYWHERE } from "../../../src/contract/names/repo-pattern.ts";

onEveryDatabase((open) => {
  const world = () => openWorld(open);

  it("advises to end two freezes together, and says what workers can claim then", async () => {
    const { gate, task } = await world().then((here) => ({ gate: here.gate, task: here.task.bind(here) }));
    await task(WEB, "WEB-1");
    await task(WEB, "WEB-2");
    await gate.freeze("ann", { repo: WEB }, { reason: "error rate 4.1 %" });
    await gate.freeze("bob", { repo: WEB }, { reason: "latency" });
    const { root, stuck } = await gate.explain({ work_item: "WEB-2" }, EVERYWHERE);
    expect(stuck).toBe(false);
    expect(root.headline).toBe("WEB-2 in acme/web waits for an unfreeze (freeze) and WEB-1 (active-task).");
    expect(root.causes.map(({ by, ended_by }) => [by, ended_by])).toEqual([
      ["ann", "call"],
      ["bob", "call"],
    ]);
    expect(root.fix).toMatchObject({
      commands: ["serial-gate unfreeze --id 1 acme/web", "serial-gate unfreeze --id 2 acme/web"],
      then: "Then workers can claim job 1 of WEB-1 in acme/web; WEB-2 still waits for WEB-1 (active-task).",
    });
  });

  it("names tasks that a work item does not name by their ids", async () => {
    const here = await world();
    await here.sql("INSERT INTO tasks(repo, work_item_id, stage) VALUES ('acme/web', NULL, 'analysis')");
    await here.task(WEB, "WEB-1");
    await here.sql(
      "INSERT INTO tasks(repo, work_item_id, stage) VALUES ('acme/api', 'API-1', 'analysis'), ('acme/api', 'API-1', 'analysis')",
    );
    await here.task(API, "API-2");
    const commands = async (work_item: string): Promise<readonly string[] | undefined> =>
      (await here.gate.explain({ work_item }, EVERYWHERE)).root.fix?.commands;
    expect((await commands("WEB-1"))?.[0]).toBe("serial-gate pause --id 1");
    expect((await commands("API-2"))?.[0]).toMatch(/^serial-gate pause --id \d$/);
  });

  it("says that a job which another program started is not given back, and does not call it stuck", async () => {
    const here = await world();
    await here.task(WEB, "WEB-1");
    await here.sql("UPDATE jobs SET status = 'running', started_at = '2026-06-15 07:00:00' WHERE id = 1");
    await here.task(WEB, "WEB-2");
    const { root, stuck } = await here.gate.explain({ work_item: "WEB-2" }, EVERYWHERE);
    expect(stuck).toBe(false);
    expect(root.causes).toMatchObject([{ ended_by: "program" }]);
    expect(root.causes[0]?.detail).toContain("started by another program, no lease");
    expect(root.fix?.commands).toEqual(["serial-gate job release 1 --force --reason 'its program is gone'"]);
    expect(await here.gate.unleasedJobs()).toHaveLength(1);
  });

  it("tells an error only while it is the last thing that happened to the job", async () => {
    const here = await world();
    await here.task(WEB, "WEB-1");
    const [job] = (await here.claim()).jobs;
    await here.gate.fail(null, 1, { lease_token: job?.lease.token ?? "", error: "old", retry: false });
    const sentence = async (): Promise<Explanation["root"]["sentence"]> =>
      (await here.gate.explain({ work_item: "WEB-1" }, EVERYWHERE)).root.sentence;
    expect(await sentence()).toContain("old");
    await here.gate.retryJob(null, { id: 1 });
    expect(await sentence()).toBe(
      "WEB-1 in acme/web can start; no worker has claimed its job 1 (analyst) again.",
    );
  });

  it("calls a task stuck in strict lanes on its own pause, and on a holder without a job", async () => {
    const here = (await world()).under({ strictLanes: true });
    const { id } = await here.task(WEB, "WEB-1");
    await here.gate.pause("ann", { work_item: "WEB-1" }, {});
    expect(await here.gate.explain({ work_item: "WEB-1" }, EVERYWHERE)).toMatchObject({
      stuck: true,
      root: { fix: { commands: ["serial-gate resume --repo acme/web WEB-1"] } },
    });
    await here.gate.resume(null, { work_item: "WEB-1" });
    await here.task(WEB, "WEB-2");
    const [job] = (await here.claim()).jobs;
    await here.gate.complete(null, job?.id ?? 0, { lease_token: job?.lease.token ?? "", next: [] });
    const { stuck, root } = await here.gate.explain({ work_item: "WEB-2" }, EVERYWHERE);
    expect(stuck).toBe(true);
    expect(root.causes).toMatchObject([{ reason: "idle", task_id: id, ended_by: "orchestrator" }]);
    expect((await here.lane(WEB))?.stuck).toMatchObject([{ task_id: id }]);
  });

  it("begins a life with the rows from before the event log", async () => {
    const here = await world();
    await here.sql(
      "INSERT INTO tasks(repo, work_item_id, stage, created_at) VALUES ('acme/web', 'OLD', 'analysis', '2020-01-01 00:00:00')",
    );
    const { earlier } = await here.gate.events({ about: "OLD", limit: 10 }, EVERYWHERE);
    expect(earlier).toMatchObject([
      { source: "rows", kind: "task.created", at: "2020-01-01T00:00:00.000Z", work_item_id: "OLD" },
    ]);
    expect(
      (await here.gate.events({ about: "OLD", limit: 10, after: 1 }, EVERYWHERE)).earlier,
    ).toBeUndefined();
  });

  it("advises no resume into a cycle, whose only end is the pause again", async () => {
    const here = (await world()).under({ strictLanes: true });
    const a = await here.task(WEB, "A");
    const b = await here.task(WEB, "B");
    await here.sql(`INSERT INTO job_deps(task_id, depends_on_task_id) VALUES (${a.id}, ${b.id})`);
    await here.gate.pause(null, { task_id: a.id }, {});
    const { root } = await here.gate.explain({ work_item: "A" }, EVERYWHERE);
    expect(root.causes.map(({ reason }) => reason)).toContain("paused");
    expect(root.fix).toBeNull();
    await here.gate.setStage(null, { id: b.id }, { stage: "done" });
    expect((await here.gate.explain({ work_item: "A" }, EVERYWHERE)).root.fix).toMatchObject({
      commands: ["serial-gate resume --repo acme/web A"],
      effect: { now_claimable: [{ work_item_id: "A" }] },
    });
  });
});
