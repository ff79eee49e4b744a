import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { LeaseClock } from "../../../src/gate/lease-clock.ts";
import { claim as claimJobs } from "../../../src/gate/commands/claim.ts";
import { GateError } from "../../../src/contract/errors.ts";
import { Gate } from "../../../src/gate/gate.ts";
import type { ClaimedJob, ClaimRequest } from "../../../src/contract/jobs.ts";
import { verify } from "../../../src/replay/verify.ts";
import { EVERYTHING_READABLE } from "../../../src/gate/rule/visibility.ts";
import { run, tryLane, type Store, type Tx } from "../../../src/store/port.ts";
import { openPostgres } from "../../../src/store/postgres/store.ts";
import { raw } from "../../../src/store/sql.ts";
import { DEFAULTS, POLICY } from "../../support/fixtures.ts";
import { asService, connectTo, testDatabase } from "../../support/postgres.ts";
import { EVERYWHERE } from "../../../src/contract/names/repo-pattern.ts";

const WEB = "acme/web";
const API = "acme/api";

let url: string;

beforeEach(async () => {
  url = await testDatabase();
});

/** A service's gate, with a pool of its own. */
interface Node {
  readonly gate: Gate;
  readonly store: Store;
}

const startNode = async (): Promise<Node> => {
  const store = await openPostgres(await asService(url, () => POLICY));
  const silent = (): void => undefined;
  const log = { info: silent, warn: silent, error: silent };
  // No lease ends by itself here, however slow the machine is.
  const defaults = { ...DEFAULTS, leaseMs: 86_400_000 };
  const gate = new Gate({ store, policy: POLICY, defaults, log });
  await gate.adopt();
  onTestFinished(async () => {
    gate.drain();
    await store.close();
  });
  return { gate, store };
};

const claim = (gate: Gate, request: Partial<ClaimRequest> = {}) =>
  gate.claim(null, { max: 1, wait_ms: 0, ...request });

const addTask = async (gate: Gate, repo: string, workItem: string): Promise<number> =>
  (await gate.createTask(null, { repo, work_item_id: workItem, stage: "analysis" })).task.id;

const insertTask = async (client: pg.Client, repo: string): Promise<number> => {
  const { rows } = await client.query<{ id: string }>("INSERT INTO tasks(repo) VALUES ($1) RETURNING id", [
    repo,
  ]);
  return Number(rows[0]?.id);
};

const pidOf = async (client: pg.Client): Promise<number> =>
  (await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid")).rows[0]?.pid ?? NaN;

/** Resolves when that many of the server processes wait for a lock. */
const untilWaiting = async (
  watcher: pg.Client,
  pids: readonly number[],
  count = pids.length,
): Promise<void> => {
  for (;;) {
    const { rows } = await watcher.query<{ waiting: number }>(
      "SELECT COUNT(*)::int AS waiting FROM pg_stat_activity WHERE pid = ANY($1) AND wait_event_type = 'Lock'",
      [pids],
    );
    if ((rows[0]?.waiting ?? 0) >= count) return;
    await sleep(5);
  }
};

it("gives a lane's tasks ids in the order of their commits, without blocking other lanes", async () => {
  const [first, second, third, watcher] = await Promise.all([
    connectTo(url),
    connectTo(url),
    connectTo(url),
    connectTo(url),
  ]);
  const pid = await pidOf(second);
  await first.query("BEGIN");
  const one = await insertTask(first, WEB);
  const later = insertTask(second, WEB);
  await untilWaiting(watcher, [pid]);
  const other = await insertTask(third, API); // Does not wait: it is answered while the lane is held.
  await first.query("COMMIT");
  const two = await later;
  expect(one).toBeLessThan(other);
  // Its default was drawn before the other lane's task; its id after it got the lane.
  expect(two).toBeGreaterThan(other);
});

it("never commits a task below an existing id of its lane under concurrent inserts", async () => {
  const LANES = [WEB, API];
  const writers = await Promise.all(Array.from({ length: 6 }, () => connectTo(url)));
  await Promise.all(
    writers.map(async (writer, index) => {
      for (let round = 0; round < 25; round += 1) {
        const repo = LANES[(index + round) % LANES.length] ?? WEB;
        await writer.query("BEGIN");
        const id = await insertTask(writer, repo);
        const { rows } = await writer.query<{ highest: string | null }>(
          "SELECT MAX(id) AS highest FROM tasks WHERE repo = $1 AND id <> $2",
          [repo, id],
        );
        expect(id).toBeGreaterThan(Number(rows[0]?.highest ?? 0));
        await writer.query(round % 7 === 6 ? "ROLLBACK" : "COMMIT");
      }
    }),
  );
});

it("keeps the id that a writer sets while others draw theirs", async () => {
  const [holder, writer, watcher] = await Promise.all([connectTo(url), connectTo(url), connectTo(url)]);
  const pid = await pidOf(writer);
  const given = async (insert: string): Promise<number[]> => {
    await holder.query("BEGIN");
    await insertTask(holder, WEB);
    const inserted = writer.query<{ id: string }>(`${insert} RETURNING id`);
    await untilWaiting(watcher, [pid]);
    await insertTask(holder, WEB); // A later id than any that the writer has drawn.
    await holder.query("COMMIT");
    return (await inserted).rows.map(({ id }) => Number(id));
  };
  // An id of its own.
  expect(await given(`INSERT INTO tasks(id, repo) VALUES (0, '${WEB}')`)).toEqual([0]);
  // One that it drew before, as some programs do.
  const { rows } = await writer.query<{ id: string }>(
    "SELECT nextval(pg_get_serial_sequence('tasks', 'id')) AS id",
  );
  const drawn = Number(rows[0]?.id);
  expect(await given(`INSERT INTO tasks(id, repo) VALUES (${drawn}, '${WEB}')`)).toEqual([drawn]);
  // One of a draw that was undone.
  await writer.query("BEGIN");
  const undone = await insertTask(writer, API);
  await writer.query("ROLLBACK");
  expect(await given(`INSERT INTO tasks(id, repo) VALUES (${undone}, '${WEB}')`)).toEqual([undone]);
  // Several at once: each is drawn, all are later than what was there.
  const { rows: there } = await holder.query<{ id: string }>("SELECT MAX(id) AS id FROM tasks");
  const several = await given(`INSERT INTO tasks(repo) VALUES ('${WEB}'), ('${API}'), ('${WEB}')`);
  expect(several).toEqual([...several].sort((a, b) => a - b));
  expect(Math.min(...several)).toBeGreaterThan(Number(there[0]?.id));
});

it("claims a task at once whose dependency finished elsewhere while it was created", async () => {
  const { gate } = await startNode();
  await addTask(gate, API, "API-1");
  expect((await claim(gate)).jobs).toHaveLength(1);
  const other = await connectTo(url);
  await other.query("BEGIN");
  await other.query("UPDATE tasks SET stage = 'done'");
  const creating = gate.createTask(null, {
    repo: WEB,
    work_item_id: "WEB-1",
    stage: "analysis",
    depends_on: [{ repo: API, work_item_id: "API-1" }],
  });
  await sleep(200); // Long enough to decide by the rows before the commit.
  await other.query("COMMIT");
  await creating;
  expect((await claim(gate)).jobs).toMatchObject([{ work_item_id: "WEB-1" }]);
});

it("accepts writes of a program that has rights on the orchestrator's tables only and another search_path", async () => {
  const { gate } = await startNode();
  const owner = await connectTo(url);
  const role = `writer_${new URL(url).pathname.slice(1)}`;
  await owner.query(`CREATE ROLE ${role} LOGIN PASSWORD 'writes';
      GRANT SELECT, INSERT, UPDATE, DELETE ON tasks, jobs, job_deps, repo_freeze TO ${role}`);
  const theirs = new URL(url);
  theirs.username = role;
  theirs.password = "writes";
  const writer = await connectTo(theirs.href);
  await writer.query("SET search_path = ''");
  await writer.query(
    `INSERT INTO public.tasks(repo, work_item_id, stage) VALUES ('${WEB}', 'W-1', 'analysis')`,
  );
  await writer.query(
    `INSERT INTO public.jobs(agent, repo, task_id) SELECT 'analyst', repo, id FROM public.tasks`,
  );
  await writer.query(
    `INSERT INTO public.job_deps(task_id, depends_on_task_id) SELECT id, id FROM public.tasks`,
  );
  await writer.query(`INSERT INTO public.repo_freeze(repo) VALUES ('${WEB}')`);
  await writer.query("DELETE FROM public.job_deps");
  expect((await claim(gate)).jobs).toEqual([]);
  await writer.query("UPDATE public.repo_freeze SET cleared_at = now()");
  expect((await claim(gate)).jobs).toMatchObject([{ work_item_id: "W-1" }]);
  await writer.query("UPDATE public.tasks SET stage = 'done'");
  await writer.end();
  await owner.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
});

describe("claim", () => {
  /** Claims once, and lets another program act right before or after the claim asks for lanes. */
  const claimWhile = async (
    { store }: Node,
    when: "before" | "after",
    act: () => Promise<unknown>,
  ): Promise<ClaimedJob[]> => {
    const rules = {
      policy: POLICY,
      defaults: DEFAULTS,
      projects: [],
      random: Math.random,
      newToken: () => "token",
      leaseClock: new LeaseClock(
        () => performance.now(),
        () => undefined,
      ),
    };
    let acting: Promise<unknown> | undefined;
    let acted = false;
    function* waitForIt(): Tx<void> {
      acting ??= act().then(() => (acted = true));
      while (!acted) yield* run(raw("SELECT pg_sleep(0.005)"));
    }
    const claimed = await store.write(function* () {
      const lookup = { visible: EVERYTHING_READABLE, useReadyIndex: true };
      const attempts = [{ actor: null, request: { max: 1, wait_ms: 0 } }];
      const claiming = claimJobs({ rules, lookup, reach: null, isAlone: false }, attempts);
      let step = claiming.next();
      while (!step.done) {
        const isLanes = step.value.kind === "lanes";
        if (isLanes && when === "before") yield* waitForIt();
        const answer = yield step.value;
        if (isLanes && when === "after") yield* waitForIt();
        step = claiming.next(answer);
      }
      return step.value;
    });
    await acting;
    return claimed.flat();
  };

  it("takes no job of a lane that it skipped as locked, even once it is unlocked", async () => {
    const node = await startNode();
    const first = await addTask(node.gate, WEB, "WEB-1");
    await addTask(node.gate, WEB, "WEB-2");
    const other = await connectTo(url);
    await other.query("BEGIN");
    await other.query("UPDATE tasks SET stage = 'done' WHERE id = $1", [first]);
    expect(await claimWhile(node, "after", () => other.query("COMMIT"))).toEqual([]);
    const started = [await claim(node.gate), await claim(node.gate)].flatMap(({ jobs }) => jobs);
    expect(started.map(({ work_item_id }) => work_item_id)).toEqual(["WEB-1", "WEB-2"]);
  });

  it("takes no job that another program moves to a lane that the claim has not locked", async () => {
    const node = await startNode();
    await addTask(node.gate, WEB, "WEB-1");
    const other = await connectTo(url);
    const move = () => other.query("UPDATE jobs SET repo = $1", [API]);
    expect(await claimWhile(node, "before", move)).toEqual([]);
    expect((await claim(node.gate)).jobs).toMatchObject([{ repo: API, work_item_id: "WEB-1" }]);
  });

  it("skips a locked lane without waiting for it", async () => {
    const { gate } = await startNode();
    await addTask(gate, WEB, "WEB-1");
    await addTask(gate, API, "API-1");
    const other = await connectTo(url);
    await other.query("BEGIN");
    await other.query("INSERT INTO repo_freeze(repo) VALUES ($1)", [WEB]);
    expect((await claim(gate)).jobs).toMatchObject([{ work_item_id: "API-1" }]);
    expect((await claim(gate)).jobs).toEqual([]);
    await other.query("ROLLBACK");
    expect((await claim(gate)).jobs).toMatchObject([{ work_item_id: "WEB-1" }]);
  });

  it("skips a lane that is just being created", async () => {
    const { store } = await startNode();
    const other = await connectTo(url);
    await other.query("BEGIN");
    await other.query("INSERT INTO gate_lanes(repo) VALUES ($1)", [WEB]);
    const seen = await store.write(function* () {
      return [yield* tryLane(WEB), yield* tryLane(API), yield* tryLane(API)];
    });
    expect(seen).toEqual([false, true, true]);
    await other.query("COMMIT");
    expect(await store.write(() => tryLane(WEB))).toBe(true);
  });

  it("runs concurrent claims of different lanes at once, and each gets a job", async () => {
    const [one, two] = [await startNode(), await startNode()];
    const repos = Array.from({ length: 16 }, (_, index) => `acme/r${index}`);
    for (let round = 0; round < 5; round += 1) {
      await Promise.all(repos.map((repo) => addTask(one.gate, repo, `R-${round}`)));
      const claims = await Promise.all(repos.map((_, index) => claim((index % 2 ? one : two).gate)));
      const jobs = claims.flatMap(({ jobs: [job] }) => (job ? [job] : []));
      expect(jobs.map(({ repo }) => repo).sort()).toEqual([...repos].sort());
      await Promise.all(
        jobs.map((job) => one.gate.complete(null, job.id, { lease_token: job.lease.token, stage: "done" })),
      );
    }
  });
});

/** Everything in the record and the rows that should not have happened. Everything must be at its end. */
const violations = async (store: Store): Promise<readonly string[]> =>
  (await store.read(() => verify({ entryAgent: POLICY.entryAgent }))).violations;

const complete = (gate: Gate, { id, lease }: ClaimedJob, stage?: string): Promise<unknown> =>
  gate.complete(null, id, { lease_token: lease.token, stage });

describe("racing claims", () => {
  interface Round {
    readonly gate: Gate;
    /** The task that holds the lane of the two. */
    readonly first: number;
    readonly workItem: string;
  }

  /** Lets one node do something while another claims in a lane of two tasks, again and again.
   *  @returns how often a claim was there first */
  const race = async (
    [one, two]: readonly [Node, Node],
    act: (round: Round) => Promise<unknown>,
    after?: () => Promise<void>,
  ): Promise<number> => {
    let claimedFirst = 0;
    for (let round = 0; round < 20; round += 1) {
      const workItem = `A-${round}`;
      const first = await addTask(one.gate, WEB, workItem);
      const second = await addTask(one.gate, WEB, `B-${round}`);
      const claimed: ClaimedJob[] = [];
      let acted = false;
      const claimOnAndOn = async (): Promise<void> => {
        for (let more = 3; more > 0; more -= acted ? 1 : 0) {
          const { jobs } = await claim(two.gate);
          claimed.push(...jobs);
          if (jobs.length > 0 && !acted) claimedFirst += 1;
        }
      };
      const actSoon = async (): Promise<void> => {
        await sleep(Math.random() * 20);
        await act({ gate: one.gate, first, workItem }).finally(() => (acted = true));
      };
      await Promise.all([claimOnAndOn(), actSoon()]);
      await after?.();
      await one.gate.unfreeze(null, { repo: WEB });
      for (const job of claimed) await complete(one.gate, job);
      for (const task of [first, second])
        await one.gate.cancelTask(null, { id: task }).catch((error: unknown) => {
          if (!(error instanceof GateError)) throw error; // It is finished.
        });
    }
    return claimedFirst;
  };

  it.each<[string, (round: Round) => Promise<unknown>]>([
    ["a freeze", ({ gate }) => gate.freeze(null, { repo: WEB }, {})],
    ["a pause", ({ gate, workItem }) => gate.pause(null, { work_item: workItem }, {})],
    [
      "a pause and a resume",
      async ({ gate, workItem }) => {
        await gate.pause(null, { work_item: workItem }, {});
        await gate.resume(null, { work_item: workItem });
      },
    ],
    ["a cancel", ({ gate, first }) => gate.cancelTask(null, { id: first })],
    ["a finish", ({ gate, first }) => gate.setStage(null, { id: first }, { stage: "done" })],
  ])("never starts a held job while claims race with %s", { timeout: 60_000 }, async (_, act) => {
    const nodes = [await startNode(), await startNode()] as const;
    expect(await race(nodes, act)).toBeGreaterThan(0);
    expect(await violations(nodes[0].store)).toEqual([]);
  });

  it("starts no entry job once another program's freeze is committed", { timeout: 60_000 }, async () => {
    const nodes = [await startNode(), await startNode()] as const;
    const other = await connectTo(url);
    const freeze = () => other.query("INSERT INTO repo_freeze(repo) VALUES ($1)", [WEB]);
    await race(nodes, freeze, async () => {
      expect((await claim(nodes[1].gate)).jobs).toEqual([]);
    });
  });

  it(
    "finishes every task in turn over two nodes, three lanes and eight concurrent callers",
    { timeout: 120_000 },
    async () => {
      const nodes = [await startNode(), await startNode()] as const;
      const [{ gate, store }] = nodes;
      const repos = [WEB, API, "acme/app"];
      const running: ClaimedJob[] = [];
      let created = 0;
      const act = async ({ gate }: Node): Promise<void> => {
        const repo = repos[Math.floor(Math.random() * repos.length)] ?? WEB;
        const query = { repo, work_item: `W-${Math.ceil(Math.random() * created)}` };
        const dice = Math.random() * 100;
        if (dice < 18)
          await gate.createTask(null, { repo, work_item_id: `W-${(created += 1)}`, stage: "analysis" });
        else if (dice < 55) running.push(...(await claim(gate, { max: 2 })).jobs);
        else if (dice < 75) {
          const job = running.shift();
          if (job)
            await complete(gate, job, "done").catch(async (error: unknown) => {
              if (!(error instanceof GateError)) throw error;
              await complete(gate, job); // Its task was cancelled.
            });
        } else if (dice < 83) await gate.pause(null, query, {});
        else if (dice < 90) await gate.resume(null, query);
        else if (dice < 93) {
          const { tasks } = await gate.listTasks({ work_item: query.work_item, limit: 1 }, EVERYWHERE);
          if (tasks[0]) await gate.cancelTask(null, { id: tasks[0].id });
        } else if (dice < 95) await gate.freeze(null, { repo }, {});
        else await gate.unfreeze(null, { repo });
      };
      await Promise.all(
        Array.from({ length: 8 }, async (_, hand) => {
          for (let turn = 0; turn < 60; turn += 1)
            await act(nodes[hand % 2 === 0 ? 0 : 1]).catch((error: unknown) => {
              if (!(error instanceof GateError)) throw error; // What the gate refuses is part of the game.
            });
        }),
      );

      for (const repo of repos) await gate.unfreeze(null, { repo });
      const { tasks } = await gate.listTasks({ paused: true, limit: 500 }, EVERYWHERE);
      for (const { repo, work_item_id } of tasks)
        await gate.resume(null, { repo, work_item: work_item_id ?? "" });
      for (;;) {
        const job = running.shift() ?? (await claim(gate)).jobs[0];
        if (!job) break;
        const { task } = await gate.task(job.task_id ?? NaN, EVERYWHERE);
        await complete(gate, job, task.stage === "cancelled" ? undefined : "done");
      }
      expect(await violations(store)).toEqual([]);
    },
  );
});

it("looks the tasks of each step of a long lane up by their ids, however few were paused at the last ANALYZE", async () => {
  const LONG = 3_000;
  const client = await connectTo(url);
  const insert = (repo: string, count: number) =>
    client.query(
      "INSERT INTO tasks(repo, stage) SELECT $1::text, 'analysis' FROM generate_series(1, $2::int)",
      [repo, count],
    );
  await client.query("ALTER TABLE tasks DISABLE TRIGGER USER");
  await insert(API, 10 * LONG);
  await client.query("ALTER TABLE tasks ENABLE TRIGGER USER");
  await insert(WEB, LONG);
  await client.query("ANALYZE");
  const { gate, store } = await startNode();
  expect(await gate.pauseLane(null, { repo: WEB }, {})).toMatchObject({ changed: LONG });
  expect(await gate.resumeLane(null, { repo: WEB })).toMatchObject({ changed: LONG });
  gate.drain();
  await store.close(); // A server process tells what it read when it ends, at the latest.
  const read = async (index: string): Promise<number> => {
    const { rows } = await client.query<{ rows: string }>(
      "SELECT idx_tup_read AS rows FROM pg_stat_user_indexes WHERE indexrelname = $1",
      [index],
    );
    return Number(rows[0]?.rows);
  };
  await expect.poll(() => read("tasks_pkey"), { timeout: 10_000 }).toBeGreaterThan(2 * LONG);
  // Beside its ids, a step that began at the first paused task would read all that are still paused.
  expect(await read("gate_tasks_paused")).toBeLessThan(2 * LONG);
});
