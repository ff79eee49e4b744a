/** Finds known names that are near a mistyped one. */

const MOST = 3;

/** The number of letters to insert, delete, replace or swap with their neighbour to turn one word into the other:
 *  optimal string alignment, https://en.wikipedia.org/wiki/Damerau-Levenshtein_distance */
const distance = (a: string, b: string): number => {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, at) => at)];
  const at = (row: number, column: number): number => rows[row]?.[column] ?? Infinity;
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j += 1) {
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(
        at(i - 1, j) + 1,
        at(i, j - 1) + 1,
        at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1),
        swapped ? at(i - 2, j - 2) + 1 : Infinity,
      );
    }
  }
  return at(a.length, b.length);
};

/** At most three known words, the nearest first. Each differs in at most a third of the letters, or contains the word
 *  or is contained in it. */
export const near = (word: string, known: Iterable<string>): string[] => {
  const wanted = word.toLowerCase();
  const far = Math.max(1, Math.floor(wanted.length / 3));
  return [...new Set(known)]
    .filter((each) => each !== word)
    .map((each) => {
      const other = each.toLowerCase();
      const contains = wanted.length > 1 && (other.includes(wanted) || wanted.includes(other));
      const steps = distance(wanted, other);
      return { each, steps: contains ? Math.min(steps, far) : steps };
    })
    .filter(({ steps }) => steps <= far)
    .sort((a, b) => a.steps - b.steps || (a.each < b.each ? -1 : 1))
    .slice(0, MOST)
    .map(({ each }) => each);
};

/** `Did you mean WEB-7 or WEB-8?`, or nothing. */
export const didYouMean = (word: string, known: Iterable<string>): string[] => {
  const found = near(word, known);
  return found.length === 0 ? [] : [`Did you mean ${found.join(" or ")}?`];
};
