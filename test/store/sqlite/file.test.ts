import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it, onTestFinished } from "vitest";
import { all, run, type Store, type Tx } from "../../../src/store/port.ts";
import { raw, sql } from "../../../src/store/sql.ts";
import { openSqlite } from "../../../src/store/sqlite/store.ts";
import { temporaryFolder } from "../../support/folder.ts";

type Mode = "delete" | "wal";

interface World {
  readonly folder: string;
  readonly path: string;
  readonly store: Store;
}

const makeNotes = (path: string, mode: Mode, word?: string): void => {
  const db = new Database(path);
  db.pragma(`journal_mode = ${mode}`);
  db.exec("CREATE TABLE notes (id INTEGER PRIMARY KEY, word TEXT NOT NULL)");
  if (word !== undefined) db.prepare("INSERT INTO notes(word) VALUES (?)").run(word);
  db.close();
};

const note = (word: string) => (): Tx<void> => run(sql`INSERT INTO notes(word) VALUES (${word})`);

function* words(): Tx<string[]> {
  return (yield* all<{ word: string }>(raw("SELECT word FROM notes ORDER BY id"))).map(({ word }) => word);
}

/** A file with the table `notes`, in a folder of its own, that is open and has been read and written. */
const world = async (mode: Mode): Promise<World> => {
  const folder = join(temporaryFolder(), "data");
  mkdirSync(folder);
  const path = join(folder, "notes.db");
  makeNotes(path, mode);
  const store = await openSqlite(path, () => 42);
  onTestFinished(() => store.close());
  await store.write(note("ours"));
  expect(await store.read(words)).toEqual(["ours"]);
  return { folder, path, store };
};

/** The words of a file that nobody else has open, and whether it is whole. */
const wordsOf = (path: string): unknown => {
  const db = new Database(path, { fileMustExist: true });
  try {
    expect(db.pragma("integrity_check", { simple: true })).toBe("ok");
    return db.prepare("SELECT word FROM notes ORDER BY id").pluck().all();
  } finally {
    db.close();
  }
};

const unavailable = (text: string): unknown =>
  expect.objectContaining({
    name: "StoreFault",
    kind: "unavailable",
    message: expect.stringContaining(text) as unknown,
  });

const expectLost = async (store: Store, text: string): Promise<void> => {
  const outcomes = await Promise.allSettled([
    store.write(note("lost")),
    store.write(note("lost too")),
    store.read(words),
  ]);
  const lost = { status: "rejected", reason: unavailable(text) };
  expect(outcomes).toEqual([lost, lost, lost]);
};

describe.each<Mode>(["wal", "delete"])("in the journal mode %s", (mode) => {
  it("acknowledges nothing any more once the file was deleted", async () => {
    const { path, store } = await world(mode);
    rmSync(path);
    await expectLost(store, "is gone");
    await expectLost(store, "is gone");
  });

  it("acknowledges nothing any more once the folder was renamed, also when it is back, and keeps what it had", async () => {
    const { folder, path, store } = await world(mode);
    renameSync(folder, `${folder}-moved`);
    await expectLost(store, "is gone");
    renameSync(`${folder}-moved`, folder);
    await expectLost(store, "is gone");
    await store.close();
    expect(wordsOf(path)).toEqual(["ours"]);
  });

  it("leaves a restored backup as it is, while it runs and when it closes", async () => {
    const { folder, path, store } = await world(mode);
    makeNotes(join(folder, "backup.db"), mode, "restored");
    for (let index = 0; index < 200; index++) await store.write(note("x".repeat(2_000)));
    renameSync(join(folder, "backup.db"), path);
    await expectLost(store, "is another file now");
    await expect.poll(() => wordsOf(path)).toEqual(["restored"]);
    await store.close();
    expect(wordsOf(path)).toEqual(["restored"]);
    expect(readdirSync(folder)).toEqual(["notes.db"]);
  });

  it("leaves a backup as it is that was restored right before it closes", async () => {
    const { folder, path, store } = await world(mode);
    makeNotes(join(folder, "backup.db"), mode, "restored");
    renameSync(path, join(folder, "old.db"));
    renameSync(join(folder, "backup.db"), path);
    await store.close();
    expect(wordsOf(path)).toEqual(["restored"]);
    expect(wordsOf(join(folder, "old.db"))).toEqual(["ours"]);
  });

  it("answers no write whose file was replaced before its commit", async () => {
    const { folder, path, store } = await world(mode);
    makeNotes(join(folder, "backup.db"), mode, "restored");
    const write = store.write(function* () {
      yield* note("late")();
      renameSync(join(folder, "backup.db"), path);
    });
    await expect(write).rejects.toEqual(unavailable("is another file now"));
    await store.close();
    expect(wordsOf(path)).toEqual(["restored"]);
  });
});

it("acknowledges nothing any more once the -wal was deleted, and brings what it has into the file", async () => {
  const { path, store } = await world("wal");
  rmSync(`${path}-wal`);
  await expectLost(store, "-wal was deleted");
  await store.close();
  expect(wordsOf(path)).toEqual(["ours"]);
});

it("keeps the -wal under another name while another program needs it for the replaced file", async () => {
  const { folder, path, store } = await world("wal");
  const other = new Database(path);
  const reading = other.prepare("SELECT word FROM notes UNION ALL SELECT 'more'").iterate();
  reading.next();
  await store.write(note("after the reader"));
  makeNotes(join(folder, "backup.db"), "wal", "restored");
  renameSync(join(folder, "backup.db"), path);
  await expectLost(store, "is another file now");
  await store.close();
  expect(wordsOf(path)).toEqual(["restored"]);
  expect(readdirSync(folder)).toContain("notes.db-wal-of-the-replaced-file");
  reading.return?.();
  other.close();
});

it("keeps a database in memory, which has no file", async () => {
  const store = await openSqlite(":memory:", () => 42);
  await store.write(() => run(raw("CREATE TABLE notes (id INTEGER PRIMARY KEY, word TEXT)")));
  await store.write(note("kept"));
  expect(await store.read(words)).toEqual(["kept"]);
  await store.close();
});

describe("an empty file", () => {
  const empty = (): string => {
    const path = join(temporaryFolder(), "empty.db");
    writeFileSync(path, "");
    return path;
  };

  it("is refused with the way out, and left as it is", async () => {
    const path = empty();
    await expect(openSqlite(path, Date.now)).rejects.toEqual(unavailable(path));
    await expect(openSqlite(path, Date.now)).rejects.toEqual(unavailable("SERIAL_GATE_ALLOW_EMPTY=true"));
    expect(statSync(path).size).toBe(0);
  });

  it("is a new database where that is allowed", async () => {
    const path = empty();
    const store = await openSqlite(path, Date.now, { allowEmpty: true });
    await store.write(() => run(raw("CREATE TABLE notes (id INTEGER PRIMARY KEY, word TEXT)")));
    await store.close();
    expect(wordsOf(path)).toEqual([]);
  });
});

it("creates a file that does not exist, also when many do so at once, and never leaves it empty", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "sub", "new.db");
  const stores = await Promise.all(Array.from({ length: 5 }, () => openSqlite(path, Date.now)));
  await Promise.all(stores.map((store) => store.close()));
  expect(existsSync(path)).toBe(true);
  expect(statSync(path).size).toBeGreaterThan(0);
  expect(readdirSync(join(folder, "sub"))).toEqual(["new.db"]);
});
