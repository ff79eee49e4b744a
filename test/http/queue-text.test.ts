import Database from "better-sqlite3";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Queue } from "../../src/contract/queue.ts";
import { temporaryFolder } from "../support/folder.ts";
import { startService } from "../support/service.ts";

it("prints many lanes in the same shape as a few", async () => {
  const path = join(temporaryFolder(), "gate.db");
  const { get } = await startService({ DATABASE_URL: `file:${path}` });
  const db = new Database(path);
  db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1250)
    INSERT INTO tasks(repo, work_item_id, stage) SELECT 'acme/r' || (i % 250), 'W-' || i, 'analysis' FROM n`);
  db.exec(`INSERT INTO jobs(agent, repo, task_id) SELECT 'analyst', repo, id FROM tasks ORDER BY id`);
  db.close();

  const whole = await get<Queue>("/queue");
  const { per_repo, ...gate } = whole.body.serial_gate;
  expect(whole.headers.get("content-type")).toContain("application/json");
  expect(Object.keys(per_repo)).toHaveLength(250);
  expect(whole.body.jobs.queued).toBe(1250);

  const one = await get<Queue>("/queue?repo=acme/r7");
  expect(one.body.serial_gate).toEqual({ ...gate, per_repo: { "acme/r7": per_repo["acme/r7"] } });
  expect(Object.keys(one.body).sort()).toEqual(Object.keys(whole.body).sort());
  expect(per_repo["acme/r7"]?.waiting.map((job) => job.reason)).toEqual([
    null,
    ...Array.from({ length: 4 }, () => "active-task"),
  ]);
});

it("lists every job of a deep lane once, by id, with its task's position", async () => {
  const path = join(temporaryFolder(), "gate.db");
  const { get } = await startService({ DATABASE_URL: `file:${path}` });
  const db = new Database(path);
  db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
    INSERT INTO tasks(repo, work_item_id, stage) SELECT 'acme/deep', 'W-' || i, 'analysis' FROM n`);
  db.exec(`INSERT INTO jobs(agent, repo, task_id) SELECT 'analyst', repo, id FROM tasks ORDER BY id`);
  db.exec(
    `INSERT INTO jobs(agent, repo, task_id) VALUES ('analyst', 'acme/deep', 7), ('analyst', 'acme/deep', NULL)`,
  );
  db.close();

  const waitingIn = async (path: string) =>
    (await get<Queue>(path)).body.serial_gate.per_repo["acme/deep"]?.waiting ?? [];
  const waiting = await waitingIn("/queue");
  expect(waiting.map((job) => job.job_id)).toEqual(Array.from({ length: 2502 }, (_, index) => index + 1));
  const placeOf = new Map(waiting.map((job) => [job.job_id, job.position]));
  expect([1, 7, 2501, 8, 2500, 2502].map((id) => placeOf.get(id))).toEqual([1, 7, 8, 9, 2501, 2502]);
  expect(waiting.filter((job) => job.reason === null).map((job) => job.job_id)).toEqual([1, 2502]);
  expect(await waitingIn("/queue?repo=acme/deep")).toEqual(waiting);
});
