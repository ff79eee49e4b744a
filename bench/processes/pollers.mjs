/** Dashboards that poll the queue without a pause, in a process of their own: the caller whose claims are timed beside them has
 *  an event loop for itself. */

import { AUTHORIZED } from "../rows/http.mjs";

const [url, count] = process.argv.slice(2);
const hangUp = new AbortController();

const poll = async () => {
  while (!hangUp.signal.aborted)
    await fetch(`${url}/queue`, { headers: AUTHORIZED, signal: hangUp.signal })
      .then((answer) => answer.arrayBuffer())
      .catch(() => undefined);
};

process.on("disconnect", () => hangUp.abort());
process.send({});
await Promise.all(Array.from({ length: Number(count) }, poll));
