import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { ProcessContext } from "../../src/cli/context.ts";
import { run } from "../../src/cli/program.ts";
import { asTyped, withOption } from "../../src/contract/shell.ts";
import { asCommand, type Remedy } from "../../src/gate/rule/remedy.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

/** The words that a shell makes of a command. */
const wordsOf = (command: string): string[] => {
  const { stdout } = spawnSync("sh", ["-c", `printf '%s\\0' ${command}`], { encoding: "utf8" });
  return stdout.split("\0").slice(0, -1);
};

const TASK_ID = 41;

/** The change that the command line asks of the service, as `POST /path?query`. */
const callOf = async (argv: readonly string[]): Promise<string | undefined> => {
  const calls: string[] = [];
  let stderr = "";
  vi.stubGlobal("fetch", (url: string, { method }: { method: string }) => {
    const { pathname, searchParams } = new URL(url);
    const query = [...searchParams].map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
    calls.push(`${method} ${pathname}${query === "" ? "" : `?${query}`}`);
    // The task is looked up first; the call itself fails.
    const isLookup = pathname === "/tasks/resolve" || (method === "GET" && pathname === `/tasks/${TASK_ID}`);
    const answer = isLookup ? { task: { id: TASK_ID }, jobs: [] } : {};
    return Promise.resolve(Response.json(answer, { status: isLookup ? 200 : 503 }));
  });
  const stream = { write: (text: string) => (stderr += text) } as unknown as NodeJS.WriteStream;
  const context: ProcessContext = {
    env: { SERIAL_GATE_URL: "http://127.0.0.1:8080" },
    serviceEnvironment: () => ({ env: {}, isFromFile: () => false }),
    userName: () => "ann",
    stdin: process.stdin,
    stdout: stream,
    stderr: stream,
    onStop: () => undefined,
    onReload: () => undefined,
    onExit: () => undefined,
  };
  await run(argv, context);
  const change = calls.find((call) => call.startsWith("POST"));
  expect(change, stderr).toBeDefined();
  return change;
};

const HOSTILE = [
  "--all",
  "-x",
  "-",
  "--",
  "--repo=evil",
  "a=~",
  "~",
  "=ls",
  "pino#4",
  "it's",
  "$(touch pwn)",
];

/** Any name that a look-up takes: no control characters, no lone surrogates, 1 to 200 characters. */
const name = fc.oneof(
  fc.constantFrom(...HOSTILE, "a  b", " ", "`id`", "!!", "*", "a\\", '"', "ü/ß?x", "%00", "a;b", "'", "''"),
  fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
    .filter((text) => /^[^\p{Cc}\p{Cs}]+$/u.test(text)),
);

const remedies = fc.oneof(
  fc.record({ action: fc.constant("unfreeze" as const), repo: name, id: fc.integer({ min: 1 }) }),
  fc.record({
    action: fc.constantFrom("pause" as const, "resume" as const, "cancel" as const),
    task_id: fc.constant(TASK_ID),
    repo: name,
    work_item: fc.option(name),
  }),
  fc.record({
    action: fc.constantFrom("retry" as const, "cancel-job" as const, "release" as const),
    job_id: fc.integer({ min: 1 }),
  }),
);

describe("an advised command", () => {
  it("makes exactly the advised call when it is pasted into a shell, whatever the names are", async () => {
    await fc.assert(
      fc.asyncProperty(remedies, async (remedy: Remedy) => {
        const { call, command } = asCommand(remedy);
        const [program, ...argv] = wordsOf(command);
        expect(program).toBe("serial-gate");
        expect(await callOf(argv)).toBe(call);
      }),
      { numRuns: 200 },
    );
  });

  it("puts options first, and -- before an operand that begins with a dash", () => {
    const pause = asCommand({ action: "pause", task_id: 3, repo: "dash/a", work_item: "--all" });
    expect(pause.command).toBe("serial-gate pause --repo dash/a -- --all");
    expect(asCommand({ action: "unfreeze", repo: "-x", id: 3 }).command).toBe(
      "serial-gate unfreeze --id 3 -- -x",
    );
  });
});

describe("a repeated command line", () => {
  it("comes out of a shell as it was typed", () => {
    fc.assert(
      fc.property(fc.array(name, { maxLength: 5 }), (argv) => {
        expect(wordsOf(asTyped(argv))).toEqual(["serial-gate", ...argv]);
      }),
      { numRuns: 200 },
    );
  });

  it("takes one more option where it cannot become an operand or another option's value", () => {
    expect(withOption(["pause", "A"], "repo", "r")).toEqual(["pause", "A", "--repo", "r"]);
    expect(withOption(["pause", "--", "--all"], "repo", "r")).toEqual([
      "pause",
      "--repo",
      "r",
      "--",
      "--all",
    ]);
    expect(withOption(["pause", "A", "--reason", "--"], "repo", "-r")).toEqual([
      "pause",
      "A",
      "--repo=-r",
      "--reason",
      "--",
    ]);
  });
});
