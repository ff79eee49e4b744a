/** The day before the demo, played in a second under a clock that is moved: real work items with workers that take minutes,
 *  and the incident that serial-gate was made for. Everything in it goes through the gate, so that its events are true. */

import { parseConfig, policyFor } from "../config/service.ts";
import { Gate } from "../gate/gate.ts";
import type { ClaimedJob } from "../contract/jobs.ts";
import type { WorkItem } from "../replay/work-items.ts";
import { migrate } from "../store/migrate.ts";
import { openStore } from "../store/open.ts";
import { AGENTS, effortOf, lotOf, sizeOf, stepAfter, type Size } from "./course.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** The past begins so long before now. */
const LENGTH = 31 * HOUR;
/** The real work items begin then: the charts show a day. */
const WORK = 25 * HOUR;
const LEASE_MS = 24 * HOUR;
const WORKERS = 9;
/** One in so many analyses has a question for a person. */
const ONE_ASKS_IN = 14;

/** A job that still runs when the past is over. */
export interface Unfinished {
  readonly job: ClaimedJob;
  /** Milliseconds. */
  readonly remaining: number;
}

interface Scene {
  readonly gate: Gate;
  /** Does something then. */
  readonly at: (time: number, what: () => Promise<unknown>) => void;
  readonly now: number;
}

type Script = (scene: Scene) => void;

const task = (
  gate: Gate,
  repo: string,
  work_item_id: string,
  title: string,
  more: object = {},
): Promise<unknown> =>
  gate.createTask(null, {
    repo,
    work_item_id,
    title,
    stage: "analysis",
    entry_job: { payload: { files: 2, lines: 30 } },
    ...more,
  });

/** Takes the next job of a repository by hand, as its worker. */
const take = async (gate: Gate, repo: string, worker: string): Promise<ClaimedJob> => {
  const { jobs } = await gate.claim(null, { worker, repos: [repo], max: 1, wait_ms: 0, lease_ms: LEASE_MS });
  const [job] = jobs;
  if (!job) throw new Error(`There is nothing to claim in ${repo}.`);
  return job;
};

/** A task that waits for a person keeps the lane closed against an urgent fix, for hours. */
const waitingForAPerson: Script = ({ gate, at, now }) => {
  const repo = "acme/orchestrator";
  at(now - 9 * HOUR, () => task(gate, repo, "ORCH-116", "Rework the retry policy"));
  at(now - 8.9 * HOUR, async () => {
    const job = await take(gate, repo, "agent-3");
    at(now - 8.2 * HOUR, () =>
      gate.complete(null, job.id, { lease_token: job.lease.token, stage: "approval" }),
    );
  });
  at(now - 6.2 * HOUR, () => task(gate, repo, "ORCH-123", "Urgent: checkout fails since the last deploy"));
  at(now - 2.1 * HOUR, () => task(gate, repo, "ORCH-124", "Bump the client library"));
};

const failedForGood: Script = ({ gate, at, now }) => {
  const repo = "acme/payments";
  at(now - 5.5 * HOUR, () => task(gate, repo, "PAY-40", "Round half to even"));
  at(now - 5.4 * HOUR, async () => {
    const analysis = await take(gate, repo, "agent-1");
    const next = [{ agent: "developer", payload: { files: 2, lines: 30 } }];
    at(now - 5.1 * HOUR, () =>
      gate.complete(null, analysis.id, { lease_token: analysis.lease.token, stage: "development", next }),
    );
    at(now - 5 * HOUR, async () => {
      const job = await take(gate, repo, "agent-7");
      at(now - 4.4 * HOUR, () =>
        gate.fail(null, job.id, {
          lease_token: job.lease.token,
          error: "agent exited 1: 3 of 412 tests are red (rounding.test.ts)",
          retry: false,
        }),
      );
    });
  });
  at(now - 3.7 * HOUR, () => task(gate, repo, "PAY-41", "Show the fee before the transfer"));
  at(now - 1.2 * HOUR, () => task(gate, repo, "PAY-42", "Log the exchange rate"));
};

const frozenAndDependent: Script = ({ gate, at, now }) => {
  at(now - 8 * HOUR, () => task(gate, "acme/api", "API-1", "Cache the price list"));
  at(now - 7.9 * HOUR, async () => {
    const job = await take(gate, "acme/api", "agent-2");
    at(now - 7.1 * HOUR, () => gate.complete(null, job.id, { lease_token: job.lease.token, stage: "done" }));
  });
  at(now - 7 * HOUR, () =>
    gate.freeze(
      null,
      { repo: "acme/api" },
      {
        by: "ann",
        reason: "post-deploy DEGRADED: error rate 4.1 %",
        work_item_id: "API-1",
      },
    ),
  );
  at(now - 6.6 * HOUR, () => task(gate, "acme/api", "API-2", "Add the discount endpoint"));
  at(now - 4.1 * HOUR, () => task(gate, "acme/api", "API-3", "Drop the old price fields"));
  at(now - 6.4 * HOUR, () =>
    task(gate, "acme/web-shop", "WEB-8", "Show the discount", {
      depends_on: [{ repo: "acme/api", work_item_id: "API-2" }],
    }),
  );
};

const pausedForLong: Script = ({ gate, at, now }) => {
  at(now - 30.5 * HOUR, () => task(gate, "acme/docs", "DOC-31", "Quote the first customers"));
  at(now - 30.4 * HOUR, async () => {
    const job = await take(gate, "acme/docs", "agent-4");
    at(now - 29.5 * HOUR, () =>
      gate.complete(null, job.id, {
        lease_token: job.lease.token,
        pause: { reason: "waits for legal: may we name the customer?" },
        stage: "review",
        next: [{ agent: "reviewer", payload: { files: 2, lines: 30 } }],
      }),
    );
  });
};

const nobodyClaims: Script = ({ gate, at, now }) => {
  at(now - 3.4 * HOUR, () => task(gate, "acme/models", "MODEL-7", "Train on the June data"));
  at(now - 3.3 * HOUR, async () => {
    const job = await take(gate, "acme/models", "agent-5");
    at(now - 3 * HOUR, () =>
      gate.complete(null, job.id, {
        lease_token: job.lease.token,
        stage: "training",
        next: [{ agent: "trainer" }],
      }),
    );
  });
};

/** A freeze that somebody has cleared already. */
const endedFreeze: Script = ({ gate, at, now }) => {
  let id = 0;
  at(now - 4.6 * HOUR, async () => {
    const freeze = await gate.freeze(
      null,
      { repo: "fastify/fastify" },
      {
        by: "deploy-watch",
        reason: "p99 above 900 ms after the deploy",
      },
    );
    id = freeze.freeze_id;
  });
  at(now - 3.9 * HOUR, () =>
    gate.unfreeze(null, { repo: "fastify/fastify", id }, { by: "ann", reason: "rolled back" }),
  );
};

const INCIDENT: readonly Script[] = [
  waitingForAPerson,
  failedForGood,
  frozenAndDependent,
  pausedForLong,
  nobodyClaims,
  endedFreeze,
];

/** The events of the day, in order of time. */
class Calendar {
  readonly #entries: {
    readonly time: number;
    readonly order: number;
    readonly what: () => Promise<unknown>;
  }[] = [];
  #count = 0;

  add(time: number, what: () => Promise<unknown>): void {
    this.#entries.push({ time, order: this.#count++, what });
  }

  next(): { readonly time: number; readonly what: () => Promise<unknown> } | undefined {
    let first = 0;
    for (const [index, entry] of this.#entries.entries()) {
      const best = this.#entries[first];
      if (best && (entry.time < best.time || (entry.time === best.time && entry.order < best.order)))
        first = index;
    }
    return this.#entries.splice(first, 1)[0];
  }
}

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

interface PastParts {
  /** An empty SQLite database. */
  readonly databaseUrl: string;
  readonly items: readonly WorkItem[];
}

/** Plays the past into the database.
 *  @returns the jobs that still run */
export const playPast = async ({ databaseUrl, items }: PastParts): Promise<Unfinished[]> => {
  const now = Date.now();
  let time = now - LENGTH;
  const clock = (): number => time;
  const store = await openStore(databaseUrl, { clock });
  await migrate(store);
  const { policy, defaults } = parseConfig({});
  const gate = new Gate({
    store,
    policy: policyFor(policy, "serial-gate"),
    defaults: { ...defaults, leaseMs: LEASE_MS },
    log: silent,
    clock,
  });
  await gate.adopt();

  const calendar = new Calendar();
  const at = (when: number, what: () => Promise<unknown>): void => {
    calendar.add(when, what);
  };
  const running = new Map<number, { job: ClaimedJob; until: number }>();
  const idle = Array.from({ length: WORKERS }, (_, n) => `agent-${n + 1}`);
  const repos = [...new Set(items.map(({ repo }) => repo)), "acme/web-shop"];

  const finish = async (job: ClaimedJob, worker: string): Promise<void> => {
    running.delete(job.id);
    idle.push(worker);
    const lease_token = job.lease.token;
    const next = stepAfter(job.agent, job.payload as Size);
    const asks = job.agent === "analyst" && lotOf(`asks ${job.work_item_id ?? ""}`) < 1 / ONE_ASKS_IN;
    await gate.complete(null, job.id, {
      lease_token,
      stage: next?.stage ?? "done",
      ...(next ? { next: [{ agent: next.agent, payload: job.payload }] } : {}),
      ...(asks && next ? { pause: { reason: "asks: keep the old option for a release?" } } : {}),
    });
    if (asks && next && job.task_id !== null) {
      const task_id = job.task_id;
      at(time + (1 + 2 * lotOf(`until ${job.work_item_id ?? ""}`)) * HOUR, () =>
        gate.resume(null, { task_id }, { by: "ann", answer: "Yes, for one release." }),
      );
    }
  };
  const claimAll = async (): Promise<void> => {
    for (;;) {
      const [worker] = idle;
      if (worker === undefined) return;
      const { jobs } = await gate.claim(null, {
        worker,
        repos,
        agents: AGENTS,
        max: 1,
        wait_ms: 0,
        lease_ms: LEASE_MS,
      });
      const [job] = jobs;
      if (!job) return;
      idle.shift();
      const until = time + effortOf(job, job.payload as Size) * 2.6 * MINUTE;
      running.set(job.id, { job, until });
      at(until, () => finish(job, worker));
    }
  };

  for (const play of INCIDENT) play({ gate, at, now });
  at(now - 6.5 * HOUR, () =>
    task(gate, "acme/web-shop", "WEB-7", "Rebuild the basket", {
      entry_job: { payload: { files: 40, lines: 2_400 } },
    }),
  );
  for (const [index, item] of items.entries()) {
    const when = now - WORK * (1 - (index + lotOf(item.work_item)) / (items.length + 1)) ** 1.15;
    at(when, () =>
      task(gate, item.repo, item.work_item, `Merged pull request ${item.work_item}`, {
        entry_job: { payload: sizeOf(item) },
      }),
    );
  }

  for (let entry = calendar.next(); entry && entry.time < now; entry = calendar.next()) {
    time = Math.max(time, entry.time);
    await entry.what();
    await claimAll();
  }
  time = now;
  gate.drain();
  await store.close();
  return Array.from(running.values(), ({ job, until }) => ({ job, remaining: Math.max(0, until - now) }));
};
