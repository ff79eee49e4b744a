/** A gate on a real database, under a clock that the test moves, with shorthands for common calls. */

import { expect, onTestFinished } from "vitest";
import type { GateErrorCode } from "../../src/contract/errors.ts";
import { Gate } from "../../src/gate/gate.ts";
import type { Log } from "../../src/gate/runtime/log.ts";
import { type Claim, ClaimRequest } from "../../src/contract/jobs.ts";
import type { Effect } from "../../src/contract/effect.ts";
import type { Lane, Queue } from "../../src/contract/queue.ts";
import type { NewTask, Task } from "../../src/contract/tasks.ts";
import type { Policy } from "../../src/gate/rule/policy.ts";
import { all, run, type Clock, type Store } from "../../src/store/port.ts";
import { raw } from "../../src/store/sql.ts";
import { installReadyIndex } from "../../src/gate/rule/ready-index.ts";
import type { DividedStore } from "../support/postgres.ts";
import type { OpenDatabase } from "../support/databases.ts";
import { DEFAULTS, POLICY } from "../support/fixtures.ts";
import { EVERYWHERE } from "../../src/contract/names/repo-pattern.ts";

export const WEB = "acme/web";
export const API = "acme/api";

/** A clock that stands still until it is moved. Milliseconds since 1970 UTC. */
export class TestClock {
  now = Date.parse("2026-06-15T08:00:00.000Z");

  /** Goes on with the clock, but for its jumps. */
  #monotonic = 0;

  readonly read: Clock = () => this.now;

  readonly readMonotonic = (): number => this.#monotonic;

  pass(ms: number): void {
    this.now += ms;
    this.#monotonic += ms;
  }

  /** Sets the clock forward or back; no time passes. */
  jump(ms: number): void {
    this.now += ms;
  }
}

const EMPTIED = ["jobs", "tasks", "job_deps", "repo_freeze", "gate_events", "gate_finishes", "gate_lanes"];

export class World {
  readonly store: Store;
  readonly clock: TestClock;
  readonly gate: Gate;
  /** The log: `level: message`. */
  readonly logged: string[] = [];

  readonly #policy: Policy;

  constructor(
    store: Store,
    clock: TestClock,
    policy: Partial<Policy> = {},
    projects: string[] = [],
    more: { readonly keptLanes?: number; readonly laneStep?: number } = {},
  ) {
    this.store = store;
    this.#policy = { ...POLICY, ...policy };
    this.clock = clock;
    const logAt =
      (level: string) =>
      (_fields: object, message: string): void => {
        this.logged.push(`${level}: ${message}`);
      };
    const log: Log = { info: logAt("info"), warn: logAt("warn"), error: logAt("error") };
    this.gate = new Gate({
      store,
      policy: this.#policy,
      defaults: DEFAULTS,
      projects,
      log,
      clock: clock.read,
      monotonic: clock.readMonotonic,
      random: () => 0.5,
      ...more,
    });
  }

  /** Another gate on the same database, under another policy. */
  under(policy: Partial<Policy>): World {
    return new World(this.store, this.clock, policy);
  }

  /** Deletes all tasks, jobs, freezes, events and lanes: for the next random history. */
  async empty(): Promise<void> {
    for (const table of EMPTIED) await this.sql(`DELETE FROM ${table}`);
  }

  /** SQL of another program, which may also change the schema. */
  async sql(text: string): Promise<void> {
    await this.#owner.write(() => run(raw(text)));
  }

  /** Starts the gate's ready index, which the owner of the schema installs. */
  async adopt(): Promise<void> {
    await this.#owner.write(() => installReadyIndex(this.#policy, this.store.dialect));
    await this.gate.adopt();
  }

  /** The store that may change the schema: on SQLite, every one. */
  get #owner(): Store {
    return "owner" in this.store ? (this.store as DividedStore).owner : this.store;
  }

  rows<Row>(text: string): Promise<Row[]> {
    return this.store.read(() => all<Row>(raw(text)));
  }

  async task(
    repo: string,
    workItem: string,
    more: Partial<NewTask> = {},
  ): Promise<Task & { job_id: number }> {
    const { task, job } = await this.gate.createTask(null, {
      repo,
      work_item_id: workItem,
      stage: "analysis",
      ...more,
    });
    return { ...task, job_id: job?.id ?? NaN };
  }

  claim(request: Partial<ClaimRequest> = {}, gone?: AbortSignal): Promise<Claim> {
    return this.gate.claim(null, { max: 1, wait_ms: 0, ...request }, gone);
  }

  /** The work items of the entry jobs that one big claim hands out. */
  async claimAll(): Promise<(string | null)[]> {
    return (await this.claim({ max: 100 })).jobs.map((job) => job.work_item_id);
  }

  /** The recorded changes that operators make, in their order. */
  operatorEvents(): Promise<{ kind: string; actor: string | null; reason: string | null }[]> {
    return this.rows(`SELECT kind, actor, reason FROM gate_events
      WHERE kind IN ('task.paused', 'task.resumed', 'task.cancelled', 'repo.frozen', 'repo.unfrozen', 'job.retried')
      ORDER BY id`);
  }

  async lane(repo: string): Promise<Lane | undefined> {
    return (await this.gate.queue(undefined, EVERYWHERE)).serial_gate.per_repo[repo];
  }

  /** Why each waiting work item waits, from `GET /queue`. */
  async reasons(): Promise<Record<string, string | null>> {
    return reasonsIn(await this.gate.queue(undefined, EVERYWHERE));
  }
}

/** A gate on a fresh database, without its ready flags; both are closed when the test ends. */
export const openWorld = async (open: OpenDatabase): Promise<World> => {
  const clock = new TestClock();
  const world = new World(await open(clock.read), clock);
  onTestFinished(async () => {
    world.gate.drain();
    await world.store.close();
  });
  return world;
};

/** The same with its ready flags. */
export const startWorld = async (open: OpenDatabase): Promise<World> => {
  const world = await openWorld(open);
  await world.adopt();
  return world;
};

/** Matches the error that the gate throws with this code. */
export const gateError = (code: GateErrorCode): object =>
  expect.objectContaining({ name: "GateError", code }) as object;

export const reasonsIn = (queue: Queue): Record<string, string | null> =>
  Object.fromEntries(
    Object.values(queue.serial_gate.per_repo)
      .flatMap((lane) => lane.waiting)
      .map((job) => [job.work_item_id ?? `job ${job.job_id}`, job.reason]),
  );

/** An effect as pairs of work item and reason. */
export const effectNames = ({ now_claimable, now_held }: Effect) => ({
  now_claimable: now_claimable.map(({ work_item_id, reason }) => [work_item_id, reason]),
  now_held: now_held.map(({ work_item_id, reason }) => [work_item_id, reason]),
});
