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

/** Repeats a step for so many milliseconds, once at least. */
export const goOn = async (ms, step) => {
  const end = performance.now() + ms;
  do await step();
  while (performance.now() < end);
};

/** Takes a sample of each in turn, `rounds` times, and first the one, then the other first: what slows the machine
 *  slows both.
 *  @param measures functions that give a number each
 *  @param warmUps what runs before, once, and does not count; each measure once unless told
 *  @returns the numbers of each, round by round */
export const inTurn = async (rounds, measures, warmUps = measures) => {
  for (const warmUp of warmUps) await warmUp();
  const samples = measures.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    const order = [...measures.keys()];
    if (round % 2 === 1) order.reverse();
    for (const index of order) samples[index].push(await measures[index]());
  }
  return samples;
};

/** The mean of each round's slices.
 *  @param slices of all rounds, in the order in which they were taken
 *  @param perRound how many make a round */
export const meansOf = (slices, perRound) =>
  Array.from(
    { length: slices.length / perRound },
    (_, round) =>
      slices.slice(round * perRound, (round + 1) * perRound).reduce((sum, slice) => sum + slice, 0) /
      perRound,
  );

/** The samples of one over those of another, round by round. */
export const ratios = (over, under) => over.map((value, round) => value / under[round]);
