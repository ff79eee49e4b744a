/** Tells whether the path of a database still names the file that is open. SQLite goes on with a file that was unlinked or
 *  replaced, and what it then acknowledges is lost; and it would play the old -wal over a file that took its place.
 *  A file that was lost once stays lost: its -wal and the file at the path may have parted meanwhile. */

import { realpathSync, renameSync, rmSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type Database from "better-sqlite3";
import { StoreFault } from "../port.ts";

interface Identity {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** @returns undefined when the path names nothing */
const identityOf = (path: string): Identity | undefined => {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found && { dev: found.dev, ino: found.ino };
};

const isSame = (one: Identity | undefined, other: Identity | undefined): boolean =>
  one?.ino === other?.ino && one?.dev === other?.dev;

const IT_STOPS =
  "Nothing is acknowledged any more. Put the right file in its place and restart the service: docs/operations.md.";

export class FileIdentity {
  readonly #path: string;
  /** Without symbolic links, as SQLite names the files beside it. */
  readonly #real: string;
  readonly #database: Identity | undefined;
  #wal: Identity | undefined;
  #lost: StoreFault | undefined;

  /** @param path of a file that is open now */
  constructor(path: string) {
    this.#path = resolve(path);
    this.#real = realpathSync(this.#path);
    this.#database = identityOf(this.#path);
    this.#wal = identityOf(`${this.#real}-wal`);
  }

  /** True once the path has named something else. */
  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** @throws StoreFault unavailable when the path does not name the open file, now or at an earlier look */
  check(): void {
    this.#lost ??= this.#look();
    if (this.#lost) throw this.#lost;
  }

  #look(): StoreFault | undefined {
    let changed: string | undefined;
    try {
      changed = this.#changed();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new StoreFault("unavailable", `The database ${this.#path} cannot be looked at: ${why}`, error);
    }
    return changed === undefined ? undefined : new StoreFault("unavailable", `${changed} ${IT_STOPS}`);
  }

  /** A sentence about what changed under the open file. */
  #changed(): string | undefined {
    const database = identityOf(this.#path);
    if (!database) return `The database ${this.#path} is gone: it was deleted or moved while it was open.`;
    if (!isSame(database, this.#database))
      return `The database ${this.#path} is another file now: it was replaced while it was open.`;
    const wal = identityOf(`${this.#real}-wal`);
    // In a rollback journal's mode there is none, until another program switches to WAL.
    this.#wal ??= wal;
    return isSame(wal, this.#wal)
      ? undefined
      : `The file ${this.#real}-wal was deleted or replaced while the database was open.`;
  }

  /** Brings the -wal of a lost file home into it, and takes the files beside it away from the file that took its place:
   *  SQLite would play the one over the other. Then closes the connection, the last one of this process. */
  partFrom(db: Database.Database): void {
    try {
      this.#takeAway(bringHome(db));
    } catch {
      // Nobody is told, because nobody waits: the next start reports a file that it cannot use.
    } finally {
      db.close();
    }
  }

  #takeAway(isHome: boolean): void {
    if (isSame(identityOf(this.#real), this.#database)) return;
    const wal = `${this.#real}-wal`;
    if (!this.#wal || !isSame(identityOf(wal), this.#wal)) return;
    // A -wal that another program still needs keeps its content, under a name that no database has.
    if (isHome) rmSync(wal, { force: true });
    else renameSync(wal, `${wal}-of-the-replaced-file`);
    rmSync(`${this.#real}-shm`, { force: true });
  }
}

/** Writes the -wal into the file that it belongs to, by the open descriptors; false when another connection needs it. */
const bringHome = (db: Database.Database): boolean => {
  try {
    const [done] = db.pragma("wal_checkpoint(TRUNCATE)") as { readonly busy: number }[];
    return done?.busy === 0;
  } catch {
    return false; // A full disk, for one.
  }
};
