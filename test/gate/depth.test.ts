/** A call about a few lanes costs the same however many tasks wait in others: each look-up has an index. A walk past all of
 *  them would take a hundred times as long, so that a bound of ten says which it is on any machine. */

import Database from "better-sqlite3";
import { expect, it, onTestFinished } from "vitest";
import type { Gate } from "../../src/gate/gate.ts";
import { EVERYWHERE } from "../../src/contract/names/repo-pattern.ts";
import { openLanes } from "../support/lanes.ts";

const WAITING = 20;
const lane = (index: number): string => `held/lane-${index}`;

const OPERATIONS: Readonly<Record<string, (gate: Gate) => Promise<unknown>>> = {
  "the queue of one repository": (gate) => gate.queue([lane(1)], EVERYWHERE),
  "the queue of five repositories": (gate) => gate.queue([1, 2, 3, 4, 5].map(lane), EVERYWHERE),
  "the unfinished tasks of a repository": (gate) =>
    gate.listTasks({ repo: lane(1), finished: false, limit: 100 }, EVERYWHERE),
  "the queued jobs of a repository": (gate) =>
    gate.listJobs({ repo: lane(1), status: ["queued"], limit: 100 }, EVERYWHERE),
  "the jobs of a repository": (gate) => gate.listJobs({ repo: lane(1), limit: 100 }, EVERYWHERE),
  "the pause and the resume of a whole lane": async (gate) => {
    await gate.pauseLane(null, { repo: lane(1) }, {});
    await gate.resumeLane(null, { repo: lane(1) }, {});
  },
  "a freeze and its end": async (gate) => {
    await gate.freeze(null, { repo: lane(1) }, {});
    await gate.unfreeze(null, { repo: lane(1) });
  },
  "a task that is created and cancelled": async (gate) => {
    const { task } = await gate.createTask(null, {
      repo: lane(1),
      work_item_id: `W-${performance.now()}`,
      stage: "analysis",
    });
    await gate.cancelTask(null, { id: task.id });
  },
};

/** The least of some runs: noise only adds. */
const leastOf = async (run: () => Promise<unknown>): Promise<number> => {
  let least = Infinity;
  for (let count = 0; count < 9; count += 1) {
    const began = performance.now();
    await run();
    least = Math.min(least, performance.now() - began);
  }
  return least;
};

it(
  "answers for a few lanes in about the same time beside 2,000 and beside 100,000 waiting tasks",
  { timeout: 120_000 },
  async () => {
    const few = await openLanes(100, WAITING);
    const many = await openLanes(5_000, WAITING);
    const slower: Record<string, number> = {};
    for (const [name, operation] of Object.entries(OPERATIONS)) {
      const beside = await leastOf(() => operation(few.gate));
      slower[name] = (await leastOf(() => operation(many.gate))) / beside;
    }
    expect(Object.entries(slower).filter(([, ratio]) => ratio > 10)).toEqual([]);
  },
);

it("explains a task in a lane of 12,000 by the first 10,000 of them", { timeout: 60_000 }, async () => {
  const { gate, file } = await openLanes(1, 12_000);
  const db = new Database(file);
  onTestFinished(() => void db.close());
  const isStuck = async (id: number) => (await gate.explain({ task_id: id }, EVERYWHERE)).stuck;
  expect(await isStuck(12_000)).toBe(false);
  db.exec("DELETE FROM jobs WHERE task_id = 11000");
  expect(await isStuck(11_000)).toBe(true);
  expect(await isStuck(12_000)).toBe(false);
  db.exec("DELETE FROM jobs WHERE task_id = 9000");
  expect(await isStuck(12_000)).toBe(true);
});

it("lists the first jobs of a task with 2,400 of them in its explanation, an effect and its end", async () => {
  const { gate, file } = await openLanes(1, 1);
  const db = new Database(file);
  db.exec(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2398)
    INSERT INTO jobs(agent, repo, task_id) SELECT CASE WHEN i % 2 = 0 THEN 'developer' ELSE 'analyst' END, '${lane(0)}', 1 FROM n`);
  db.close();
  const { jobs, unlisted_jobs } = await gate.explain({ task_id: 1 }, EVERYWHERE);
  expect(jobs.map(({ job_id }) => job_id)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
  expect(unlisted_jobs).toBe(2_350);
  const { effect } = await gate.pause(null, { task_id: 1 }, {});
  expect(effect.now_held).toHaveLength(1_000);
  expect(effect.cut).toBe(true);
  await gate.resume(null, { task_id: 1 });
  const ended = await gate.setStage(null, { id: 1 }, { stage: "done" });
  expect(ended.cancelled_jobs).toHaveLength(1_000);
  expect(ended.left_jobs).toHaveLength(1_000);
  expect(ended.unlisted_jobs).toBe(400);
  const left = await gate.listJobs({ status: ["queued"], limit: 100 }, EVERYWHERE);
  expect(left.jobs.every(({ agent }) => agent === "developer")).toBe(true);
});
