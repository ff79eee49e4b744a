/** A timer of any length. Node's own takes at most 2 ** 31 - 1 milliseconds (24.8 days) and fires a longer one at once. */

const LONGEST_MS = 2 ** 31 - 1;

/** Calls back after so many milliseconds.
 *  @returns how to cancel it */
export const startTimer = (ms: number, callback: () => void): (() => void) => {
  const due = performance.now() + ms;
  let timer: NodeJS.Timeout;
  const sleep = (): void => {
    const left = due - performance.now();
    timer = left > LONGEST_MS ? setTimeout(sleep, LONGEST_MS) : setTimeout(callback, left);
  };
  sleep();
  return () => {
    clearTimeout(timer);
  };
};
