/** A SQLite file as the harness sees it: beside the service, through a connection of its own and copies of the file. */

import { copyFileSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { readRows } from "../judge/rows.mjs";

const reading = (db) => async (text) => db.prepare(text).all();

/** @param folder where the file is, and @param own a folder for copies of it */
export const sqliteFile = (folder, own) => {
  const file = join(folder, "gate.db");
  const copies = join(own, "copy");
  return {
    kind: "sqlite",
    url: `file:${file}`,
    file,
    /** The rows as a crash left them: the service is dead, and a copy of the file and its log is opened and recovered.
     *  @returns undefined for a file that has no tables yet */
    afterCrash: async () => {
      if (!existsSync(file)) return undefined;
      rmSync(copies, { recursive: true, force: true });
      mkdirSync(copies);
      for (const suffix of ["", "-wal", "-journal"])
        if (existsSync(file + suffix)) copyFileSync(file + suffix, join(copies, `gate.db${suffix}`));
      const db = new Database(join(copies, "gate.db"));
      try {
        const integrity = db.pragma("integrity_check", { simple: true });
        const rows = await readRows(reading(db), "sqlite_master", "name");
        return rows && { ...rows, faults: integrity === "ok" ? [] : [`integrity_check: ${integrity}`] };
      } catch (error) {
        return { faults: [`the file cannot be read after the crash: ${error.message}`] };
      } finally {
        db.close();
      }
    },
    /** The rows as they are while the service runs, of one instant. */
    alive: async () => {
      const db = new Database(file, { readonly: true, timeout: 5_000 });
      try {
        db.exec("BEGIN");
        const rows = await readRows(reading(db), "sqlite_master", "name");
        return { ...rows, faults: [] };
      } finally {
        db.close();
      }
    },
  };
};
