import { expect, it } from "vitest";
import { parseConfig, policyFor } from "../../../src/config/service.ts";
import { Gate } from "../../../src/gate/gate.ts";
import type { Clock, Store } from "../../../src/store/port.ts";
import { sleep } from "../../support/calls.ts";
import { openTestSqlite } from "../../support/databases.ts";

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };
const ONE = { max: 1, wait_ms: 0, lease_ms: 1_000 };

const gateOver = async (store: Store, clock: Clock): Promise<Gate> => {
  const { policy: configured, defaults } = parseConfig({});
  const policy = policyFor(configured, "serial-gate");
  const gate = new Gate({ store, policy, defaults, log: SILENT, clock });
  await gate.adopt();
  gate.start();
  await gate.createTask(null, { repo: "acme/web", work_item_id: "WEB-1", stage: "analysis" });
  return gate;
};

/** A door that someone stands in front of until it is opened. */
const door = () => {
  let open = (): void => undefined;
  let arrive = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const arrived = new Promise<void>((resolve) => (arrive = resolve));
  const pass = (): Promise<void> => {
    arrive();
    return opened;
  };
  return { pass, arrived, open };
};

it("runs maintenance again for a lease that expired during it, without a request", async () => {
  const store = await openTestSqlite(Date.now);
  let reading = { pass: () => Promise.resolve() };
  let writing = { pass: () => Promise.resolve() };
  const gate = await gateOver(
    {
      ...store,
      read: async (operation) => {
        const value = await store.read(operation);
        await reading.pass();
        return value;
      },
      write: async (operation) => {
        const value = await store.write(operation);
        await writing.pass();
        return value;
      },
    },
    Date.now,
  );
  // The chores look for what is due first, and then read what else they tend to. A lease is given and ends
  // after the one and before the other is done.
  const [written, read] = [door(), door()];
  writing = written;
  const claiming = gate.claim(null, { ...ONE, lease_ms: 2_000 });
  await written.arrived;
  writing = { pass: () => Promise.resolve() };
  let readings = 0;
  reading = { pass: () => (++readings === 2 ? read.pass() : Promise.resolve()) };
  await read.arrived;
  written.open();
  const [job] = (await claiming).jobs;
  const waiting = gate.claim(null, { ...ONE, wait_ms: 10_000 });
  await sleep(2_200);
  read.open();
  expect((await waiting).jobs).toMatchObject([{ id: job?.id, attempt: 2 }]);
  gate.drain();
  await sleep(50);
  await store.close();
});

it.each([90, 130, 170, 210, 250, 290])(
  "expires a lease at once when it falls due right after maintenance looked (%i ms)",
  async (step) => {
    // A clock that goes on with every reading, and only so: every timer comes early by it.
    let now = Date.parse("2026-06-15T12:00:00Z");
    const store = await openTestSqlite(() => now);
    let due = Infinity;
    let fellDue = Infinity;
    const gate = await gateOver(
      {
        ...store,
        read: async (operation) => {
          const value = await store.read(operation);
          now += step;
          if (now >= due) fellDue = Math.min(fellDue, performance.now());
          return value;
        },
      },
      () => now,
    );
    const [job] = (await gate.claim(null, ONE)).jobs;
    due = Date.parse(job?.lease.expires_at ?? "");
    const again = await gate.claim(null, { ...ONE, wait_ms: 25_000 });
    expect(again.jobs).toMatchObject([{ id: job?.id, attempt: 2 }]);
    // A round would be a second.
    expect(performance.now() - fellDue).toBeLessThan(800);
    gate.drain();
    await sleep(50);
    await store.close();
  },
);

it("hands out a job while more pauses end at once than a round of maintenance resumes, and resumes all", async () => {
  const store = await openTestSqlite(Date.now);
  const gate = await gateOver(store, Date.now);
  const paused = async () => (await gate.stateCounts()).pausedTasks;
  for (let task = 0; task < 1_200; task += 1)
    await gate.createTask(null, {
      repo: `many/${task % 3}`,
      work_item_id: `MANY-${task}`,
      stage: "analysis",
      entry_job: false,
    });
  const until = new Date(Date.now() + 2_000).toISOString();
  for (const repo of ["many/0", "many/1", "many/2"]) await gate.pauseLane(null, { repo }, { until });
  await sleep(Date.parse(until) - Date.now());
  const [job] = (await gate.claim(null, ONE)).jobs;
  expect(job).toMatchObject({ work_item_id: "WEB-1" });
  expect(await paused()).toBeGreaterThan(0);
  await expect.poll(paused, { timeout: 10_000 }).toBe(0);
  gate.drain();
  await sleep(50);
  await store.close();
});
