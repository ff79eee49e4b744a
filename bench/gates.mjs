/** Gates in the bench's own process: what an operation costs without HTTP.
 *  Many operations are asked for in one turn, as busy callers do. */

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
};
export const OFF = { enabled: false, dependencies: false };

/** No lease lapses while it is measured. Milliseconds. */
export const LEASE_MS = 86_400_000;
const DEFAULTS = { leaseMs: LEASE_MS, maxAttempts: 2, retryMs: 5_000, retryMaxMs: 300_000 };
const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

const ACTOR = "bench";

/** A gate, and operations on it that say what they cost: `inTurn` operations asked for in one turn, in milliseconds,
 *  without what prepares them and what undoes them. */
export const openGate = async (url, { policy = {}, adopt = true, inTurn } = {}) => {
  const store = await openStore(url);
  const gate = new Gate({ store, policy: { ...POLICY, ...policy }, defaults: DEFAULTS, log: SILENT });
  if (adopt) await gate.adopt();

  const many = (operation) => Promise.all(Array.from({ length: inTurn }, (_, index) => operation(index)));
  const claim = (more = {}) => gate.claim(ACTOR, { max: 1, wait_ms: 0, worker: "bench", ...more });
  const claimed = async (more) => {
    const {
      jobs: [job],
    } = await claim(more);
    if (!job) throw new Error("There is nothing left to claim.");
    return job;
  };
  const giveBack = (jobs) => Promise.all(jobs.map(({ id, lease }) => gate.release(ACTOR, id, lease.token)));

  return {
    gate,

    claims: async () => {
      let jobs;
      const ms = await timed(async () => (jobs = await many(() => claimed())));
      await giveBack(jobs);
      return ms;
    },

    /** Each in a turn and a transaction of its own. */
    claimsOneByOne: async () => {
      const jobs = [];
      const ms = await timed(async () => {
        for (let index = 0; index < inTurn; index += 1) jobs.push(await claimed());
      });
      await giveBack(jobs);
      return ms;
    },

    /** Of a worker for whose kind of work there is none, while there is for others. */
    claimsOfNothing: () => timed(() => many(() => claim({ agents: ["nobody"] }))),

    enqueues: ({ repo, work_item_id }) =>
      timed(() => many(() => gate.createJob(ACTOR, { repo, work_item_id, agent: "developer" }))),

    pauses: async (workItem) => {
      const ms = await timed(() => many((index) => gate.pause(ACTOR, workItem(index), {})));
      await many((index) => gate.resume(ACTOR, workItem(index)));
      return ms;
    },

    freezes: async (repo) => {
      const ms = await timed(() => many((index) => gate.freeze(ACTOR, repo(index), {})));
      await many((index) => gate.unfreeze(ACTOR, { repo: repo(index) }));
      return ms;
    },

    completions: async () => {
      const jobs = await many(() => claimed());
      let stage = 0;
      return timed(() =>
        Promise.all(
          jobs.map(({ id, lease }) =>
            gate.complete(ACTOR, id, { lease_token: lease.token, stage: `development-${(stage += 1)}` }),
          ),
        ),
      );
    },

    close: async () => {
      gate.drain();
      await store.close();
    },
  };
};
