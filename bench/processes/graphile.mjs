/** graphile-worker: one queue name a key, jobs that do nothing, as fast as its runner takes them. */

import { makeWorkerUtils, run } from "graphile-worker";

const [connectionString, keys, jobs] = process.argv.slice(2);
/** As many at once as the callers that it is compared with. */
const CONCURRENCY = 50;
const INSERT = 10_000;

let done = 0;
const open = () =>
  run({
    connectionString,
    concurrency: CONCURRENCY,
    maxPoolSize: 20,
    noHandleSignals: true,
    taskList: { nothing: () => void (done += 1) },
    logger: undefined,
  });

const utils = await makeWorkerUtils({ connectionString });
await utils.migrate();
for (let from = 0; from < Number(jobs); from += INSERT)
  await utils.addJobs(
    Array.from({ length: Math.min(INSERT, Number(jobs) - from) }, (_, index) => ({
      identifier: "nothing",
      queueName: `key-${(from + index) % Number(keys)}`,
    })),
  );
await utils.withPgClient((client) => client.query("VACUUM ANALYZE"));
await utils.release();

/** Jobs a second over so many milliseconds. */
const forAWhile = async (ms) => {
  const runner = await open();
  const before = done;
  const began = performance.now();
  await new Promise((wake) => setTimeout(wake, ms));
  const rate = ((done - before) * 1_000) / (performance.now() - began);
  await runner.stop();
  return rate;
};

process.on("message", async (ms) => process.send({ answer: await forAWhile(ms) }));
process.on("disconnect", () => process.exit());
process.send({ ready: true });
