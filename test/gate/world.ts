/** A gate on a real database, with a clock that tests set, and the words that tests use about it. */

import { onTestFinished } from "vitest";
import { Gate } from "../../src/gate/gate.ts";
import type { Log } from "../../src/gate/runtime/log.ts";
import { type Claim, ClaimRequest } from "../../src/contract/jobs.ts";
import type { Lane, Queue } from "../../src/contract/queue.ts";
import type { NewTask, Task } from "../../src/contract/tasks.ts";
import type { Policy } from "../../src/gate/rule/policy.ts";
import { all, run, type Clock, type Store } from "../../src/store/port.ts";
import { raw } from "../../src/store/sql.ts";

export const POLICY: Policy = {
  enabled: true,
  repos: null,
  freeze: true,
  pause: true,
  dependencies: true,
  entryAgent: "analyst",
};

export const DEFAULTS = { leaseMs: 60_000, maxAttempts: 2, retryMs: 5_000, retryMaxMs: 300_000 };

/** Opens a fresh, migrated database whose clock is the given one. */
export type OpenDatabase = (clock: Clock) => Promise<Store>;

/** A clock that stands still until it is moved. Milliseconds since 1970 UTC. */
export class TestClock {
  now = Date.parse("2026-06-15T08:00:00.000Z");

  readonly read: Clock = () => this.now;

  pass(ms: number): void {
    this.now += ms;
  }
}

export class World {
  readonly store: Store;
  readonly clock: TestClock;
  readonly gate: Gate;
  /** What the gate told people: level and sentence. */
  readonly told: string[] = [];

  constructor(store: Store, clock: TestClock, policy: Partial<Policy> = {}, projects: string[] = []) {
    this.store = store;
    this.clock = clock;
    const tell =
      (level: string) =>
      (_what: object, message: string): void => {
        this.told.push(`${level}: ${message}`);
      };
    const log: Log = { info: tell("info"), warn: tell("warn"), error: tell("error") };
    this.gate = new Gate({
      store,
      policy: { ...POLICY, ...policy },
      defaults: DEFAULTS,
      projects,
      log,
      clock: clock.read,
      random: () => 0.5,
    });
  }

  /** Another gate on the same database, under another policy. */
  under(policy: Partial<Policy>): World {
    return new World(this.store, this.clock, policy);
  }

  /** SQL of another program. */
  async sql(text: string): Promise<void> {
    await this.store.write(() => run(raw(text)));
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

  async lane(repo: string): Promise<Lane | undefined> {
    return (await this.gate.queue()).serial_gate.per_repo[repo];
  }

  /** Why each waiting work item waits, from `GET /queue`. */
  async reasons(): Promise<Record<string, string | null>> {
    return reasonsIn(await this.gate.queue());
  }
}

/** A gate that keeps its marks, on a fresh database; both are closed when the test ends. */
export const startWorld = async (open: OpenDatabase): Promise<World> => {
  const clock = new TestClock();
  const world = new World(await open(clock.read), clock);
  onTestFinished(async () => {
    world.gate.drain();
    await world.store.close();
  });
  await world.gate.adopt();
  return world;
};

export const reasonsIn = (queue: Queue): Record<string, string | null> =>
  Object.fromEntries(
    Object.values(queue.serial_gate.per_repo)
      .flatMap((lane) => lane.waiting)
      .map((job) => [job.work_item_id ?? `job ${job.job_id}`, job.reason]),
  );
