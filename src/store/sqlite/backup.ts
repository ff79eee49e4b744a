/** Copies a SQLite file that other programs read and write, as one snapshot. It judges no content: see the doctor. */

import { closeSync, fsyncSync, openSync } from "node:fs";
import { dirname, resolve } from "node:path";
import Database from "better-sqlite3";
import { StoreFault } from "../port.ts";
import { busyFault, faultOf } from "./faults.ts";

const BUSY_TIMEOUT_MS = 5_000;
/** How long another program may keep every reader out. */
const GIVE_UP_MS = 60_000;
const EVERY_PAGE = 0x7f_ff_ff_ff;

const sync = (path: string): void => {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
};

/** Copies every page in one step. In several, each commit of another program would begin the copy anew; and VACUUM INTO may
 *  number the rows of another program's tables anew. In WAL mode nobody waits for it; in a rollback journal's mode, commits
 *  wait until it is done.
 *  @param to an empty file of the caller's own
 *  @throws StoreFault */
export const copyFile = async (from: string, to: string): Promise<void> => {
  const file = resolve(from);
  let db: Database.Database | undefined;
  try {
    // A connection that only reads would leave a -wal and a -shm behind while no service runs.
    db = new Database(file, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
    const giveUpAt = performance.now() + GIVE_UP_MS;
    await db.backup(to, {
      progress: () => {
        if (performance.now() > giveUpAt) throw busyFault(file);
        return EVERY_PAGE;
      },
    });
  } catch (error) {
    const fault = faultOf(error, file);
    if (fault instanceof StoreFault) throw fault;
    const why = error instanceof Error ? error.message : String(error);
    throw new StoreFault("unavailable", `The database ${file} cannot be copied to ${to}: ${why}`, error);
  } finally {
    db?.close();
  }
  sync(to);
  sync(dirname(to));
};
