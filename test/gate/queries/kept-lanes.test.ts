/** The queue from kept lanes is the queue that is computed from nothing, whatever happens and whoever writes. */

import * as fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { GateError } from "../../../src/contract/errors.ts";
import type { ClaimedJob } from "../../../src/contract/jobs.ts";
import { EVERYWHERE, type Reach } from "../../../src/contract/names/repo-pattern.ts";
import type { BatchContext } from "../../../src/gate/commands/context.ts";
import { stateCounts } from "../../../src/gate/queries/lanes/state-counts.ts";
import { EVERYTHING_READABLE } from "../../../src/gate/rule/visibility.ts";
import type { Gate } from "../../../src/gate/gate.ts";
import { StoreFault, type Store } from "../../../src/store/port.ts";
import { onEveryDatabase } from "../../support/databases.ts";
import { POLICY } from "../../support/fixtures.ts";
import { API, startWorld, TestClock, WEB, World } from "../world.ts";

const LONG = process.env.SERIAL_GATE_TEST_LONG === "1";
const RUNS = { SQLite: LONG ? 3_000 : 60, PostgreSQL: LONG ? 1_000 : 20 };
/** A slow machine runs fewer. */
const TIME_LIMIT_MS = LONG ? 3_600_000 : 150_000;

const REPOS = [WEB, API, "acme/ops", "17", "z"];
const STAGES = ["analysis", "development", "done", "cancelled"];
const AGENTS = ["analyst", "developer"];

/** A number picks among the rows that exist when the step runs, so that a shrunk history stays valid. */
const row = fc.nat({ max: 50 });
const repo = fc.constantFrom(...REPOS);
const step = <const Kind extends string, More>(
  weight: number,
  kind: Kind,
  more: { [Name in keyof More]: fc.Arbitrary<More[Name]> },
) => ({ weight, arbitrary: fc.record<More>(more).map((each) => ({ kind, ...each })) });

/** Another program's statements. `#task`, `#job`, `#freeze` and `#dependency` are ids; `#repo` is a name. */
const FOREIGN = [
  "UPDATE tasks SET stage = 'review' WHERE id = #task",
  "UPDATE tasks SET stage = 'done' WHERE id = #task",
  "UPDATE tasks SET repo = #repo WHERE id = #task",
  "UPDATE tasks SET id = id + 1000 WHERE id = #task",
  "UPDATE tasks SET work_item_id = 'W-' || (id + 7) WHERE id = #task",
  "UPDATE tasks SET paused_at = '2026-06-15 07:00:00', pause_reason = 'x' WHERE id = #task",
  "UPDATE tasks SET paused_at = NULL WHERE id = #task",
  "UPDATE tasks SET pause_reason = 'what \"else\"…' WHERE id = #task",
  "UPDATE tasks SET pause_until = '2026-06-15 09:00:00' WHERE id = #task AND paused_at IS NOT NULL",
  "DELETE FROM tasks WHERE id = #task",
  "INSERT INTO tasks(repo, work_item_id, stage) VALUES (#repo, 'F-1', 'analysis')",
  "UPDATE jobs SET repo = #repo WHERE id = #job",
  "UPDATE jobs SET repo = #repo WHERE id = #job",
  "UPDATE jobs SET repo = NULL WHERE id = #job",
  "UPDATE jobs SET task_id = #task WHERE id = #job",
  "UPDATE jobs SET task_id = NULL WHERE id = #job",
  "UPDATE jobs SET task_id = 9999 WHERE id = #job",
  "UPDATE jobs SET agent = 'developer' WHERE id = #job",
  "UPDATE jobs SET status = 'queued' WHERE id = #job",
  "UPDATE jobs SET status = 'running', started_at = '2026-06-15 08:00:00' WHERE id = #job",
  "UPDATE jobs SET status = 'failed', error = 'é' WHERE id = #job",
  "UPDATE jobs SET status = 'done' WHERE id = #job",
  "UPDATE jobs SET created_at = '2026-06-14 08:00:00' WHERE id = #job",
  "UPDATE jobs SET id = id + 1000 WHERE id = #job",
  "UPDATE jobs SET error = 'red' WHERE id = #job",
  "UPDATE jobs SET lease_expires_at = '2026-06-15 08:59:59' WHERE id = #job AND lease_token IS NOT NULL",
  "UPDATE jobs SET status = 'delayed', run_after = 'no time' WHERE id = #job",
  "DELETE FROM jobs WHERE id = #job",
  "INSERT INTO jobs(agent, repo, task_id) VALUES ('analyst', #repo, #task)",
  "INSERT INTO jobs(agent, repo, task_id) VALUES ('developer', #repo, #task)",
  "INSERT INTO jobs(agent, repo) VALUES ('analyst', #repo)",
  "INSERT INTO jobs(agent, task_id) VALUES ('developer', #task)",
  "INSERT INTO job_deps(task_id, depends_on_task_id) SELECT #task, MIN(id) FROM tasks WHERE id <> #task HAVING MIN(id) IS NOT NULL",
  "INSERT INTO job_deps(task_id, depends_on_task_id) SELECT #task, MAX(id) FROM tasks WHERE id <> #task HAVING MAX(id) IS NOT NULL",
  "UPDATE job_deps SET depends_on_task_id = depends_on_task_id + 1 WHERE task_id = #task",
  "DELETE FROM job_deps WHERE task_id = #task",
  "INSERT INTO repo_freeze(repo, reason) VALUES (#repo, 'deploy')",
  "UPDATE repo_freeze SET cleared_at = '2026-06-15 08:00:00' WHERE repo = #repo",
  "UPDATE repo_freeze SET reason = 'other' WHERE repo = #repo",
  "DELETE FROM repo_freeze WHERE repo = #repo",
] as const;

const steps = fc.oneof(
  step(6, "create", { repo, needs: fc.array(row, { maxLength: 2 }) }),
  step(6, "claim", { max: fc.integer({ min: 1, max: 3 }) }),
  step(3, "pause", { task: row, until: fc.constantFrom(undefined, "2026-06-15T08:01:00.000Z") }),
  step(2, "resume", { task: row }),
  step(1, "pause lane", { repo }),
  step(1, "resume lane", { repo }),
  step(2, "freeze", { repo }),
  step(2, "unfreeze", { repo }),
  step(2, "depend", { task: row, on: fc.array(row, { maxLength: 2 }) }),
  step(5, "complete", {
    job: row,
    stage: fc.constantFrom(undefined, ...STAGES),
    next: fc.constantFrom(undefined, ...AGENTS),
  }),
  step(3, "fail", { job: row, retry: fc.boolean() }),
  step(2, "release", { job: row, run_after: fc.constantFrom(undefined, "2026-06-15T08:00:30.000Z") }),
  step(3, "heartbeat", { job: row, progress: fc.constantFrom(undefined, "half", "…") }),
  step(2, "retry", { job: row }),
  step(2, "stage", { task: row, stage: fc.constantFrom(...STAGES) }),
  step(2, "enqueue", { task: row, agent: fc.constantFrom(...AGENTS) }),
  step(3, "time", { ms: fc.constantFrom(1_000, 20_000, 70_000) }),
  step(1, "audit", {}),
  step(25, "foreign", {
    sql: fc.constantFrom(...FOREIGN),
    repo,
    task: row,
    job: row,
  }),
);
type Step = typeof steps extends fc.Arbitrary<infer Each> ? Each : never;

/** The text of `GET /queue` from kept lanes. */
const keptText = async (gate: Gate, repos: readonly string[] | undefined, reach: Reach): Promise<string> => {
  const { head, lanes, degraded } = await gate.queueTexts(repos, reach);
  const { serial_gate, ...rest } = head;
  const text = [...lanes].map(String).join("");
  const shape = { ...rest, degraded, serial_gate: { ...serial_gate, per_repo: {} } };
  return JSON.stringify(shape).replace(/\{\}\}\}$/, `{${text.slice(1)}}}}`);
};

const freshText = async (gate: Gate, repos: readonly string[] | undefined, reach: Reach): Promise<string> => {
  const { serial_gate, ...rest } = await gate.queue(repos, reach);
  return JSON.stringify({ ...rest, serial_gate });
};

const withoutTimes = (text: string): string =>
  text.replace(/"generated_at":"[^"]*"/, "").replaceAll(/"lease_expires_at":(?:"[^"]*"|null)/g, "");

class Run {
  readonly #world: World;
  /** The same database with room for a few lanes. */
  readonly #cramped: World;
  readonly #leases = new Map<number, ClaimedJob>();
  readonly #strictLanes: boolean;
  #created = 0;
  #last: { readonly tag: string | undefined; readonly text: string } | undefined;

  constructor(store: Store, clock: TestClock, strictLanes: boolean) {
    const projects = [WEB, "acme/idle"];
    this.#strictLanes = strictLanes;
    this.#world = new World(store, clock, { strictLanes }, projects);
    this.#cramped = new World(store, clock, { strictLanes }, projects, { keptLanes: 3_000 });
  }

  get world(): World {
    return this.#world;
  }

  drain(): void {
    this.#world.gate.drain();
    this.#cramped.gate.drain();
  }

  async run(step: Step): Promise<void> {
    try {
      await this.#run(step);
    } catch (error) {
      if (error instanceof GateError) return;
      if (error instanceof StoreFault && error.kind === "refused") return;
      throw error;
    }
  }

  async #run(step: Step): Promise<void> {
    const { gate, clock } = this.#world;
    const task = "task" in step ? await this.#idOf("tasks", step.task) : 0;
    const job = "job" in step ? await this.#idOf("jobs", step.job) : 0;
    const lease_token = this.#leases.get(job)?.lease.token ?? "none";
    switch (step.kind) {
      case "create": {
        const depends_on = [];
        for (const index of step.needs) {
          const id = await this.#idOf("tasks", index);
          const [needed] = await this.#world.rows<{ repo: string; work_item_id: string }>(
            `SELECT repo, work_item_id FROM tasks WHERE id = ${id}`,
          );
          if (needed) depends_on.push(needed);
        }
        this.#created += 1;
        await this.#world.task(step.repo, `T-${this.#created}`, { depends_on });
        return;
      }
      case "claim":
        for (const claimed of (await this.#world.claim({ max: step.max })).jobs)
          this.#leases.set(claimed.id, claimed);
        return;
      case "pause":
        await gate.pause(null, { task_id: task }, step.until === undefined ? {} : { until: step.until });
        return;
      case "resume":
        await gate.resume(null, { task_id: task });
        return;
      case "pause lane":
        await gate.pauseLane(null, { repo: step.repo }, {});
        return;
      case "resume lane":
        await gate.resumeLane(null, { repo: step.repo });
        return;
      case "freeze":
        await gate.freeze(null, { repo: step.repo }, { reason: "bad" });
        return;
      case "unfreeze":
        await gate.unfreeze(null, { repo: step.repo });
        return;
      case "depend": {
        const rows = await this.#world.rows<{ repo: string; work_item_id: string }>(
          "SELECT repo, work_item_id FROM tasks ORDER BY id",
        );
        const depends_on = step.on.flatMap((index) => rows[index % Math.max(rows.length, 1)] ?? []);
        await gate.changeTask(null, { id: task }, { depends_on });
        return;
      }
      case "complete":
        await gate.complete(null, job, {
          lease_token,
          ...(step.stage === undefined ? {} : { stage: step.stage }),
          ...(step.next === undefined ? {} : { next: [{ agent: step.next }] }),
        });
        return;
      case "fail":
        await gate.fail(null, job, { lease_token, error: "tests are red", retry: step.retry });
        return;
      case "release":
        await gate.release(null, job, {
          lease_token,
          ...(step.run_after === undefined ? {} : { run_after: step.run_after }),
        });
        return;
      case "heartbeat":
        await gate.heartbeat(null, job, {
          lease_token,
          ...(step.progress === undefined ? {} : { progress: step.progress }),
        });
        return;
      case "retry":
        await gate.retryJob(null, { id: job });
        return;
      case "stage":
        await gate.setStage(null, { id: task }, { stage: step.stage });
        return;
      case "enqueue": {
        const [named] = await this.#world.rows<{ repo: string; work_item_id: string }>(
          `SELECT repo, work_item_id FROM tasks WHERE id = ${task}`,
        );
        if (named) await gate.createJob(null, { ...named, agent: step.agent });
        return;
      }
      case "time":
        clock.pass(step.ms);
        return;
      case "audit":
        await gate.audit();
        return;
      case "foreign":
        await this.#world.sql(
          step.sql
            .replaceAll("#task", String(task))
            .replaceAll("#job", String(job))
            .replaceAll("#repo", `'${step.repo}'`),
        );
        return;
    }
  }

  /** The audit of the ready flags runs by itself after a maintenance, and may repair one between two answers: they are
   *  compared where the queue is the same before and after. */
  async expectAgreement(): Promise<void> {
    for (;;) {
      const { gate } = this.#world;
      const tag = await gate.queueTag(undefined, EVERYWHERE);
      const answers = await this.#answers();
      if ((await gate.queueTag(undefined, EVERYWHERE)) !== tag) continue;
      for (const { from, kept, fresh } of answers) expect([from, kept]).toEqual([from, fresh]);
      const text = withoutTimes(answers[0]?.fresh ?? "");
      if (this.#last && this.#last.tag === tag) expect(text).toBe(this.#last.text);
      this.#last = { tag, text };
      return;
    }
  }

  async #answers(): Promise<{ from: string; kept: string; fresh: string }[]> {
    const { gate, store } = this.#world;
    const fresh = await freshText(gate, undefined, EVERYWHERE);
    const answers = [
      { from: "all", kept: await keptText(gate, undefined, EVERYWHERE), fresh },
      { from: "too little room", kept: await keptText(this.#cramped.gate, undefined, EVERYWHERE), fresh },
    ];
    for (const [repos, reach] of [
      [[WEB, "17"], EVERYWHERE],
      [undefined, ["acme/*"]],
      [[API, "z"], ["acme/a*"]],
    ] as const)
      answers.push({
        from: JSON.stringify([repos, reach]),
        kept: await keptText(gate, repos, reach),
        fresh: await freshText(gate, repos, reach),
      });
    const context = {
      rules: { policy: { ...POLICY, strictLanes: this.#strictLanes } },
      lookup: { visible: EVERYTHING_READABLE, useReadyIndex: true },
    } as BatchContext;
    const { degraded: _, waiting, ...counts } = await gate.stateCounts();
    const { waiting: waitingAnew, ...anew } = await store.read(() => stateCounts(context));
    answers.push({
      from: "metrics",
      kept: JSON.stringify([[...waiting], counts]),
      fresh: JSON.stringify([[...waitingAnew], anew]),
    });
    return answers;
  }

  async #idOf(table: "tasks" | "jobs", index: number): Promise<number> {
    const rows = await this.#world.rows<{ id: number }>(`SELECT id FROM ${table} ORDER BY id`);
    return rows[index % Math.max(rows.length, 1)]?.id ?? 0;
  }
}

onEveryDatabase((open, database) => {
  let store: Store;
  const clock = new TestClock();

  beforeAll(async () => {
    store = await open(clock.read);
  });

  afterAll(async () => {
    await store.close();
  });

  it(
    "answers the same from kept lanes as from nothing after every step of a random history",
    async () => {
      const property = fc.asyncProperty(
        fc.boolean(),
        fc.array(steps, { minLength: 30, maxLength: 50, size: "max" }),
        async (strictLanes, history) => {
          const run = new Run(store, clock, strictLanes);
          await run.world.empty();
          await run.world.adopt();
          try {
            for (const each of history) {
              await run.run(each);
              await run.expectAgreement();
            }
          } finally {
            run.drain();
          }
        },
      );
      // Also the search for a smaller counterexample ends then.
      const result = await fc.check(property, {
        numRuns: RUNS[database],
        interruptAfterTimeLimit: TIME_LIMIT_MS,
      });
      if (result.failed) throw new Error(fc.defaultReportMessage(result), { cause: result.errorInstance });
      console.log(`${result.numRuns} random histories on ${database} agree with a queue from nothing.`);
      expect(result.numRuns).toBeGreaterThan(RUNS[database] / 4);
    },
    TIME_LIMIT_MS + 40_000,
  );

  it("moves the revision of a job's lane when its task in another one is unblocked", async () => {
    const world = await startWorld(open);
    const needed = await world.task("acme/ops", "N-1");
    const { id } = await world.task(WEB, "T-1", { depends_on: [{ repo: "acme/ops", work_item_id: "N-1" }] });
    await world.sql(`INSERT INTO jobs(agent, repo, task_id) VALUES ('analyst', '${API}', ${id})`);
    const queueOf = () => world.gate.queue([API], EVERYWHERE);
    const before = await queueOf();
    expect(before.serial_gate.per_repo[API]?.waiting[0]?.reason).toBe("dependency");
    await world.sql(`UPDATE tasks SET stage = 'done' WHERE id = ${needed.id}`);
    const after = await queueOf();
    expect(after.serial_gate.per_repo[API]?.waiting[0]?.reason).toBeNull();
    expect(after.revision).toBeGreaterThan(before.revision);
  });

  it("keeps no text from the time in which another policy's triggers were there", async () => {
    const world = await startWorld(open);
    const needed = await world.task("acme/ops", "N-1");
    await world.task(WEB, "T-1", { depends_on: [{ repo: "acme/ops", work_item_id: "N-1" }] });
    const expectSame = async (): Promise<void> => {
      expect(await keptText(world.gate, undefined, EVERYWHERE)).toBe(
        await freshText(world.gate, undefined, EVERYWHERE),
      );
    };
    await expectSame();
    const other = world.under({ dependencies: false });
    await other.adopt();
    await world.sql(`UPDATE tasks SET stage = 'done' WHERE id = ${needed.id}`);
    await expectSame();
    await world.adopt();
    await expectSame();
    other.gate.drain();
  });

  it("tells the lane without a name from a configured repository without a row", async () => {
    const { store, clock } = await startWorld(open);
    const world = new World(store, clock, {}, [WEB]);
    const expectSame = async (): Promise<void> => {
      expect(await keptText(world.gate, undefined, EVERYWHERE)).toBe(
        await freshText(world.gate, undefined, EVERYWHERE),
      );
    };
    await expectSame();
    await world.sql("INSERT INTO jobs(agent, task_id) VALUES ('developer', 7)");
    await expectSame();
    await world.sql(`INSERT INTO jobs(agent, repo, task_id) VALUES ('analyst', '${WEB}', 8)`);
    await expectSame();
  });

  it("reads only the lanes that changed, and all of them where there is no room", async () => {
    const world = await startWorld(open);
    for (let lane = 0; lane < 20; lane += 1) await world.task(`acme/r${lane}`, "T-1");
    const read = async (gate: Gate): Promise<number> => (await gate.queueTexts(undefined, EVERYWHERE)).read;
    expect(await read(world.gate)).toBe(20);
    expect(await read(world.gate)).toBe(0);
    await world.sql("UPDATE tasks SET work_item_id = 'T-2' WHERE repo = 'acme/r7'");
    expect(await read(world.gate)).toBe(1);
    await world.gate.pause(null, { work_item: "T-1", repo: "acme/r3" }, {});
    expect(await read(world.gate)).toBe(1);
    const cramped = new World(world.store, world.clock, {}, [], { keptLanes: 0 });
    expect(await read(cramped.gate)).toBe(20);
    expect(await read(cramped.gate)).toBe(20);
  });
});
