/** graphile-worker: one queue name a key, jobs that do nothing, as fast as its runner takes them. */

import { run } from "graphile-worker";
import pg from "pg";

const [connectionString, keys, jobs] = process.argv.slice(2);
/** As many at once as the callers that it is compared with. */
const CONCURRENCY = 50;

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

await (await open()).stop();
const client = new pg.Client(connectionString);
await client.connect();
await client.query(
  `SELECT count(*) FROM generate_series(0, $1 - 1) AS n(i),
    LATERAL graphile_worker.add_job('nothing', queue_name := 'key-' || (i % $2::int)) AS job`,
  [jobs, keys],
);
await client.query("VACUUM ANALYZE");
await client.end();

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
