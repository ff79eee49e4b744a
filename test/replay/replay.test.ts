import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { parseWorkItems } from "../../src/replay/work-items.ts";
import { verify } from "../../src/replay/verify.ts";
import { openStore } from "../../src/store/open.ts";
import { POLICY } from "../support/fixtures.ts";
import { temporaryFolder } from "../support/folder.ts";
import { startProgram, type Ended } from "../support/process.ts";

const SAMPLE = fileURLToPath(new URL("../../samples/work-items.jsonl", import.meta.url));
const LINES = readFileSync(SAMPLE, "utf8").trim().split("\n");
/** A replay of a few seconds, on a machine that has much else to do. */
const LONG_MS = 120_000;

const fileOf = (lines: readonly string[]): string => {
  const file = join(temporaryFolder(), "work-items.jsonl");
  writeFileSync(file, `${lines.join("\n")}\n`);
  return file;
};

const replay = (...args: string[]): Promise<Ended> => startProgram(["replay", ...args]).ended;

/** The table as an object. */
const figuresOf = ({ stdout }: Ended): Record<string, string> =>
  Object.fromEntries(
    stdout.split("\n").flatMap((line) => {
      const [, name, value] = /^(\w[\w ]*?) {2,}(.+)$/.exec(line) ?? [];
      return name && value ? [[name, value]] : [];
    }),
  );

/** The database that a replay says it kept; removed when the test ends. */
const keptBy = (stdout: string): string => {
  const path = /^The database is (.+)$/m.exec(stdout)?.[1] ?? "";
  onTestFinished(() => {
    rmSync(dirname(path), { recursive: true, force: true });
  });
  return path;
};

it(
  "replays work items, pauses some of them, and verifies the result from the database",
  async () => {
    const ended = await replay(fileOf(LINES.slice(0, 60)), "--workers", "8", "--keep");
    expect(ended.code, ended.stderr).toBe(0);
    expect(figuresOf(ended)).toEqual({
      tasks: "59 from 60 lines",
      pauses: expect.stringMatching(/^2, overtaken by [1-9]\d* tasks$/) as unknown,
      claims: expect.stringMatching(/^\d{3}$/) as unknown,
      "wall time": expect.stringMatching(/^\d+\.\d s$/) as unknown,
      "claims a second": expect.stringMatching(/^\d+$/) as unknown,
      "longest wait": expect.stringMatching(/^\d+\.\d s \(.+#\d+\)$/) as unknown,
      verdict: "60 lines, all verified",
    });
    expect(ended.stderr).toMatch(/^59\/59 done, 60 created, \d+ claims, 0 paused, \d+ s$/m);

    const store = await openStore(`file:${keptBy(ended.stdout)}`);
    onTestFinished(() => store.close());
    const verdict = await store.read(() => verify({ entryAgent: POLICY.entryAgent }));
    expect(verdict).toMatchObject({ tasks: 59, entryStarts: 59, pauses: 2, violations: [] });
  },
  LONG_MS,
);

it(
  "says that nothing is proved when it is stopped early, and keeps the database",
  async () => {
    // Far more than is done by the first progress.
    const lines = Array.from({ length: 50 }, (_, n) =>
      LINES.map((line) => line.replace("#", `#${n}-`)),
    ).flat();
    const program = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
    const child = spawn(process.execPath, [program, "replay", fileOf(lines)], {
      env: {},
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    await once(child.stderr, "data");
    child.kill("SIGTERM");
    const [code] = (await once(child, "close")) as [number];
    expect(code).toBe(1);
    expect(stdout).toMatch(/^verdict {2,}NOT verified: The replay was stopped\. [\d,]+ violations$/m);
    expect(existsSync(keptBy(stdout))).toBe(true);
  },
  LONG_MS,
);

it.each([
  ["a file that is not there", ["no/such/file.jsonl"], /^Cannot read no\/such\/file\.jsonl: ENOENT/],
  ["no worker at all", ["--workers", "0"], /Expected a whole number from 1 to 1000\./],
  ["an option that there is not", ["--wrokers", "2"], /unknown option '--wrokers'/],
])("refuses %s", async (_, args, words) => {
  const { code, stdout, stderr } = await replay(...args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(words);
});

it("refuses a file with an invalid line before it starts, and names the line", async () => {
  const file = fileOf([LINES[0] ?? "", "{", LINES[1] ?? "", '{"at":1,"repo":"a b","work_item":"x#1"}']);
  const { code, stdout, stderr } = await replay(file);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr.trim().split("\n")).toEqual([
    `${file}:2: is not JSON`,
    expect.stringMatching(/work-items\.jsonl:4: (?=.*files)(?=.*lines)(?=.*repo)/) as unknown,
  ]);
});

it("replays in time order, not in the file's order", () => {
  const line = (at: number, work_item: string): string =>
    JSON.stringify({ at, repo: "acme/web", work_item, files: 1, lines: 1 });
  const items = parseWorkItems(`${line(2, "b")}\n\n${line(1, "a")}\n${line(2, "c")}\n`, "it");
  expect(items.map(({ work_item }) => work_item)).toEqual(["a", "b", "c"]);
});

it("the sample has 200 lines of several repositories in time order, and one work item twice", () => {
  const items = parseWorkItems(LINES.join("\n"), SAMPLE);
  expect(items).toHaveLength(200);
  expect(items.map(({ at }) => at)).toEqual(LINES.map((line) => (JSON.parse(line) as { at: number }).at));
  expect(new Set(items.map(({ repo }) => repo)).size).toBeGreaterThan(5);
  expect(new Set(items.map(({ repo, work_item }) => `${repo} ${work_item}`)).size).toBe(199);
});
