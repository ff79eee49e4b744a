/** Answers that callers share. Who asks while others are being answered shares the next answer with all who come
 *  meanwhile: the one under way may have looked before what he wants to see was committed. */

export const coalesce = <T>(ask: () => Promise<T>): (() => Promise<T>) => {
  let asked: Promise<T> | undefined;
  let next: Promise<T> | undefined;
  const begin = (): Promise<T> => {
    next = undefined;
    return (asked = ask().finally(() => (asked = undefined)));
  };
  return () => (asked ? (next ??= asked.then(begin, begin)) : begin());
};
