/** Random choices from a seed. A fork has a sequence of its own, so that one actor's choices do not move another's. */

/** FNV-1a. */
const hashOf = (text) => {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ char.codePointAt(0), 0x01000193);
  return hash >>> 0;
};

/** @param seed any text or number; the same gives the same choices */
export const randomFrom = (seed) => {
  let state = hashOf(String(seed));
  /** A number in [0, 1): mulberry32. */
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  /** A whole number from `least` to `most`. */
  const between = (least, most) => least + Math.floor(next() * (most - least + 1));
  const oneOf = (values) => values[Math.floor(next() * values.length)];
  return {
    next,
    between,
    oneOf,
    /** True `percent` times in a hundred. */
    chance: (percent) => next() * 100 < percent,
    /** The name of one of the shares, the larger the likelier. */
    pick: (shares) => {
      const entries = Object.entries(shares);
      let left = next() * entries.reduce((sum, [, share]) => sum + share, 0);
      return (entries.find(([, share]) => (left -= share) < 0) ?? entries.at(-1))[0];
    },
    fork: (name) => randomFrom(`${seed}/${name}`),
  };
};
