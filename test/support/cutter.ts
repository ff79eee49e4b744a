/** An operator of the database who cuts connections while others work. */

import { setTimeout as sleep } from "node:timers/promises";
import { connectTo } from "./postgres.ts";

const EVERY_MS = 200;

/** Ends up to `most` of the database's sessions, drawn at random, five times a second.
 *  @returns what to call to end that; it tells how many were cut */
export const cutConnections = async (url: string, most = 1): Promise<() => Promise<number>> => {
  const operator = await connectTo(url);
  const over = new AbortController();
  const cutting = (async (): Promise<number> => {
    let cut = 0;
    while (!over.signal.aborted) {
      const { rowCount } = await operator.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT $1`,
        [most],
      );
      cut += rowCount ?? 0;
      await sleep(EVERY_MS, undefined, { signal: over.signal }).catch(() => undefined);
    }
    return cut;
  })();
  return () => {
    over.abort();
    return cutting;
  };
};
