/** The rest between two steps of work in the background. */

/** Lets others come first for so many times as long as a step took.
 *  @param began of the step, in milliseconds of the clock that never jumps */
export const restAfter = (began: number, times: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, times * (performance.now() - began));
  });
