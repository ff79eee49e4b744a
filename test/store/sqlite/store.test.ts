import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it, onTestFinished } from "vitest";
import { all, first, now, run, StoreFault, type Store, type Tx } from "../../../src/store/port.ts";
import { openSqlite } from "../../../src/store/sqlite/store.ts";
import { raw, sql } from "../../../src/store/sql.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { startScript } from "../../support/process.ts";

type Mode = "delete" | "wal";

interface World {
  readonly path: string;
  readonly store: Store;
  /** Another program's connection to the file. */
  readonly other: Database.Database;
}

/** A file in that journal mode with a table `notes`, open twice. */
const world = async (mode: Mode = "wal"): Promise<World> => {
  const path = join(temporaryFolder(), "notes.db");
  const other = new Database(path, { timeout: 0 });
  other.pragma(`journal_mode = ${mode}`);
  other.exec("CREATE TABLE notes (id INTEGER PRIMARY KEY, word TEXT NOT NULL)");
  const store = await openSqlite(path, () => 42);
  onTestFinished(async () => {
    other.close();
    await store.close();
  });
  return { path, store, other };
};

const note = (word: string) => (): Tx<void> => run(sql`INSERT INTO notes(word) VALUES (${word})`);

function* words(): Tx<string[]> {
  const rows = yield* all<{ word: string }>(raw("SELECT word FROM notes ORDER BY id"));
  return rows.map(({ word }) => word);
}

const pragma = (store: Store, name: string): Promise<unknown> =>
  store.read(function* () {
    const row = yield* first<Record<string, unknown>>(raw(`PRAGMA ${name}`));
    return Object.values(row ?? {})[0];
  });

/** A setting of the connection that writes. */
const set = (store: Store, setting: string): Promise<void> =>
  store.write(() => run(raw(`PRAGMA ${setting}`)));

const sleep = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

/** The longest time, in milliseconds, that the event loop did not come round while the work went on. */
const longestStall = async (work: () => Promise<unknown>): Promise<number> => {
  let longest = 0;
  let last = performance.now();
  const look = (): void => {
    const at = performance.now();
    longest = Math.max(longest, at - last);
    last = at;
  };
  const timer = setInterval(look, 5);
  try {
    await work();
  } finally {
    clearInterval(timer);
    look();
  }
  return longest;
};

/** The contract allows 200 ms; the rest is the machine's. */
const STALL_MS = 300;

const isBusy: unknown = expect.objectContaining({ name: "StoreFault", kind: "busy" });

it.each<Mode>(["delete", "wal"])("syncs every commit in the journal mode %s", async (mode) => {
  const { store } = await world(mode);
  expect(await pragma(store, "journal_mode")).toBe(mode);
  expect(await pragma(store, "synchronous")).toBe(2); // FULL
  expect(await pragma(store, "temp_store")).toBe(2); // MEMORY
});

it("takes the time from the given clock", async () => {
  const { store } = await world();
  expect(await store.write(() => now())).toBe(42);
  expect(await store.read(() => now())).toBe(42);
});

describe("group commit", () => {
  /** SQLite's file change counter: in a rollback journal's mode every commit moves it by one. */
  const commits = (path: string): number => readFileSync(path).readUInt32BE(24);

  it("commits the writes of one turn together, in their order", async () => {
    const { path, store } = await world("delete");
    const before = commits(path);
    await Promise.all(["a", "b", "c", "d"].map((word) => store.write(note(word))));
    expect(commits(path) - before).toBe(1);
    expect(await store.read(words)).toEqual(["a", "b", "c", "d"]);
  });

  it("runs any number of writes of one turn in their order", async () => {
    const { path, store } = await world("delete");
    const before = commits(path);
    const many = Array.from({ length: 1_000 }, (_, index) => String(index));
    await Promise.all(many.map((word) => store.write(note(word))));
    expect(commits(path) - before).toBeLessThan(20);
    expect(await store.read(words)).toEqual(many);
  });

  it("lets each write of a group see the ones before it", async () => {
    const { store } = await world();
    const [, seen] = await Promise.all([store.write(note("a")), store.write(words)]);
    expect(seen).toEqual(["a"]);
  });

  it("answers writes only after their commit", async () => {
    const { store, other } = await world();
    const seen: unknown[] = [];
    await Promise.all(
      ["a", "b"].map(async (word) => {
        await store.write(note(word));
        seen.push(other.prepare("SELECT count(*) FROM notes").pluck().get());
      }),
    );
    expect(seen).toEqual([2, 2]);
  });

  it("leaves the file unchanged when every write of a group fails", async () => {
    const { path, store } = await world("delete");
    const before = commits(path);
    const refuse = store.write(function* () {
      yield* note("refused")();
      throw new Error("no");
    });
    await expect(refuse).rejects.toThrow("no");
    expect(commits(path)).toBe(before);
  });
});

describe("failed operation", () => {
  class Refusal extends Error {}

  it.each<[string, () => Tx<unknown>, unknown]>([
    [
      "its own exception",
      function* () {
        yield* note("undone")();
        throw new Refusal("It is refused.");
      },
      expect.any(Refusal),
    ],
    [
      "an unknown table",
      function* () {
        yield* note("undone")();
        return yield* all(raw("SELECT * FROM nowhere"));
      },
      expect.objectContaining({ kind: "unreadable", message: expect.stringContaining("nowhere") as unknown }),
    ],
    [
      "a failed constraint",
      function* () {
        yield* note("undone")();
        yield* run(raw("INSERT INTO notes(id, word) VALUES (1, NULL)"));
      },
      expect.objectContaining({
        name: "StoreFault",
        kind: "refused",
        message: expect.stringContaining("notes.word") as unknown,
      }),
    ],
    [
      "a ROLLBACK of its own",
      function* () {
        yield* note("undone")();
        yield* run(raw("ROLLBACK"));
      },
      expect.any(StoreFault),
    ],
  ])("fails one write alone and keeps the others of its group: %s", async (_, fails, failure) => {
    const { store, other } = await world();
    const outcomes = await Promise.allSettled([
      store.write(note("before")),
      store.write(fails),
      store.write(note("after")),
    ]);
    expect(outcomes).toEqual([
      { status: "fulfilled", value: undefined },
      { status: "rejected", reason: failure },
      { status: "fulfilled", value: undefined },
    ]);
    expect(other.prepare("SELECT word FROM notes ORDER BY id").pluck().all()).toEqual(["before", "after"]);
    await store.write(note("later"));
    expect(await store.read(words)).toEqual(["before", "after", "later"]);
  });

  it("fails one write when the disk is full and keeps serving the others", async () => {
    const { store } = await world();
    const pages = Number(await pragma(store, "page_count"));
    await set(store, `max_page_count = ${pages + 1}`);
    const huge = "x".repeat(50_000);
    const outcomes = await Promise.allSettled(
      ["a", "b", huge, "c", "d"].map((word) => store.write(note(word))),
    );
    expect(outcomes.map(({ status }) => status)).toEqual([
      "fulfilled",
      "fulfilled",
      "rejected",
      "fulfilled",
      "fulfilled",
    ]);
    expect(outcomes[2]).toMatchObject({ reason: { name: "StoreFault", kind: "unavailable" } });
    expect(await store.read(words)).toEqual(["a", "b", "c", "d"]);
    await set(store, "max_page_count = 1000000");
    await store.write(note(huge));
    expect(await store.read(words)).toHaveLength(5);
  });

  it("fails one read and keeps reading", async () => {
    const { store } = await world();
    await store.write(note("there"));
    await expect(store.read(() => all(raw("SELECT * FROM nowhere")))).rejects.toMatchObject({
      name: "StoreFault",
      kind: "unreadable",
    });
    expect(await store.read(words)).toEqual(["there"]);
  });

  it("fails as unreadable at a damaged page", async () => {
    const { path, store, other } = await world("delete");
    const page = Number(
      other.prepare("SELECT rootpage FROM sqlite_master WHERE name = 'notes'").pluck().get(),
    );
    const size = Number(other.pragma("page_size", { simple: true }));
    const file = openSync(path, "r+");
    writeSync(file, Buffer.alloc(size, 0xff), 0, size, (page - 1) * size);
    closeSync(file);
    await expect(store.read(words)).rejects.toMatchObject({ name: "StoreFault", kind: "unreadable" });
  });
});

it("reads one snapshot while another program commits", async () => {
  const { store, other } = await world();
  await store.write(note("old"));
  const [before, after] = await store.read(function* () {
    const earlier = yield* words();
    other.exec("INSERT INTO notes(word) VALUES ('new')");
    return [earlier, yield* words()];
  });
  expect(before).toEqual(["old"]);
  expect(after).toEqual(["old"]);
  expect(await store.read(words)).toEqual(["old", "new"]);
});

it("rolls back a write that happens in a read", async () => {
  const { store } = await world();
  await store.read(note("mistake")).catch(() => undefined);
  expect(await store.read(words)).toEqual([]);
});

it(
  "writes in their order after another program held the lock for a second, without blocking the event loop",
  { retry: 2 },
  async () => {
    const { store, other } = await world();
    other.exec("BEGIN IMMEDIATE; INSERT INTO notes(word) VALUES ('theirs')");
    let held = true;
    setTimeout(() => {
      other.exec("COMMIT");
      held = false;
    }, 1_000);
    const ours = Array.from({ length: 50 }, (_, index) => `ours ${index}`);
    const stall = await longestStall(() => Promise.all(ours.map((word) => store.write(note(word)))));
    expect(held).toBe(false);
    expect(await store.read(words)).toEqual(["theirs", ...ours]);
    expect(stall).toBeLessThan(STALL_MS);
  },
);

it("reads in WAL mode while another program holds the write lock", async () => {
  const { store, other } = await world();
  await store.write(note("there"));
  other.exec("BEGIN IMMEDIATE; DELETE FROM notes");
  expect(await store.read(words)).toEqual(["there"]);
  other.exec("ROLLBACK");
});

it("commits after another program's read lock is released", async () => {
  const { store, other } = await world("delete");
  const reading = other.prepare("SELECT 1 UNION ALL SELECT count(*) FROM notes").iterate();
  reading.next();
  setTimeout(() => reading.return?.(), 300);
  await store.write(note("there"));
  expect(await store.read(words)).toEqual(["there"]);
});

it(
  "fails every operation as busy and changes nothing when the lock is held longer than the timeout",
  { retry: 2 },
  async () => {
    const { store, other } = await world("delete");
    other.exec("BEGIN EXCLUSIVE");
    const from = performance.now();
    let outcomes: PromiseSettledResult<unknown>[] = [];
    const stall = await longestStall(async () => {
      const asked = Array.from({ length: 40 }, (_, index) => [
        store.write(note(`ours ${index}`)),
        store.read(words),
      ]);
      outcomes = await Promise.allSettled(asked.flat());
    });
    const waited = performance.now() - from;
    expect(outcomes).toEqual(outcomes.map(() => ({ status: "rejected", reason: isBusy })));
    expect(waited).toBeGreaterThan(4_500);
    expect(stall).toBeLessThan(STALL_MS);
    other.exec("COMMIT");
    expect(await store.read(words)).toEqual([]);
    await store.write(note("later"));
    expect(await store.read(words)).toEqual(["later"]);
  },
);

it("notifies within a second of another program's commit, and not of its own", async () => {
  const { store, other } = await world();
  let told = 0;
  const stop = store.watch(() => told++);
  onTestFinished(stop);
  await store.write(note("ours"));
  await sleep(700);
  expect(told).toBe(0);
  other.exec("INSERT INTO notes(word) VALUES ('theirs')");
  await expect.poll(() => told, { timeout: 1_000, interval: 10 }).toBe(1);
  stop();
  other.exec("INSERT INTO notes(word) VALUES ('theirs too')");
  await sleep(500);
  expect(told).toBe(1);
});

it("notifies every listener", async () => {
  const { store, other } = await world();
  const told: string[] = [];
  onTestFinished(store.watch(() => told.push("one")));
  onTestFinished(store.watch(() => told.push("two")));
  other.exec("INSERT INTO notes(word) VALUES ('theirs')");
  await expect.poll(() => told.toSorted(), { timeout: 1_000, interval: 10 }).toEqual(["one", "two"]);
});

it("does not disturb the snapshot of a running operation when it polls", async () => {
  const { store } = await world();
  onTestFinished(store.watch(() => undefined));
  const row = await store.read(() => first(raw("PRAGMA data_version")));
  expect(row).toEqual({ data_version: expect.any(Number) as unknown });
});

it.each<Mode>(["delete", "wal"])(
  "keeps acknowledged writes after SIGKILL in the journal mode %s",
  { timeout: 60_000 },
  async (mode) => {
    for (let round = 0; round < 4; round++) {
      const { path, other } = await world(mode);
      const writer = startScript("acknowledging-writer.mjs", [path]);
      await writer.lines(10);
      await sleep(Math.random() * 100);
      writer.kill("SIGKILL");
      const { signal, stdout, stderr } = await writer.ended;
      expect({ signal, stderr }).toEqual({ signal: "SIGKILL", stderr: "" });
      // The last line may be cut off.
      const acknowledged = stdout.split("\n").slice(0, -1).map(Number);
      expect(acknowledged.length).toBeGreaterThanOrEqual(10);
      const kept = new Set(other.prepare("SELECT id FROM notes").pluck().all());
      expect(acknowledged.filter((id) => !kept.has(id))).toEqual([]);
      expect(other.pragma("integrity_check", { simple: true })).toBe("ok");
    }
  },
);

it("finishes pending writes before it closes", async () => {
  const { store, other } = await world();
  const written = Promise.all(["a", "b"].map((word) => store.write(note(word))));
  await store.close();
  await written;
  expect(other.prepare("SELECT word FROM notes ORDER BY id").pluck().all()).toEqual(["a", "b"]);
});

it("finishes pending writes before it closes while another program holds the file", async () => {
  const { store, other } = await world();
  other.exec("BEGIN IMMEDIATE");
  setTimeout(() => other.exec("COMMIT"), 300);
  const written = store.write(note("a"));
  await store.close();
  await written;
  expect(other.prepare("SELECT word FROM notes").pluck().all()).toEqual(["a"]);
});

it("closes for every caller of close", async () => {
  const { store } = await world();
  const written = store.write(note("a"));
  await Promise.all([store.close(), store.close()]);
  await store.close();
  await written;
});

it("refuses operations after it was closed", async () => {
  const { store, other } = await world();
  const last = store.write(note("a"));
  const closed = store.close();
  const isClosed = { name: "StoreFault", kind: "unavailable" };
  await expect(store.write(note("b"))).rejects.toMatchObject(isClosed);
  await Promise.all([last, closed]);
  await expect(store.write(note("c"))).rejects.toMatchObject(isClosed);
  await expect(store.read(words)).rejects.toMatchObject(isClosed);
  expect(other.prepare("SELECT word FROM notes").pluck().all()).toEqual(["a"]);
});
