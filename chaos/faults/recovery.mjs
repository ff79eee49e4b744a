/** The end of a fault: the service must take changes again by itself. */

import { setTimeout as sleep } from "node:timers/promises";

const EVERY_MS = 100;

/** Waits until the service takes changes again; it is a violation when it does not in time. */
export const recovered = async (life, withinMs) => {
  for (const until = Date.now() + withinMs; Date.now() < until && !life.service.end; await sleep(EVERY_MS)) {
    const answer = await life.town.http
      .call({ method: "POST", path: "/serial-gate/resume?repo=acme/web&all=true", body: {} })
      .catch(() => undefined);
    if (answer?.status === 200) return;
  }
  if (!life.service.end)
    life.wrong([`${life.now}: the service does not take changes ${withinMs / 1_000} s after the fault`]);
};
