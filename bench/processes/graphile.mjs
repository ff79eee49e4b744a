/** graphile-worker: one queue name a key, jobs that do nothing, as fast as its runner takes them. */

import { makeWorkerUtils, run } from "graphile-worker";

const [connectionString, keys, jobs] = process.argv.slice(2);
const INSERT = 10_000;

/** As many at once as the callers that it is compared with. Its poll interval is as it comes: a shorter one made it
 *  slower, because every look for a job locks the queues that others look for. */
const WORKER = { connectionString, concurrentJobs: 50, maxPoolSize: 50 };

const WAYS = {
  /** Each job fetched and completed by itself. */
  each: WORKER,
  /** Jobs fetched 500 at a time, and those that are done completed together: what it is fastest with here. */
  batches: { ...WORKER, localQueue: { size: 500 }, completeJobBatchDelay: 0 },
};

const utils = await makeWorkerUtils({ connectionString });
await utils.migrate();

let added = 0;
let done = 0;

/** Has as many jobs wait as there were at first. */
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
};

await fillUp();
await utils.withPgClient((client) => client.query("VACUUM ANALYZE"));

const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));

/** Jobs a second over so many milliseconds from the first that is done, or until none is left. */
const forAWhile = async ({ way, ms }) => {
  await fillUp();
  const before = done;
  const runner = await run({
    preset: { worker: WAYS[way] },
    noHandleSignals: true,
    taskList: { nothing: () => void (done += 1) },
  });
  while (done === before) await sleep(1);
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
