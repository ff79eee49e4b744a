/** Buffers for large texts, used again once they are written. Without it a flood of large answers leaves buffers behind faster
 *  than the garbage collector frees them. */

/** Sizes of the buffers that are kept: a large event, a stream's chunk, a page. A larger text gets a buffer of its own. */
const SIZES = [128 * 1024, 320 * 1024, 1_152 * 1024] as const;
/** Buffers of each size that are kept while nobody uses them. */
const MOST_FREE = 16;
/** Below this many bytes a buffer of its own is no burden. */
const SMALL = 16 * 1024;

export interface Lent {
  readonly bytes: Buffer;
  /** Takes the buffer back. Only for one that is written, or was never handed on. */
  readonly giveBack: () => void;
}

const free = new Map<number, Buffer[]>(SIZES.map((size) => [size, []]));

/** The text as bytes, in a buffer that is lent. */
export const lend = (text: string): Lent => {
  const length = Buffer.byteLength(text);
  const size = SIZES.find((each) => length <= each);
  const list = size === undefined || length < SMALL ? undefined : free.get(size);
  if (!list || size === undefined) return { bytes: Buffer.from(text), giveBack: () => undefined };
  const buffer = list.pop() ?? Buffer.allocUnsafeSlow(size);
  buffer.write(text);
  let isLent = true;
  return {
    bytes: buffer.subarray(0, length),
    giveBack: () => {
      if (isLent && list.length < MOST_FREE) list.push(buffer);
      isLent = false;
    },
  };
};
