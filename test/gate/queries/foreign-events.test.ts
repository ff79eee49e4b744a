import { expect, it } from "vitest";
import { verify } from "../../../src/replay/verify.ts";
import { POLICY } from "../../support/fixtures.ts";
import { onEveryDatabase } from "../../support/databases.ts";
import { startWorld, type World } from "../world.ts";
import { EVERYWHERE } from "../../../src/contract/names/repo-pattern.ts";

onEveryDatabase((open) => {
  const start = (): Promise<World> => startWorld(open);

  /** The record of each change: kind, subject and detail. */
  const toldOf = async (world: World, sql: string): Promise<unknown[]> => {
    const { next_cursor } = await world.gate.events({ last: 0, limit: 100 }, EVERYWHERE);
    await world.sql(sql);
    const { events } = await world.gate.events({ after: next_cursor, limit: 100 }, EVERYWHERE);
    return events.map(({ kind, actor, repo, task_id, work_item_id, job_id, reason, detail }) => {
      expect(actor).toBe(null);
      const { foreign, ...rest } = detail as Record<string, unknown>;
      expect(foreign).toBe(true);
      const about = Object.entries({ repo, task_id, work_item_id, job_id, reason }).filter(
        ([, value]) => value,
      );
      return [kind, Object.fromEntries(about), rest];
    });
  };

  it("records a stage with control characters, quotes and backslashes as it is", async () => {
    const world = await start();
    const controls = String.fromCharCode(...Array.from({ length: 31 }, (_, index) => index + 1), 0x7f, 0x9b);
    for (const [id, stage] of ["\u001b[31mred", controls, `"\\\b\\u0007'`, "\u202e\u2028🦺"].entries()) {
      const literal = `'${stage.replaceAll("'", "''")}'`;
      expect(
        await toldOf(
          world,
          `INSERT INTO tasks(repo, work_item_id, stage) VALUES ('acme/web', 'A-${id}', ${literal})`,
        ),
      ).toEqual([
        ["task.created", { repo: "acme/web", task_id: id + 1, work_item_id: `A-${id}` }, { stage }],
      ]);
    }
  });

  it("records every change of another program once, under its own kind", async () => {
    const world = await start();
    const web = { repo: "acme/web", task_id: 1, work_item_id: "A" };
    const job = { ...web, job_id: 1 };
    const freeze = { repo: "acme/web", work_item_id: "A" };
    const steps: [string, unknown[]][] = [
      [
        "INSERT INTO tasks(repo, work_item_id, stage) VALUES ('acme/web', 'A', 'analysis')",
        [["task.created", web, { stage: "analysis" }]],
      ],
      [
        "INSERT INTO jobs(agent, repo, task_id) VALUES ('analyst', 'acme/web', 1)",
        [["job.created", job, { agent: "analyst", status: "queued" }]],
      ],
      ["UPDATE tasks SET title = 'A title', updated_at = NULL", []],
      ["UPDATE tasks SET stage = stage", []],
      [
        "UPDATE tasks SET stage = 'development'",
        [["task.stage", web, { from: "analysis", to: "development" }]],
      ],
      ["UPDATE jobs SET status = 'running'", [["job.claimed", job, { from: "queued", to: "running" }]]],
      ["UPDATE jobs SET started_at = NULL, attempts = 1", []],
      ["UPDATE jobs SET status = 'queued'", [["job.released", job, { from: "running", to: "queued" }]]],
      ["UPDATE jobs SET status = 'failed'", [["job.failed", job, { from: "queued", to: "failed" }]]],
      ["UPDATE jobs SET status = 'queued'", [["job.retried", job, { from: "failed", to: "queued" }]]],
      ["UPDATE jobs SET status = 'delayed'", [["job.delayed", job, { from: "queued", to: "delayed" }]]],
      ["UPDATE jobs SET status = 'done'", [["job.completed", job, { from: "delayed", to: "done" }]]],
      ["UPDATE jobs SET status = 'on hold'", [["job.changed", job, { from: "done", to: "on hold" }]]],
      ["UPDATE tasks SET paused_at = '2026-06-15 08:00:00'", [["task.paused", web, {}]]],
      ["UPDATE tasks SET paused_at = '2026-06-15 09:00:00'", []],
      ["UPDATE tasks SET paused_at = NULL", [["task.resumed", web, {}]]],
      [
        "INSERT INTO repo_freeze(repo, reason, work_item_id) VALUES ('acme/web', 'DEGRADED', 'A')",
        [["repo.frozen", { ...freeze, reason: "DEGRADED" }, { freeze_id: 1 }]],
      ],
      [
        "UPDATE repo_freeze SET cleared_at = '2026-06-15 09:00:00'",
        [["repo.unfrozen", freeze, { freeze_id: 1 }]],
      ],
      ["UPDATE repo_freeze SET cleared_at = '2026-06-15 10:00:00'", []],
      [
        "UPDATE repo_freeze SET cleared_at = NULL",
        [["repo.frozen", { ...freeze, reason: "DEGRADED" }, { freeze_id: 1 }]],
      ],
      ["DELETE FROM repo_freeze", [["repo.unfrozen", freeze, { freeze_id: 1 }]]],
      [
        "INSERT INTO job_deps(task_id, depends_on_task_id) VALUES (1, 7)",
        [["dependency.added", web, { depends_on: 7 }]],
      ],
      [
        "UPDATE job_deps SET depends_on_task_id = 8",
        [
          ["dependency.removed", web, { depends_on: 7 }],
          ["dependency.added", web, { depends_on: 8 }],
        ],
      ],
      ["DELETE FROM job_deps", [["dependency.removed", web, { depends_on: 8 }]]],
      [
        "UPDATE tasks SET repo = 'acme/api'",
        [["task.moved", { ...web, repo: "acme/api" }, { from: "acme/web", to: "acme/api" }]],
      ],
      [
        "UPDATE jobs SET repo = 'acme/api'",
        [["job.moved", { ...job, repo: "acme/api" }, { from: "acme/web", to: "acme/api" }]],
      ],
      [
        "UPDATE tasks SET stage = 'cancelled', paused_at = '2026-06-15 08:00:00'",
        [
          ["task.paused", { ...web, repo: "acme/api" }, {}],
          ["task.cancelled", { ...web, repo: "acme/api" }, { from: "development", to: "cancelled" }],
        ],
      ],
      [
        "DELETE FROM jobs",
        [["job.deleted", { ...job, repo: "acme/api" }, { agent: "analyst", status: "on hold" }]],
      ],
      ["DELETE FROM tasks", [["task.deleted", { ...web, repo: "acme/api" }, { stage: "cancelled" }]]],
    ];
    const byKind = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
    for (const [sql, told] of steps)
      expect((await toldOf(world, sql)).sort(byKind), sql).toEqual(told.sort(byKind));
  });

  it("records another program's stage unchanged, whatever characters it has", async () => {
    const world = await start();
    await world.task("acme/web", "A");
    const odd = String.raw`a "quoted" \ stage`;
    expect(await toldOf(world, `UPDATE tasks SET stage = '${odd}'`)).toEqual([
      ["task.stage", { repo: "acme/web", task_id: 1, work_item_id: "A" }, { from: "analysis", to: odd }],
    ]);
  });

  it("lists another program's changes among the events of their work item", async () => {
    const world = await start();
    await world.task("acme/web", "A");
    await world.task("acme/web", "B");
    await world.sql("UPDATE jobs SET status = 'cancelled'");
    const { events } = await world.gate.events({ work_item: "A", limit: 100 }, EVERYWHERE);
    expect(events.map(({ kind, work_item_id }) => [kind, work_item_id])).toEqual([
      ["task.created", "A"],
      ["job.created", "A"],
      ["job.cancelled", "A"],
    ]);
  });

  it("finds no violation in the changes of another program", async () => {
    const world = await start();
    await world.sql("INSERT INTO tasks(repo, work_item_id, stage) VALUES ('acme/web', 'A', 'analysis')");
    await world.sql("INSERT INTO jobs(agent, repo, task_id) VALUES ('analyst', 'acme/web', 1)");
    const [claimed] = (await world.claim()).jobs;
    await world.gate.complete(null, 1, { lease_token: claimed?.lease.token ?? "", stage: "done" });
    await world.sql("UPDATE tasks SET stage = 'review', repo = 'acme/api'");
    await world.sql("UPDATE jobs SET status = 'queued'");
    await world.sql("UPDATE jobs SET status = 'done'");
    await world.sql("INSERT INTO repo_freeze(repo) VALUES ('acme/web')");
    await world.sql("DELETE FROM repo_freeze");
    await world.gate.setStage(null, { id: 1 }, { stage: "done" });
    await world.task("acme/api", "B");
    await world.sql("DELETE FROM tasks WHERE id = 2");
    await world.sql("DELETE FROM jobs WHERE task_id = 2");
    const { violations, entryStarts } = await world.store.read(() =>
      verify({ entryAgent: POLICY.entryAgent }),
    );
    expect(violations).toEqual([]);
    expect(entryStarts).toBe(1);
  });
});
