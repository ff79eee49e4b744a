import { expect, it, onTestFinished } from "vitest";
import type { ClaimedJob } from "../../src/contract/jobs.ts";
import { verify, type Verdict } from "../../src/replay/verify.ts";
import { openTestSqlite } from "../support/databases.ts";
import { POLICY } from "../support/fixtures.ts";
import { TestClock, World } from "../gate/world.ts";

const REPO = "acme/web";
const OTHER_REPO = "acme/api";

const openWorld = async (): Promise<World> => {
  const clock = new TestClock();
  const store = await openTestSqlite(clock.read);
  onTestFinished(() => store.close());
  return new World(store, clock);
};

const judge = ({ store }: World, tasks: { repo: string; work_item_id: string }[] = []): Promise<Verdict> =>
  store.read(() => verify({ entryAgent: POLICY.entryAgent, tasks }));

const claimOne = async (world: World): Promise<ClaimedJob> => {
  const [job] = (await world.claim()).jobs;
  if (!job) throw new Error("There is nothing to claim.");
  return job;
};

const finish = (world: World, { id, lease }: ClaimedJob): Promise<unknown> =>
  world.gate.complete(null, id, { lease_token: lease.token, stage: "done" });

const pause = (world: World, work_item: string): Promise<unknown> =>
  world.gate.pause(null, { work_item, repo: REPO }, {});

const resume = (world: World, work_item: string): Promise<unknown> =>
  world.gate.resume(null, { work_item, repo: REPO });

/** WEB-1 starts and is parked, WEB-2 starts ahead of it and beside it, and both end; API-1 has a lane of its own.
 *  Task ids are 1, 2 and 3, and so are their entry jobs'. */
const overtaken = async (): Promise<World> => {
  const world = await openWorld();
  await world.task(REPO, "WEB-1");
  await world.task(REPO, "WEB-2");
  await world.task(OTHER_REPO, "API-1");
  world.clock.pass(1_000);
  const first = await claimOne(world);
  const api = await claimOne(world);
  await pause(world, "WEB-1");
  world.clock.pass(2_000);
  const second = await claimOne(world);
  expect([first, api, second].map((job) => job.work_item_id)).toEqual(["WEB-1", "API-1", "WEB-2"]);
  await resume(world, "WEB-1");
  for (const job of [second, first, api]) await finish(world, job);
  return world;
};

it("finds no violation in a gate's own run, and counts its steps", async () => {
  const verdict = await judge(await overtaken(), [
    { repo: REPO, work_item_id: "WEB-1" },
    { repo: REPO, work_item_id: "WEB-2" },
    { repo: OTHER_REPO, work_item_id: "API-1" },
  ]);
  expect(verdict).toEqual({
    tasks: 3,
    claims: 3,
    entryStarts: 3,
    overtakes: 1,
    pauses: 1,
    freezes: 0,
    longestWait: { ms: 3_000, workItem: "WEB-2" },
    violations: [],
  });
});

it("finds no violation in a job that was released, failed, expired, cancelled and retried", async () => {
  const world = await openWorld();
  await world.task(REPO, "WEB-1", { entry_job: { max_attempts: 3 } });
  const released = await claimOne(world);
  await world.gate.release(null, released.id, { lease_token: released.lease.token });
  const failed = await claimOne(world);
  await world.gate.fail(null, failed.id, { lease_token: failed.lease.token, error: "no", retry: true });
  world.clock.pass(10_000);
  await claimOne(world);
  world.clock.pass(100_000);
  const last = await claimOne(world);
  await world.gate.fail(null, last.id, { lease_token: last.lease.token, error: "no", retry: false });
  await world.gate.retryJob(null, { id: last.id });
  await finish(world, await claimOne(world));
  const { id } = await world.task(REPO, "WEB-2");
  await world.gate.cancelTask(null, { id });
  expect(await judge(world)).toMatchObject({ claims: 5, entryStarts: 5, violations: [] });
});

it("finds no violation when a resumed older task starts beside the one that overtook it", async () => {
  const world = await openWorld();
  await world.task(REPO, "WEB-1", { entry_job: false });
  await world.task(REPO, "WEB-2");
  await pause(world, "WEB-1");
  const second = await claimOne(world);
  await resume(world, "WEB-1");
  await world.gate.createJob(null, { repo: REPO, work_item_id: "WEB-1", agent: POLICY.entryAgent });
  const first = await claimOne(world);
  expect([second, first].map((job) => job.work_item_id)).toEqual(["WEB-2", "WEB-1"]);
  for (const job of [first, second]) await finish(world, job);
  expect(await judge(world)).toMatchObject({ overtakes: 1, violations: [] });
});

it("finds no violation when jobs waited for the last of two freezes", async () => {
  const world = await openWorld();
  await world.task(REPO, "WEB-1");
  await world.task(OTHER_REPO, "API-1");
  await world.gate.createJob(null, { repo: REPO, work_item_id: "WEB-1", agent: "developer" });
  const { freeze_id: id } = await world.gate.freeze(null, { repo: REPO }, {});
  await world.gate.freeze(null, { repo: REPO }, {});
  const flowing = [await claimOne(world), await claimOne(world)];
  expect(flowing.map(({ agent, repo }) => [agent, repo])).toEqual([
    ["analyst", OTHER_REPO],
    ["developer", REPO],
  ]);
  await world.gate.unfreeze(null, { repo: REPO, id });
  expect(await world.claimAll()).toEqual([]);
  await world.gate.unfreeze(null, { repo: REPO });
  for (const job of [await claimOne(world), ...flowing])
    await world.gate.complete(null, job.id, { lease_token: job.lease.token });
  await world.gate.setStage(null, { id: 1 }, { stage: "done" });
  await world.gate.cancelTask(null, { id: 2 });
  expect(await judge(world)).toMatchObject({ freezes: 2, violations: [] });
});

it("judges each lane alone, whatever the order of two lanes' event ids", async () => {
  const world = await overtaken();
  const before = await judge(world);
  await world.sql(`UPDATE gate_events SET id = id + 1000 WHERE repo = '${REPO}'`);
  expect(await judge(world)).toEqual(before);
  await world.sql(`UPDATE gate_events SET id = id + 2000 WHERE repo = '${OTHER_REPO}'`);
  expect(await judge(world)).toEqual(before);
});

it.each<[string, string[], RegExp[]]>([
  [
    "an entry job that started although an older task held the lane",
    ["DELETE FROM gate_events WHERE kind IN ('task.paused', 'task.resumed')"],
    [/^event \d+: task 2 \(WEB-2\) started out of turn: task 1 \(WEB-1\) was ahead in the lane$/],
  ],
  [
    "an older task that came late and started beside a younger one",
    // WEB-1 is recorded as made, claimed and ended only after WEB-2 had started, and never paused.
    [
      "DELETE FROM gate_events WHERE kind IN ('task.paused', 'task.resumed')",
      "UPDATE gate_events SET id = id + 1000 WHERE task_id = 1",
      "UPDATE gate_events SET id = id + 2000 WHERE task_id = 2 AND kind IN ('job.completed', 'task.stage')",
    ],
    [/^event \d+: task 1 \(WEB-1\) started beside task 2 \(WEB-2\), which was in progress in the lane$/],
  ],
  [
    "a job that was handed out twice",
    [
      `INSERT INTO gate_events(at, kind, repo, task_id, work_item_id, job_id)
           SELECT at, kind, repo, task_id, work_item_id, job_id FROM gate_events
           WHERE kind = 'job.claimed' AND task_id = 3`,
      "UPDATE gate_events SET id = id + 1000 WHERE task_id = 3 AND kind IN ('job.completed', 'task.stage')",
    ],
    [/^event \d+: job\.claimed of job 3 \(analyst of API-1\) while it was running$/],
  ],
  [
    "a job that ended without having been claimed",
    ["DELETE FROM gate_events WHERE kind = 'job.claimed' AND task_id = 3"],
    [/^event \d+: job\.completed of job 3 \(analyst of API-1\) while it was queued$/],
  ],
  [
    "an entry job that started under a freeze",
    [
      "UPDATE gate_events SET id = id + 1000",
      `INSERT INTO gate_events(id, at, kind, repo, detail) VALUES
           (1, '2026-06-15 08:00:00', 'repo.frozen', '${OTHER_REPO}', '{"freeze_id":7}'),
           (5000, '2026-06-15 09:00:00', 'repo.unfrozen', '${OTHER_REPO}', '{"freeze_id":7}')`,
    ],
    [/^event \d+: job 3 \(analyst of API-1\) started under freeze 7 of acme\/api$/],
  ],
  [
    "freezes that another program added, deleted and cleared",
    [
      "INSERT INTO repo_freeze(id, repo) VALUES (7, 'acme/web')",
      `INSERT INTO gate_events(at, kind, repo, detail) VALUES
           ('2026-06-15 09:00:00', 'repo.frozen', 'acme/web', '{"freeze_id":8}'),
           ('2026-06-15 09:00:00', 'repo.unfrozen', 'acme/web', '{"freeze_id":9}')`,
    ],
    [
      /^event \d+: freeze 9 of acme\/web was cleared but did not exist$/,
      /^freeze 7 of acme\/web is active, but its events say it is not$/,
      /^freeze 8 of acme\/web is active by its events, but has no active row$/,
    ],
  ],
  [
    "a finished task that moved again",
    [
      `INSERT INTO gate_events(at, kind, repo, task_id, work_item_id, detail)
           VALUES ('2026-06-15 09:00:00', 'task.stage', '${REPO}', 1, 'WEB-1', '{"from":"done","to":"review"}')`,
      "UPDATE tasks SET stage = 'review' WHERE id = 1",
    ],
    [
      /^event \d+: task 1 \(WEB-1\) left done for review$/,
      /^task 1 \(WEB-1\) is not finished: in review$/,
      /^WEB-1 of acme\/web has no task that is done$/,
    ],
  ],
  [
    "a task that is not finished, and whose record says it is",
    ["UPDATE tasks SET stage = 'review' WHERE id = 3"],
    [
      /^task 3 \(API-1\) is in review, but its events say in done$/,
      /^task 3 \(API-1\) is not finished: in review$/,
      /^API-1 of acme\/api has no task that is done$/,
    ],
  ],
  [
    "a pause that no one recorded",
    ["UPDATE tasks SET paused_at = '2026-06-15 09:00:00' WHERE id = 3"],
    [/^task 3 \(API-1\) is in done, paused, but its events say in done$/],
  ],
  [
    "a job that is left over",
    ["UPDATE jobs SET status = 'running' WHERE id = 3"],
    [/^job 3 \(analyst\) is running, but its events say done$/, /^job 3 \(analyst\) is left over: running$/],
  ],
  [
    "a task and a job that are gone",
    ["DELETE FROM tasks WHERE id = 3", "DELETE FROM jobs WHERE id = 3"],
    [
      /^task 3 \(API-1\) has events but no row$/,
      /^API-1 of acme\/api has no task that is done$/,
      /^job 3 \(analyst\) has events but no row$/,
    ],
  ],
  [
    "a task and a job that another program made",
    [
      "INSERT INTO tasks(id, work_item_id, repo, stage) VALUES (9, 'WEB-9', 'acme/web', 'done')",
      "INSERT INTO jobs(id, agent, repo, task_id, status) VALUES (9, 'analyst', 'acme/web', 9, 'done')",
    ],
    [/^task 9 \(WEB-9\) has no events$/, /^job 9 \(analyst\) has no events$/],
  ],
  [
    "events of a task and a job whose creation is missing",
    ["DELETE FROM gate_events WHERE kind IN ('task.created', 'job.created') AND task_id = 3"],
    [
      /^event \d+: job\.claimed of job 3 does not follow from the events before$/,
      /^event \d+: job\.completed of job 3 does not follow from the events before$/,
      /^event \d+: task\.stage of task 3 \(API-1\), which has no task.created event$/,
      /^task 3 \(API-1\) has no events$/,
      /^job 3 \(analyst\) has no events$/,
    ],
  ],
])("finds %s", async (_, corruption, expected) => {
  const world = await overtaken();
  for (const statement of corruption) await world.sql(statement);
  // The record of another program's changes is judged in foreign-events.test.ts.
  await world.sql(`DELETE FROM gate_events WHERE detail LIKE '%"foreign"%'`);
  const { violations } = await judge(world, [
    { repo: REPO, work_item_id: "WEB-1" },
    { repo: OTHER_REPO, work_item_id: "API-1" },
  ]);
  expect(violations).toEqual(expected.map((pattern) => expect.stringMatching(pattern) as unknown));
});

it("finds an expected task that was never created", async () => {
  const { violations } = await judge(await overtaken(), [{ repo: REPO, work_item_id: "WEB-7" }]);
  expect(violations).toEqual(["WEB-7 of acme/web has no task that is done"]);
});
