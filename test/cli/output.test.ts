import { expect, it } from "vitest";
import { near } from "../../src/contract/names/near.ts";
import { tableOf } from "../../src/cli/output/table.ts";
import type { Screen } from "../../src/cli/output/terminal.ts";
import { cut, plain } from "../../src/cli/output/text.ts";
import { duration, instant, shortLengthOf } from "../../src/cli/output/time.ts";
import { lengthOf } from "../../src/contract/people-text.ts";

const FILE: Screen = { isTerminal: false, columns: 80, rows: 24, paint: (_, text) => text };

it("aligns table cells whose width differs from their length", () => {
  const rows = ["старт", "日本", "e\u0301te\u0301", ""].map((word) => ({ word }));
  const columns = [
    { head: "WORD", cell: (row: { word: string }) => row.word },
    { head: "END", cell: () => "|" },
  ];
  expect(tableOf(columns, rows, FILE, false)).toEqual([
    "WORD   END",
    "старт  |",
    "日本   |",
    "e\u0301te\u0301    |",
    "-      |",
  ]);
});

it("cuts the widest cells of a table on a terminal so that no line wraps, but never a whole column", () => {
  const rows = [{ name: "a-long-repository-name", secret: "t".repeat(20) }];
  const columns = [
    { head: "NAME", cell: (row: { name: string }) => row.name },
    { head: "TOKEN", cell: (row: { secret: string }) => row.secret, whole: true as const },
    { head: "N", cell: () => 1 },
  ];
  const on = (screen: Screen): string[] => tableOf(columns, rows, screen, false);
  expect(on({ ...FILE, columns: 40 })[1]).toBe(`a-long-repository-name  ${"t".repeat(20)}  1`);
  const lines = on({ ...FILE, isTerminal: true, columns: 40 });
  expect(lines).toEqual([
    "NAME             TOKEN                 N",
    `a-long-reposit…  ${"t".repeat(20)}  1`,
  ]);
  expect(on({ ...FILE, isTerminal: true, columns: 20 })[1]).toBe(`a-long-…  ${"t".repeat(20)}  1`);
});

it.each([
  ["short", 10, "short"],
  ["exactly ten", 11, "exactly ten"],
  ["longer than it", 8, "longer …"],
  ["日本語", 4, "日…"],
  ["🇨🇭🇨🇭🇨🇭", 5, "🇨🇭🇨🇭…"],
  ["\u001b[31mred and long\u001b[39m", 5, "\u001b[31mred …\u001b[39m"],
])("cuts %j to %i columns", (line, columns, shown) => {
  expect(cut(line, columns)).toBe(shown);
});

it("prints control and direction characters as visible text on one line", () => {
  expect(plain("a\nb\tc\u001b[2J\u202e \u0007")).toBe("a b c\u{fffd}[2J\u{fffd} \u{fffd}");
});

it.each([
  ["10s", 10_000],
  ["1h30m", 5_400_000],
  ["1.5h", 5_400_000],
  ["2d", 172_800_000],
  ["250ms", 250],
])("reads %s as a duration", (text, ms) => {
  expect(duration(text)).toBe(ms);
});

it.each(["10", "ten minutes", "10 m", "-5m", "5m!", "", "m"])("refuses %j as a duration", (text) => {
  expect(() => duration(text)).toThrow("Expected a duration");
});

it("reads an instant as a time with a zone or as a duration from now", () => {
  expect(instant("2026-06-15T20:00+02:00")).toBe("2026-06-15T18:00:00.000Z");
  expect(Math.abs(Date.parse(instant("1h")) - Date.now() - 3_600_000)).toBeLessThan(60_000);
  for (const text of ["2026-06-15", "2026-06-15T18:00", "2026-13-15T18:00Z", "tomorrow", "99999999d"])
    expect(() => instant(text), text).toThrow("Expected");
});

it.each([
  [0, "0 s"],
  [59_999, "59 s"],
  [60_000, "1 min"],
  [3_725_000, "1 h 2 min"],
  [90_000_000, "1 d 1 h"],
])("prints %i ms as %s", (ms, text) => {
  expect(lengthOf(ms)).toBe(text);
});

it.each([
  [0, "0s"],
  [59_999, "59s"],
  [725_000, "12m"],
  [3_725_000, "1h"],
  [90_000_000, "1d"],
])("prints %i ms in a table cell as %s", (ms, text) => {
  expect(shortLengthOf(ms)).toBe(text);
});

it.each([
  ["WBE-8", ["WEB-8", "API-8"], ["WEB-8"]],
  ["web-8", ["WEB-8", "WEB-88", "WEB-7", "WEB-9"], ["WEB-8", "WEB-7", "WEB-88"]],
  ["acme/wbe", ["acme/web", "acme/api", "other/web"], ["acme/web"]],
  ["#4", ["pino#4", "fastify#5"], ["pino#4"]],
  ["WEB-8", ["WEB-8"], []],
  ["nothing", ["like", "it"], []],
])("suggests for %s, among %j, the closest names", (word, known, meant) => {
  expect(near(word, known)).toEqual(meant);
});
