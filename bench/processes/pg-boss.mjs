/** pg-boss: a queue of the policy key_strict_fifo, jobs that do nothing, fetched and completed in batches. */

import { PgBoss } from "pg-boss";

const [connectionString, keys, jobs] = process.argv.slice(2);
const QUEUE = "nothing";
const INSERT = 10_000;
/** Fewer at once and larger batches than the callers that it is compared with: what it is fastest with here. */
const LOOPS = 4;
const BATCH = 50;

const boss = new PgBoss({ connectionString, max: 10, schedule: false, supervise: false });
boss.on("error", console.error);
await boss.start();
await boss.createQueue(QUEUE, { policy: "key_strict_fifo" });
for (let from = 0; from < Number(jobs); from += INSERT)
  await boss.insert(
    QUEUE,
    Array.from({ length: Math.min(INSERT, Number(jobs) - from) }, (_, index) => ({
      singletonKey: `key-${(from + index) % Number(keys)}`,
    })),
  );

/** Jobs a second over so many milliseconds. */
const forAWhile = async (ms) => {
  const began = performance.now();
  let done = 0;
  const work = async () => {
    while (performance.now() - began < ms) {
      const fetched = await boss.fetch(QUEUE, { batchSize: BATCH });
      if (fetched.length > 0)
        await boss.complete(
          QUEUE,
          fetched.map(({ id }) => id),
        );
      done += fetched.length;
    }
  };
  await Promise.all(Array.from({ length: LOOPS }, work));
  return (done * 1_000) / (performance.now() - began);
};

process.on("message", async (ms) => process.send({ answer: await forAWhile(ms) }));
process.on("disconnect", () => process.exit());
process.send({ ready: true });
