// Holds the write lock of the SQLite file FILE until it is told to stop or MS milliseconds are over; says a line
// once it holds it.
// usage: lock-holder.mjs FILE MS

import Database from "better-sqlite3";

const [file, ms] = process.argv.slice(2);
const db = new Database(file, { timeout: 10_000 });
db.exec("BEGIN IMMEDIATE");
process.stdout.write("held\n");
setTimeout(() => {
  db.exec("ROLLBACK");
  db.close();
}, Number(ms));
