/** The size of a page in bytes: whatever a caller's `limit` is, a page ends before it is larger than this. */

/** In bytes of JSON. */
export const PAGE_BYTES = 1024 * 1024;

/** A row that was found and not read yet, with the bytes of its long columns. */
export interface Found {
  readonly id: number;
  readonly bytes: number;
}

/** The first rows that fit on a page together; at least one. */
export const fitting = <Row extends Pick<Found, "bytes">>(
  found: readonly Row[],
  most = PAGE_BYTES,
): readonly Row[] => {
  let bytes = 0;
  const end = found.findIndex((row) => (bytes += row.bytes) > most);
  return end < 0 ? found : found.slice(0, Math.max(end, 1));
};

/** JSON writes a control character as six. */
const LONGEST_ESCAPE = 6;
/** The names and the short values of an entry. */
const SHORT_PART = 1_000;

/** The first entries whose JSON fits on a page; at least one.
 *  @param bytes of the long texts in them, before they are escaped: few bytes need no second look */
export const fittingAsJson = <Entry>(
  entries: readonly Entry[],
  bytes: number,
  most = PAGE_BYTES,
): readonly Entry[] =>
  bytes * LONGEST_ESCAPE + entries.length * SHORT_PART <= most
    ? entries
    : fitting(
        entries.map((entry) => ({ entry, bytes: Buffer.byteLength(JSON.stringify(entry)) + 1 })),
        most,
      ).map(({ entry }) => entry);

export const bytesOf = (found: readonly Pick<Found, "bytes">[]): number =>
  found.reduce((sum, { bytes }) => sum + bytes, 0);
