import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { GateError } from "../../../src/contract/errors.ts";
import { Gate } from "../../../src/gate/gate.ts";
import { verify } from "../../../src/replay/verify.ts";
import { migrate } from "../../../src/store/migrate.ts";
import { all, run, StoreFault, type Store } from "../../../src/store/port.ts";
import { openPostgres } from "../../../src/store/postgres/store.ts";
import { raw } from "../../../src/store/sql.ts";
import { DEFAULTS, POLICY } from "../../support/fixtures.ts";
import { startPostgres, type PostgresServer } from "../../support/postgres-server.ts";

let server: PostgresServer;

// A server of its own: the others' must not be stopped.
beforeAll(async () => {
  server = await startPostgres();
}, 120_000);

afterAll(() => server.remove());

const open = async (): Promise<Store> => {
  const store = await openPostgres(server.url("postgres"));
  onTestFinished(() => store.close());
  return store;
};

const isAway = (error: unknown): boolean => error instanceof StoreFault && error.kind !== "unreadable";

it(
  "keeps every acknowledged change through server restarts, and callers continue by themselves",
  { timeout: 120_000 },
  async () => {
    const [store, second] = [await open(), await open()];
    await migrate(store);
    const told: string[] = [];
    const tell = (_what: object, message: string): void => void told.push(message);
    const gates = [store, second].map(
      (each) =>
        new Gate({
          store: each,
          policy: POLICY,
          defaults: DEFAULTS,
          log: { info: tell, warn: tell, error: tell },
        }),
    );
    for (const gate of gates) await gate.adopt();
    onTestFinished(() => {
      for (const gate of gates) gate.drain();
    });

    const acknowledged = { created: new Set<string>(), done: new Set<number>() };
    const faults = { known: 0, unknown: 0 };
    let stopping = false;
    /** Asks until it is answered. A fault says to try again; where the outcome is unknown the same again gives what
     *  stands, or is refused because it stands. */
    const insist = async <T>(ask: () => Promise<T>): Promise<T | undefined> => {
      for (;;)
        try {
          return await ask();
        } catch (error) {
          if (error instanceof GateError) return undefined;
          if (!isAway(error)) throw error;
          if (String(error).includes("its outcome is unknown")) faults.unknown += 1;
          else faults.known += 1;
          await sleep(50);
        }
    };
    const orchestrator = async (gate: Gate, index: number): Promise<void> => {
      for (let n = 0; !stopping; n += 1) {
        const work_item_id = `W-${index}-${n}`;
        const created = await insist(() =>
          gate.createTask(null, { repo: `acme/r${n % 5}`, work_item_id, stage: "analysis" }),
        );
        if (created) acknowledged.created.add(work_item_id);
        await sleep(20);
      }
    };
    const worker = async (gate: Gate): Promise<void> => {
      for (let idle = 0; !stopping || idle < 5;) {
        const claimed = await insist(() => gate.claim(null, { max: 1, wait_ms: 200 }));
        const [job] = claimed?.jobs ?? [];
        idle = job ? 0 : idle + 1;
        if (!job) continue;
        const done = await insist(() =>
          gate.complete(null, job.id, { lease_token: job.lease.token, stage: "done" }),
        );
        if (done) acknowledged.done.add(job.id);
      }
    };
    /** Waits for a second, and on a slow machine until enough jobs are done. */
    const whileWorkIsDone = async (): Promise<void> => {
      const enough = acknowledged.done.size + 8;
      await sleep(1_000);
      while (acknowledged.done.size < enough) await sleep(50);
    };
    const restarts = async (): Promise<void> => {
      for (let round = 0; round < 2; round += 1) {
        await whileWorkIsDone();
        await server.stop();
        await sleep(1_000);
        await server.start();
      }
      await whileWorkIsDone();
      stopping = true;
    };
    await Promise.all([
      restarts(),
      ...gates.flatMap((gate, index) => [
        orchestrator(gate, index),
        worker(gate),
        worker(gate),
        worker(gate),
      ]),
    ]);

    // A claim whose answer was lost holds its lane until its lease lapses: here and now.
    await store.write(() =>
      all(raw("UPDATE jobs SET lease_expires_at = '2000-01-01 00:00:00.000' WHERE status = 'running'")),
    );
    for (const gate of gates) await worker(gate);

    const rows = await store.read(() =>
      all<{ id: number; work_item_id: string; stage: string }>(
        raw("SELECT id, work_item_id, stage FROM tasks"),
      ),
    );
    const there = new Set(rows.map(({ work_item_id }) => work_item_id));
    expect(there.size).toBe(rows.length);
    expect([...acknowledged.created].filter((workItem) => !there.has(workItem))).toEqual([]);
    const jobs = await store.read(() =>
      all<{ id: number; status: string }>(raw("SELECT id, status FROM jobs WHERE status <> 'done'")),
    );
    expect(jobs).toEqual([]);
    const { violations } = await store.read(() => verify({ entryAgent: POLICY.entryAgent }));
    expect(violations).toEqual([]);
  },
);

it("waits for a short outage of the server and fails during a longer one", { timeout: 60_000 }, async () => {
  const store = await open();
  const one = () => store.read(() => all(raw("SELECT 1 AS one")));
  await one();
  await server.stop();
  const early = one();
  const outcome = early.then(
    () => "answered",
    (error: unknown) => error,
  );
  await sleep(500);
  await server.start();
  expect(await outcome).toBe("answered");

  await server.stop();
  await expect(one()).rejects.toMatchObject({ name: "StoreFault", kind: "unavailable" });
  await server.start();
  expect(await one()).toEqual([{ one: 1 }]);
});

it("reads from a replica and retries changes until it is promoted", { timeout: 60_000 }, async () => {
  const store = await open();
  const note = () => store.write(() => run(raw("INSERT INTO notes VALUES ('kept')")));
  await store.write(() => run(raw("SET LOCAL search_path = public; CREATE TABLE notes (word TEXT)")));
  await note();
  await server.stop();
  const promote = await server.startAsReplica();
  const notes = () => store.read(() => all(raw("SELECT word FROM notes")));
  expect(await notes()).toHaveLength(1);
  await expect(note()).rejects.toMatchObject({ name: "StoreFault", kind: "unavailable" });
  const noted = note();
  await sleep(300);
  await promote();
  await noted;
  expect(await notes()).toHaveLength(2);
});
