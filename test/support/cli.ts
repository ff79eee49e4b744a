/** The built command line, as a person or a script would run it against a service of the tests. */

import { spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { asTyped } from "../../src/contract/shell.ts";
import type { Env } from "../../src/config/env.ts";
import { startProgram, type Running } from "./process.ts";

export const PROGRAM = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

interface Said {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Text with what differs from run to run replaced by something as wide, so that columns stay where they are. */
export const steady = (text: string): string =>
  text
    .replace(/\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z/g, "yyyy-mm-ddThh:mm:ssZ")
    .replace(/\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z/g, "yyyy-mm-ddThh:mm:ss.mmmZ")
    .replace(/\b[0-9a-f]{32}\b/g, "t".repeat(32))
    .replace(/\((in )?\d+ (s|min|h|d)( \d+ (s|min|h))?( ago)?\)/g, "(a while)")
    .replace(/http:\/\/127\.0\.0\.1:\d+/g, "http://HOST:PORT");

/** Lines of lanes with a steady age of each job, and two spaces between cells: an age may make its column wider. */
export const steadyLanes = (text: string): string =>
  text
    .replace(/(?<=(?:running|unclaimed|held|failed|delayed)[^\n]* )\d+[smhd]\b/g, "AGE")
    .replace(/(?<=\S) {2,}/g, "  ");

/** The table of a life with steady lengths of time between its events. */
export const steadyLife = (text: string): string =>
  text
    .replace(/\bAFTER +/g, "AFTER    ")
    .replace(/(?<=Z {2})(-|\d+ (ms|s|min|h)( \d+ (s|min))?) +/g, "a while  ");

/** The person at the terminal of a test. */
const USER = "ann";

export interface Cli {
  /** `serial-gate ARGS` to its end. */
  (...args: string[]): Promise<Said>;
  /** The same while it runs. */
  start(...args: string[]): Running;
  /** The output of a command line, words and exit code after the data: `$ serial-gate ARGS` and what follows. */
  session(...lines: readonly (readonly string[])[]): Promise<string>;
}

export const cliOf = (url: string, env: Env = {}): Cli => {
  const all = { USER, SERIAL_GATE_URL: url, ...env };
  const run = async (...args: string[]): Promise<Said> => {
    const { code, stdout, stderr } = await startProgram(args, all).ended;
    return { exit: code, stdout: steady(stdout), stderr: steady(stderr) };
  };
  return Object.assign(run, {
    start: (...args: string[]) => startProgram(args, all),
    session: async (...lines: readonly (readonly string[])[]) => {
      const shown: string[] = [];
      for (const args of lines) {
        const { exit, stdout, stderr } = await run(...args);
        shown.push(`$ ${asTyped(args)}`, stdout + stderr + (exit === 0 ? "" : `[${exit ?? "?"}]\n`));
      }
      return shown.join("\n");
    },
  });
};

/** Why there is no terminal for the tests, if there is none: it is made by script(1). */
export const noTerminal =
  spawnSync("script", ["--version"]).status === 0 ? undefined : "script(1) is not installed";

interface Terminal {
  /** All that the terminal was told so far. */
  readonly screen: () => string;
  /** Resolves once the terminal was told this. */
  readonly shows: (text: string | RegExp) => Promise<void>;
  readonly type: (keys: string) => void;
  readonly ended: Promise<number | null>;
}

/** `serial-gate ARGS` at a terminal of that many rows and columns. */
export const atTerminal = (
  url: string,
  args: readonly string[],
  { rows = 24, columns = 100, env = {} }: { rows?: number; columns?: number; env?: Env } = {},
): Terminal => {
  const quoted = [process.execPath, PROGRAM, ...args].map((word) => `'${word}'`).join(" ");
  const child = spawn("script", ["-qefc", `stty rows ${rows} cols ${columns}; exec ${quoted}`, "/dev/null"], {
    env: { PATH: process.env.PATH, TERM: "xterm", USER, SERIAL_GATE_URL: url, ...env },
    stdio: ["pipe", "pipe", "ignore"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  let told = "";
  const listeners = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    told += text;
    for (const listen of listeners) listen();
  });
  return {
    screen: () => told,
    shows: (text) =>
      new Promise((seen, fail) => {
        const look = (): void => {
          if (typeof text === "string" ? !told.includes(text) : !text.test(told)) return;
          listeners.delete(look);
          seen();
        };
        listeners.add(look);
        child.on("close", () => {
          fail(new Error(`The program ended before it said ${String(text)}: ${told}`));
        });
        look();
      }),
    type: (keys) => {
      child.stdin.write(keys);
    },
    ended: new Promise((end) => {
      child.on("close", end);
    }),
  };
};
