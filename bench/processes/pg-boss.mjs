/** pg-boss: a queue of the policy key_strict_fifo, jobs that do nothing, as fast as they are fetched and completed. */

import { PgBoss } from "pg-boss";

const [connectionString, keys, jobs] = process.argv.slice(2);
const QUEUE = "nothing";
const INSERT = 10_000;

const WAYS = {
  /** Each job fetched and completed by itself, by as many callers as it is compared with. */
  each: { callers: 50, batchSize: 1 },
  /** Fewer callers and larger batches: what it is fastest with here. */
  batches: { callers: 2, batchSize: 500 },
};

const boss = new PgBoss({ connectionString, max: 50, schedule: false, supervise: false });
boss.on("error", console.error);
await boss.start();
await boss.createQueue(QUEUE, { policy: "key_strict_fifo" });

let added = 0;
let done = 0;

/** Has as many jobs wait as there were at first, in tables as autovacuum leaves them. */
const fillUp = async () => {
  while (added - done < Number(jobs)) {
    const missing = Math.min(INSERT, Number(jobs) - (added - done));
    await boss.insert(
      QUEUE,
      Array.from({ length: missing }, (_, index) => ({
        singletonKey: `key-${(added + index) % Number(keys)}`,
      })),
    );
    added += missing;
  }
  await boss.getDb().executeSql("VACUUM ANALYZE");
};

await fillUp();

/** Jobs a second over so many milliseconds, and until each caller has completed its last. */
const forAWhile = async ({ way, ms }) => {
  await fillUp();
  const { callers, batchSize } = WAYS[way];
  const before = done;
  const began = performance.now();
  const work = async () => {
    while (performance.now() - began < ms) {
      const fetched = await boss.fetch(QUEUE, { batchSize });
      if (fetched.length > 0)
        await boss.complete(
          QUEUE,
          fetched.map(({ id }) => id),
        );
      done += fetched.length;
    }
  };
  await Promise.all(Array.from({ length: callers }, work));
  return ((done - before) * 1_000) / (performance.now() - began);
};

process.on("message", async (what) => process.send({ answer: await forAWhile(what) }));
process.on("disconnect", () => process.exit());
process.send({ ready: true });
