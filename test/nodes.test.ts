/** Several nodes over one PostgreSQL database: gates with stores and pools of their own, workers at all of them,
 *  an operator who is in everyone's way, and a database that is too. What came of it is judged from the rows. */

import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { GateError } from "../src/contract/errors.ts";
import { StoreFault, Gate } from "../src/gate/gate.ts";
import type { ClaimedJob } from "../src/contract/jobs.ts";
import { verify, type Verdict } from "../src/replay/verify.ts";
import { migrate } from "../src/store/migrate.ts";
import { all, type Store } from "../src/store/port.ts";
import { openPostgres } from "../src/store/postgres/store.ts";
import { raw } from "../src/store/sql.ts";
import { DEFAULTS, POLICY } from "./support/fixtures.ts";
import { killConnections } from "./support/connection-killer.ts";
import { startPostgres, type PostgresServer } from "./support/postgres-server.ts";
import { asService, testDatabase } from "./support/postgres.ts";

const LONG = process.env.SERIAL_GATE_TEST_LONG === "1";
/** Two jobs a task: 20,000 claims in the long run. */
const SIZE = LONG ? { nodes: [2, 4], workers: 64, tasks: 10_000 } : { nodes: [2], workers: 32, tasks: 400 };
/** A machine that has much else to do claims some thirty a second. */
const LONG_MS = LONG ? 3_600_000 : 300_000;

const LANES = Array.from({ length: 12 }, (_, n) => `acme/service-${n + 1}`);
/** How many create tasks at once, so that the lanes have a backlog, and how many operate. */
const CREATORS = 6;
const OPERATORS = 3;
/** A worker whose answer was lost is waited for no longer than this. */
const LEASE_MS = 3_000;
/** Nothing at all is claimed for this long only when something is stuck. */
const STUCK_AFTER_MS = 60_000;
/** One task in so many is cancelled, at most: the others have to be claimed. */
const CANCELLED_AT_MOST = 20;

const oneOf = <Value>(values: readonly Value[]): Value => {
  const value = values[Math.floor(Math.random() * values.length)];
  if (value === undefined) throw new Error("There is none to choose.");
  return value;
};

const oneIn = (many: number): boolean => Math.random() * many < 1;

const times = <Value>(count: number, make: () => Value): Value[] => Array.from({ length: count }, make);

const UNFINISHED = "stage NOT IN ('done', 'cancelled')";

const silent = (): void => undefined;
const LOG = { info: silent, warn: silent, error: silent };

/** A service's gate, with a store and a pool of its own. */
const startNode = async (url: string): Promise<{ gate: Gate; store: Store }> => {
  const store = await openPostgres(url);
  // Retries come soon and as often as it takes: this test is about the jobs that a gate lets through.
  const defaults = { ...DEFAULTS, leaseMs: LEASE_MS, maxAttempts: 1_000, retryMs: 20, retryMaxMs: 100 };
  const gate = new Gate({ store, policy: POLICY, defaults, log: LOG });
  await gate.adopt();
  gate.start();
  onTestFinished(async () => {
    gate.drain();
    await store.close();
  });
  return { gate, store };
};

/** Holds every answer that a caller got against the rows. */
interface Told {
  readonly created: Set<number>;
  readonly completed: number[];
  claims: number;
}

/** Everyone who uses the nodes until every task is finished: each call goes to any of them. */
class Bustle {
  readonly told: Told = { created: new Set(), completed: [], claims: 0 };
  /** How often the database did not answer. */
  faults = 0;
  readonly #nodes: readonly { gate: Gate; store: Store }[];
  readonly #over = new AbortController();
  #creating = true;
  #cancelled = 0;

  constructor(nodes: readonly { gate: Gate; store: Store }[]) {
    this.#nodes = nodes;
  }

  get #gate(): Gate {
    return oneOf(this.#nodes).gate;
  }

  async run(workers: number, tasks: number): Promise<void> {
    const working = times(workers, () => this.#untilOver(() => this.#work()));
    try {
      // A worker ends with the others, unless it ends with an error.
      await Promise.race([this.#flow(tasks), Promise.all(working)]);
    } finally {
      this.#over.abort();
      await Promise.all(working);
    }
  }

  async #flow(tasks: number): Promise<void> {
    const stuck = this.#rejectWhenStuck();
    let next = 0;
    const create = async (): Promise<void> => {
      while (next < tasks) await this.#create(`TASK-${++next}`);
    };
    const created = Promise.all(times(CREATORS, create)).then(() => (this.#creating = false));
    const operated = Promise.all(times(OPERATORS, () => this.#operate(tasks))).then(() => this.#clear());
    await Promise.race([stuck, Promise.all([created, operated]).then(() => this.#finished())]);
  }

  /** A refusal of the gate is part of the bustle, as the row may have changed; what the database does not answer
   *  is tried again. Anything else is a fault of the program. */
  async #try<T>(call: () => Promise<T>): Promise<T | undefined> {
    try {
      return await call();
    } catch (error) {
      if (error instanceof StoreFault && error.kind !== "unreadable") {
        this.faults += 1;
        await sleep(100 * Math.random());
      } else if (!(error instanceof GateError)) throw error;
      return undefined;
    }
  }

  async #insist<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      const answer = await this.#try(call);
      if (answer !== undefined) return answer;
    }
  }

  async #untilOver(act: () => Promise<unknown>): Promise<void> {
    while (!this.#over.signal.aborted) await this.#try(act);
  }

  async #create(work_item_id: string): Promise<void> {
    const input = { repo: oneOf(LANES), work_item_id, stage: "analysis" };
    const { task } = await this.#insist(() => this.#gate.createTask(null, input));
    this.told.created.add(task.id);
  }

  async #work(): Promise<void> {
    const { jobs } = await this.#gate.claim("worker", { max: oneIn(10) ? 3 : 1, wait_ms: 1_000 });
    this.told.claims += jobs.length;
    for (const job of jobs) await this.#try(() => this.#end(job));
  }

  async #end({ id, agent, attempt, lease }: ClaimedJob): Promise<void> {
    const lease_token = lease.token;
    if (oneIn(40)) await this.#gate.release("worker", id, { lease_token });
    else if (oneIn(40)) await this.#gate.fail("worker", id, { lease_token, error: "no luck", retry: true });
    else {
      const entry = agent === POLICY.entryAgent;
      if (oneIn(20)) await this.#gate.heartbeat("worker", id, { lease_token });
      const step = entry
        ? { stage: "development", next: [{ agent: "developer" }] }
        : { stage: "done", next: [] };
      await this.#try(async () => {
        const { job } = await this.#gate.complete("worker", id, { lease_token, ...step });
        expect(job).toMatchObject({ status: "done", attempt });
        this.told.completed.push(id);
      });
    }
  }

  /** Is in the way until most of the work is done. */
  async #operate(tasks: number): Promise<void> {
    while (!this.#over.signal.aborted && (this.#creating || this.told.claims < 1.5 * tasks)) {
      await this.#try(() => this.#meddle(tasks));
      await sleep(20 * Math.random());
    }
  }

  /** Takes away what the operators left in the way. */
  async #clear(): Promise<void> {
    for (const repo of LANES) await this.#insist(() => this.#gate.unfreeze("operator", { repo }));
    for (const { work_item_id: work_item, repo } of await this.#tasks("paused_at IS NOT NULL"))
      await this.#insist(() => this.#gate.resume("operator", { work_item, repo }));
  }

  async #meddle(tasks: number): Promise<void> {
    const repo = oneOf(LANES);
    if (oneIn(3)) {
      if (oneIn(3)) await this.#gate.freeze("operator", { repo }, { reason: "a bad deploy" });
      else await this.#gate.unfreeze("operator", { repo });
      return;
    }
    const found = await this.#tasks(`repo = '${repo}' AND ${UNFINISHED} ORDER BY id LIMIT 5`);
    if (found.length === 0) return;
    const { id, work_item_id: work_item, paused_at } = oneOf(found);
    if (oneIn(15) && this.#cancelled < tasks / CANCELLED_AT_MOST) {
      this.#cancelled += 1;
      await this.#gate.cancelTask("operator", { id });
    } else if (paused_at !== null) await this.#gate.resume("operator", { work_item, repo });
    else await this.#gate.pause("operator", { work_item, repo }, { reason: "a question" });
  }

  async #finished(): Promise<void> {
    while ((await this.#tasks(`${UNFINISHED} LIMIT 1`)).length > 0 || (await this.#openJobs()) > 0)
      await sleep(250);
  }

  async #rejectWhenStuck(): Promise<void> {
    for (let claims = -1; claims !== this.told.claims && !this.#over.signal.aborted;) {
      claims = this.told.claims;
      await sleep(STUCK_AFTER_MS, undefined, { signal: this.#over.signal }).catch(() => undefined);
    }
    if (!this.#over.signal.aborted)
      throw new Error(
        `Nothing was claimed for ${STUCK_AFTER_MS / 1_000} s after ${this.told.claims} claims.`,
      );
  }

  #tasks(
    where: string,
  ): Promise<{ id: number; repo: string; work_item_id: string; paused_at: string | null }[]> {
    return this.#rows(`SELECT id, repo, work_item_id, paused_at FROM tasks WHERE ${where}`);
  }

  async #openJobs(): Promise<number> {
    const rows = await this.#rows<{ open: number }>(
      "SELECT COUNT(*) AS open FROM jobs WHERE status IN ('queued', 'delayed', 'running')",
    );
    return rows[0]?.open ?? NaN;
  }

  #rows<Row>(text: string): Promise<Row[]> {
    return this.#insist(() => oneOf(this.#nodes).store.read(() => all<Row>(raw(text))));
  }
}

/** Every answer that anyone got is in the rows, once, and the record of the rest holds against every promise. */
const judge = async (url: string, { told }: Bustle): Promise<Verdict> => {
  const store = await openPostgres(url);
  onTestFinished(() => store.close());
  const ids = async (text: string): Promise<Set<number>> => {
    const rows = await store.read(() => all<{ id: number }>(raw(text)));
    return new Set(rows.map(({ id }) => id));
  };
  const tasks = await ids("SELECT id FROM tasks");
  const done = await ids("SELECT id FROM jobs WHERE status = 'done'");
  expect([...told.created].filter((id) => !tasks.has(id))).toEqual([]);
  expect(told.completed.filter((id) => !done.has(id))).toEqual([]);
  expect(new Set(told.completed).size).toBe(told.completed.length);
  const verdict = await store.read(() => verify({ entryAgent: POLICY.entryAgent }));
  expect(verdict.violations.slice(0, 20)).toEqual([]);
  return verdict;
};

const startNodes = (url: string, count: number): Promise<{ gate: Gate; store: Store }[]> =>
  Promise.all(times(count, () => startNode(url)));

/** Keeps a server from its work for two seconds in every twelve.
 *  @returns what to call to end that; the server runs then */
const restartAgainAndAgain = (server: PostgresServer): (() => Promise<void>) => {
  const over = new AbortController();
  const restarting = (async () => {
    while (await sleep(10_000, true, { signal: over.signal }).catch(() => false)) {
      await (oneIn(2) ? server.stop() : server.kill());
      await sleep(2_000);
      await server.start();
    }
  })();
  return () => {
    over.abort();
    return restarting;
  };
};

describe.each(SIZE.nodes)("%i nodes", (count) => {
  it(
    `let ${SIZE.workers} workers through in turn while operators pause, freeze and cancel`,
    async () => {
      const url = await asService(await testDatabase(), () => POLICY);
      const bustle = new Bustle(await startNodes(url, count));
      await bustle.run(SIZE.workers, SIZE.tasks);
      const verdict = await judge(url, bustle);
      expect(verdict.tasks).toBe(SIZE.tasks);
      // Some tasks are cancelled before their second job.
      expect(verdict.claims).toBeGreaterThan(1.5 * SIZE.tasks);
      for (const made of [verdict.pauses, verdict.overtakes, verdict.freezes])
        expect(made).toBeGreaterThan(0);
    },
    LONG_MS,
  );

  it(
    "let all workers through in turn while their connections are killed",
    async () => {
      const url = await asService(await testDatabase(), () => POLICY);
      const bustle = new Bustle(await startNodes(url, count));
      const stopCutting = await killConnections(url, 3);
      await bustle.run(SIZE.workers, SIZE.tasks);
      expect(await stopCutting()).toBeGreaterThan(0);
      expect((await judge(url, bustle)).tasks).toBe(SIZE.tasks);
    },
    LONG_MS,
  );

  // A server of its own is stopped, killed and started, which takes its time.
  it.runIf(LONG)(
    "let all workers through in turn while the server is stopped, killed and restarted",
    async () => {
      const server = await startPostgres();
      onTestFinished(() => server.remove());
      const url = server.url("postgres");
      const store = await openPostgres(url);
      await migrate(store);
      await store.close();
      const bustle = new Bustle(await startNodes(url, count));
      const endRestarting = restartAgainAndAgain(server);
      await bustle.run(SIZE.workers, SIZE.tasks).finally(endRestarting);
      expect(bustle.faults).toBeGreaterThan(0);
      expect((await judge(url, bustle)).tasks).toBe(SIZE.tasks);
    },
    LONG_MS,
  );
});
