// Migrates the file FILE and kills itself at the POINT-th point of the way: before each statement of the
// migration's transaction, before its commit, and after it. With POINT 0 it lives, and says how many there are.
// usage: killed-migration.mjs FILE POINT

import { migrate } from "../../dist/store/migrate.js";
import { openStore } from "../../dist/store/open.js";
import { run } from "../../dist/store/port.js";
import { raw } from "../../dist/store/sql.js";

const [file, point] = process.argv.slice(2);
let reached = 0;
const reach = () => {
  if (++reached === Number(point)) process.kill(process.pid, "SIGKILL");
};

function* dying(tx) {
  let step = tx.next();
  while (!step.done) {
    reach();
    step = tx.next(yield step.value);
  }
  reach();
  return step.value;
}

const store = await openStore(`file:${file}`);
// With so small a cache SQLite writes into the file before the commit: the kill finds it half changed.
await store.read(() => run(raw("PRAGMA cache_size = 1")));
await migrate({
  ...store,
  write: async (operation) => {
    const written = await store.write(() => dying(operation()));
    reach();
    return written;
  },
});
await store.close();
process.stdout.write(`${reached}\n`);
