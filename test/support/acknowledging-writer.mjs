// Writes rows into the table `notes` of FILE, several at a time, for as long as it lives, and says the id of each
// once its write has resolved.
// usage: acknowledging-writer.mjs FILE

import { openStore } from "../../dist/store/open.js";
import { run } from "../../dist/store/port.js";
import { sql } from "../../dist/store/sql.js";

const [file] = process.argv.slice(2);
const AT_ONCE = 5;

const store = await openStore(`file:${file}`);
for (let next = 1; ; next += AT_ONCE)
  await Promise.all(
    Array.from({ length: AT_ONCE }, async (_, index) => {
      const id = next + index;
      await store.write(() => run(sql`INSERT INTO notes(id, word) VALUES (${id}, 'kept')`));
      process.stdout.write(`${id}\n`);
    }),
  );
