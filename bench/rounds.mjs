/** Measuring two things side by side, and what a number of rounds adds up to. */

const byValue = (a, b) => a - b;

const middle = (values) => {
  const sorted = [...values].sort(byValue);
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};

/** Median, least and most of the samples. */
export const summary = (samples) => ({
  median: middle(samples),
  least: Math.min(...samples),
  most: Math.max(...samples),
});

/** Milliseconds that a step takes. */
export const timed = async (step) => {
  const began = performance.now();
  await step();
  return performance.now() - began;
};

/** Takes a sample of each in turn, `rounds` times after one that does not count, and first the one, then the other
 *  first: what slows the machine slows both.
 *  @param measures functions that give a number each
 *  @returns the numbers of each, round by round */
export const inTurn = async (rounds, measures) => {
  const samples = measures.map(() => []);
  for (let round = 0; round <= rounds; round += 1) {
    const order = [...measures.keys()];
    if (round % 2 === 1) order.reverse();
    for (const index of order) {
      const sample = await measures[index]();
      if (round > 0) samples[index].push(sample);
    }
  }
  return samples;
};

/** The samples of one over those of another, round by round. */
export const ratios = (over, under) => over.map((value, round) => value / under[round]);
