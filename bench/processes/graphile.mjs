/** graphile-worker: one queue name a key, jobs that do nothing, as fast as its runner takes them. */

import { makeWorkerUtils, run } from "graphile-worker";

const [connectionString, keys, jobs] = process.argv.slice(2);
const INSERT = 10_000;

/** As many at once as the callers that it is compared with. */
const WORKER = { connectionString, concurrentJobs: 50 };

const WAYS = {
  /** Each job fetched and completed by itself. More connections and a shorter poll interval than its own made it slower:
   *  every look for a job locks the queues that others look for. */
  each: { ...WORKER, maxPoolSize: 5 },
  /** Jobs fetched 500 at a time, and those that are done completed together: what it is fastest with here. It has one
   *  look at a time, which may come often. */
  batches: {
    ...WORKER,
    maxPoolSize: 20,
    pollInterval: 10,
    localQueue: { size: 500 },
    completeJobBatchDelay: 0,
  },
};

/** Milliseconds until a runner that was started has found its pace. */
const SETTLE_MS = { each: 1_000, batches: 400 };

const utils = await makeWorkerUtils({ connectionString });
await utils.migrate();

let added = 0;
let done = 0;

/** Has as many jobs wait as there were at first, in tables as autovacuum leaves them. */
const fillUp = async () => {
  while (added - done < Number(jobs)) {
    const missing = Math.min(INSERT, Number(jobs) - (added - done));
    await utils.addJobs(
      Array.from({ length: missing }, (_, index) => ({
        identifier: "nothing",
        queueName: `key-${(added + index) % Number(keys)}`,
      })),
    );
    added += missing;
  }
  await utils.withPgClient(async (client) => {
    // A runner that was stopped now and then left one locked.
    await client.query(`UPDATE graphile_worker._private_job_queues SET locked_by = NULL, locked_at = NULL
      WHERE locked_at IS NOT NULL`);
    await client.query("VACUUM ANALYZE");
  });
};

await fillUp();

const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));

/** Jobs a second over so many milliseconds, or until none is left. */
const forAWhile = async ({ way, ms }) => {
  await fillUp();
  const runner = await run({
    preset: { worker: WAYS[way] },
    noHandleSignals: true,
    taskList: { nothing: () => void (done += 1) },
  });
  await sleep(Math.min(ms, SETTLE_MS[way]));
  const before = done;
  const began = performance.now();
  do await sleep(1);
  while (done < added && performance.now() - began < ms);
  const rate = ((done - before) * 1_000) / (performance.now() - began);
  await runner.stop();
  return rate;
};

process.on("message", async (what) => process.send({ answer: await forAWhile(what) }));
process.on("disconnect", () => process.exit());
process.send({ ready: true });
