/** The time as the page shows it: one signal, moved once a second while the page is visible. */

import { signal } from "@preact/signals";

const SECOND = 1_000;

/** Milliseconds since 1970 by the service's clock, as far as the page knows it. */
export const now = signal(Date.now());

let ahead = 0;

/** Follows the service's clock: a browser whose own is wrong would show wrong ages. */
export const setServiceTime = (iso: string): void => {
  const difference = Date.parse(iso) - Date.now();
  // A second or two is the answer's way here.
  ahead = Math.abs(difference) > 2 * SECOND ? difference : 0;
};

export const serviceNow = (): number => Date.now() + ahead;

export const startClock = (): void => {
  const tick = (): void => {
    if (!document.hidden) now.value = serviceNow();
  };
  setInterval(tick, SECOND);
  document.addEventListener("visibilitychange", tick);
};
