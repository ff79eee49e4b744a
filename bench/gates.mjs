/** Gates in the bench's own process: what an operation costs without HTTP. */

import { Gate } from "../dist/gate/gate.js";
import { openStore } from "../dist/store/open.js";
import { timed } from "./rounds.mjs";

const POLICY = {
  enabled: true,
  repos: null,
  freeze: true,
  pause: true,
  dependencies: true,
  entryAgent: "analyst",
  strictLanes: true,
};
export const OFF = { enabled: false, dependencies: false };

/** No lease lapses while it is measured. Milliseconds. */
export const LEASE_MS = 86_400_000;
const DEFAULTS = { leaseMs: LEASE_MS, maxAttempts: 2, retryMs: 5_000, retryMaxMs: 300_000 };
const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

const ACTOR = "bench";

/** Many calls in one turn, as busy callers make them. */
export const together = (times, call) =>
  Promise.all(Array.from({ length: times }, (_, index) => call(index)));

/** One call after another, as one caller makes them: each has a transaction to itself. */
export const oneByOne = async (times, call) => {
  const answers = [];
  for (let index = 0; index < times; index += 1) answers.push(await call(index));
  return answers;
};

/** A gate, as it is after its start. */
export const openGate = async (url, { policy = {}, keptLanes } = {}) => {
  const store = await openStore(url);
  const gate = new Gate({
    store,
    policy: { ...POLICY, ...policy },
    defaults: DEFAULTS,
    log: SILENT,
    ...(keptLanes !== undefined && { keptLanes }),
  });
  await gate.adopt();
  return {
    gate,
    close: async () => {
      gate.drain();
      await store.close();
    },
  };
};

/** Operations on a gate. Each answers what one call costs in milliseconds, without what prepares it and what undoes it.
 *  @param calls `together` or `oneByOne`
 *  @param times how many calls at a time */
export const operationsOn = ({ gate }, calls, times) => {
  const many = (call) => calls(times, call);
  const each = async (call) => (await timed(() => many(call))) / times;

  const claim = (more = {}) => gate.claim(ACTOR, { max: 1, wait_ms: 0, worker: "bench", ...more });
  const claimed = async () => {
    const {
      jobs: [job],
    } = await claim();
    if (!job) throw new Error("There is nothing left to claim.");
    return job;
  };

  return {
    claims: async () => {
      const jobs = [];
      const ms = await each(async () => jobs.push(await claimed()));
      await many((index) => gate.release(ACTOR, jobs[index].id, { lease_token: jobs[index].lease.token }));
      return ms;
    },

    /** Of a worker for whose kind of work there is none, while there is for others. */
    claimsOfNothing: () => each(() => claim({ agents: ["nobody"] })),

    enqueues: ({ repo, work_item_id }) =>
      each(() => gate.createJob(ACTOR, { repo, work_item_id, agent: "developer" })),

    /** @param workItem gives the work item of the n-th call */
    pauses: async (workItem) => {
      const ms = await each((index) => gate.pause(ACTOR, workItem(index), {}));
      await many((index) => gate.resume(ACTOR, workItem(index)));
      return ms;
    },

    /** @param repo gives the repository of the n-th call */
    freezes: async (repo) => {
      const ms = await each((index) => gate.freeze(ACTOR, { repo: repo(index) }, {}));
      await many((index) => gate.unfreeze(ACTOR, { repo: repo(index) }));
      return ms;
    },

    completions: async () => {
      const jobs = await many(() => claimed());
      return each((index) =>
        gate.complete(ACTOR, jobs[index].id, {
          lease_token: jobs[index].lease.token,
          stage: `development-${index + 1}`,
        }),
      );
    },
  };
};
