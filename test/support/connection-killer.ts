/** Kills random connections of a database while a test works on it. */

import { setTimeout as sleep } from "node:timers/promises";
import { connectTo } from "./postgres.ts";

const EVERY_MS = 200;

/** Ends up to `most` random sessions of the database, five times a second.
 *  @returns a function that stops it and returns how many sessions it ended */
export const killConnections = async (url: string, most = 1): Promise<() => Promise<number>> => {
  const operator = await connectTo(url);
  const stopped = new AbortController();
  const killing = (async (): Promise<number> => {
    let killed = 0;
    while (!stopped.signal.aborted) {
      const { rowCount } = await operator.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY random() LIMIT $1`,
        [most],
      );
      killed += rowCount ?? 0;
      await sleep(EVERY_MS, undefined, { signal: stopped.signal }).catch(() => undefined);
    }
    return killed;
  })();
  return () => {
    stopped.abort();
    return killing;
  };
};
