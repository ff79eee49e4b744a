import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { expect, it, onTestFinished } from "vitest";
import { history } from "../../../src/gate/queries/history.ts";
import type { Store } from "../../../src/store/port.ts";
import { openPostgres } from "../../../src/store/postgres/store.ts";
import { connectTo, testDatabase } from "../../support/postgres.ts";
import { urlAs } from "../../support/roles.ts";

const EVENTS = "gate_events";

const openStore = async (url: string): Promise<Store> => {
  const store = await openPostgres(urlAs("service", url));
  onTestFinished(() => store.close());
  return store;
};

/** Draws an event's id, as every transaction of ours and every trigger does. */
const addEvent = async (client: pg.Client): Promise<number> => {
  const { rows } = await client.query<{ id: string }>(
    "INSERT INTO gate_events(at, kind) VALUES ('2026-06-15 08:00:00.000', 'task.stage') RETURNING id",
  );
  return Number(rows[0]?.id);
};

/** The ids behind one, as a reader that follows the cursor is given them. */
const follow = async (store: Store, after: number): Promise<{ ids: number[]; next: number }> => {
  const log = { completeUpTo: await store.completeUpTo(EVENTS), lastId: await store.lastId(EVENTS) };
  const page = await store.read(() => history({ after, limit: 1_000 }, log, null));
  return { ids: page.events.map(({ id }) => id), next: page.next_cursor };
};

it("withholds later events until an earlier id is committed, so that no reader skips one", async () => {
  const url = await testDatabase();
  const store = await openStore(url);
  const [late, early] = await Promise.all([connectTo(url), connectTo(url)]);
  await addEvent(early);
  expect(await follow(store, 0)).toEqual({ ids: [1], next: 1 });

  await late.query("BEGIN");
  expect(await addEvent(late)).toBe(2);
  expect(await addEvent(early)).toBe(3);
  expect(await follow(store, 1)).toEqual({ ids: [], next: 1 });
  await late.query("COMMIT");
  expect(await follow(store, 1)).toEqual({ ids: [2, 3], next: 3 });
});

it("a rollback and writes to other tables delay no event", async () => {
  const url = await testDatabase();
  const store = await openStore(url);
  const [writer, elsewhere] = await Promise.all([connectTo(url), connectTo(url)]);
  await elsewhere.query("CREATE TABLE other(id INTEGER); BEGIN; INSERT INTO other VALUES (1)");
  await writer.query("BEGIN");
  await addEvent(writer);
  await writer.query("ROLLBACK");
  expect(await addEvent(writer)).toBe(2);
  expect(await follow(store, 0)).toEqual({ ids: [2], next: 2 });
  await elsewhere.query("COMMIT");
});

it("an open transaction delays only the events after its own, until it ends", async () => {
  const url = await testDatabase();
  const store = await openStore(url);
  const [first, second, other] = await Promise.all([connectTo(url), connectTo(url), connectTo(url)]);
  await addEvent(other);
  expect((await follow(store, 0)).next).toBe(1);
  await first.query("BEGIN");
  await addEvent(first);
  expect((await follow(store, 1)).ids).toEqual([]);
  await second.query("BEGIN");
  await addEvent(second);
  expect((await follow(store, 1)).ids).toEqual([]);
  await first.query("COMMIT");
  // Ids drawn before the second transaction began are complete; only later ones wait for it.
  expect((await follow(store, 1)).ids).toEqual([2]);
  await second.query("ROLLBACK");
  await addEvent(other);
  expect((await follow(store, 2)).ids).toEqual([4]);
});

it("never skips an event under concurrent transactions and shared readers", async () => {
  const url = await testDatabase();
  const store = await openStore(url);
  let writing = true;
  const write = async (client: pg.Client): Promise<void> => {
    for (let round = 0; round < 25; round += 1) {
      await client.query("BEGIN");
      for (let events = 0; events <= round % 3; events += 1) {
        await addEvent(client);
        await sleep(Math.random() * 8);
      }
      await client.query(round % 7 === 6 ? "ROLLBACK" : "COMMIT");
    }
  };
  const readAlong = async (): Promise<number[]> => {
    const seen: number[] = [];
    for (let after = 0, over = false; !over;) {
      over = !writing;
      const { ids, next } = await follow(store, after);
      seen.push(...ids);
      after = next;
      await sleep(Math.random() * 10);
    }
    return seen;
  };
  const clients = await Promise.all(Array.from({ length: 6 }, () => connectTo(url)));
  const readers = [readAlong(), readAlong(), readAlong()];
  await Promise.all(clients.map(write));
  writing = false;
  const { rows } = await (
    await connectTo(url)
  ).query<{ id: string }>("SELECT id FROM gate_events ORDER BY id");
  const there = rows.map(({ id }) => Number(id));
  expect(there.length).toBeGreaterThan(200);
  for (const seen of await Promise.all(readers)) expect(seen).toEqual(there);
});
