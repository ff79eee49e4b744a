/** Single flight: concurrent callers share one answer. A caller that arrives while a question is being answered shares the
 *  next one, because the running one may have read before the commit that the caller wants to see. */

export const coalesce = <T>(ask: () => Promise<T>): (() => Promise<T>) => {
  let running: Promise<T> | undefined;
  let next: Promise<T> | undefined;
  const start = (): Promise<T> => {
    next = undefined;
    return (running = ask().finally(() => (running = undefined)));
  };
  return () => (running ? (next ??= running.then(start, start)) : start());
};
