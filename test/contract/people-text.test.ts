import fc from "fast-check";
import { expect, it } from "vitest";
import { peopleText } from "../../src/contract/people-text.ts";

const FAMILY = "👨‍👩‍👧";

it.each<[string, string, string]>([
  ["text as it is", "red:\n\t🚀 é", "red:\n\t🚀 é"],
  ["U+FFFD for NUL", "a\0b\0", "a\ufffdb\ufffd"],
  ["U+FFFD for half of a surrogate pair", "a\ud83d b\ude80", "a\ufffd b\ufffd"],
  ["text of the greatest length whole", "x".repeat(10), "x".repeat(10)],
  ["an emoji as one character", "🚀".repeat(10), "🚀".repeat(10)],
  ["longer text cut and marked", "x".repeat(11), `${"x".repeat(9)}…`],
  ["emoji cut at a whole one", "🚀".repeat(11), `${"🚀".repeat(9)}…`],
  ["a family cut as one character", `${"x".repeat(7)}${FAMILY}${FAMILY}`, `${"x".repeat(7)}…`],
  ["an accent kept with its letter", `${"x".repeat(8)}e\u0301xxxx`, `${"x".repeat(8)}…`],
  ["one character without an end cut anywhere", `e${"\u0301".repeat(50)}`, `e${"\u0301".repeat(8)}…`],
])("gives %s", (_, text, storable) => {
  expect(peopleText(text, 10)).toBe(storable);
});

it("is storable and within its length for any text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }), (a, b) => {
      const text = peopleText(a + b + a, 5);
      expect(Array.from(text).length).toBeLessThanOrEqual(5);
      expect(text).not.toMatch(/[\0\p{Cs}]/u);
    }),
  );
});

it("reads a megabyte in a moment", () => {
  const started = performance.now();
  for (const text of ["x", "🚀", "\u0301", FAMILY]) peopleText(text.repeat(1_000_000 / text.length), 20_000);
  expect(performance.now() - started).toBeLessThan(2_000);
});
