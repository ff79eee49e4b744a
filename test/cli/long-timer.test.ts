import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { startTimer } from "../../src/cli/long-timer.ts";

const DAY_MS = 86_400_000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it.each([0, 1, 24, 25, 30, 60, 400])(
  "a timer of %d days fires once, when it is due and not before",
  (days) => {
    let fired = 0;
    startTimer(days * DAY_MS, () => (fired += 1));
    vi.advanceTimersByTime(Math.max(days * DAY_MS - 1, 0));
    expect(fired).toBe(days === 0 ? 1 : 0);
    vi.advanceTimersByTime(DAY_MS);
    expect(fired).toBe(1);
    vi.advanceTimersByTime(100 * DAY_MS);
    expect(fired).toBe(1);
  },
);

it("a timer that is cancelled never fires, also after its first piece", () => {
  let fired = 0;
  const cancel = startTimer(60 * DAY_MS, () => (fired += 1));
  vi.advanceTimersByTime(30 * DAY_MS);
  cancel();
  vi.advanceTimersByTime(100 * DAY_MS);
  expect(fired).toBe(0);
});
