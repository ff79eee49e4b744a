// Another program that writes to the SQLite file FILE: runs SQL in one transaction of its own and says a line when
// that is committed.
// usage: second-writer.mjs FILE SQL

import Database from "better-sqlite3";

const [file, sql] = process.argv.slice(2);
const db = new Database(file, { timeout: 10_000 });
db.exec(`BEGIN IMMEDIATE; ${sql}; COMMIT`);
process.stdout.write("committed\n");
db.close();
