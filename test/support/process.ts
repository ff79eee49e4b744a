/** Processes of their own: the built program, and the scripts beside this file that open what it opens. */

import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly ended: Promise<Ended>;
  readonly pid: number | undefined;
  /** Its output so far. */
  readonly heard: { readonly stdout: string; readonly stderr: string };
  /** Resolves when the process has written that many lines, or has ended. */
  lines(count: number): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts a Node process with that environment and nothing of ours, in a folder that has no .env unless told. */
const start = (
  path: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  folder = tmpdir(),
  input?: string,
): Running => {
  const child = spawn(process.execPath, [path, ...args], {
    env,
    cwd: folder,
    stdio: ["pipe", "pipe", "pipe"],
  });
  // A process that ends without reading closes the pipe.
  child.stdin.on("error", () => undefined).end(input);
  const heard = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (heard.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (heard.stderr += text));
  const ended = new Promise<Ended>((end, fail) => {
    child.on("error", fail);
    child.on("close", (code, signal) => {
      end({ code, signal, ...heard });
    });
  });
  const said = (count: number): boolean => heard.stdout.split("\n").length > count;
  return {
    ended,
    pid: child.pid,
    heard,
    lines: (count) =>
      new Promise((enough) => {
        const look = (): void => {
          if (said(count)) enough();
        };
        look();
        child.stdout.on("data", look);
        child.on("close", () => {
          enough();
        });
      }),
    kill: (signal) => {
      child.kill(signal);
    },
  };
};

const beside = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** `serial-gate ARGS`, as built.
 *  @param input is what it reads from stdin */
export const startProgram = (
  args: readonly string[],
  env?: NodeJS.ProcessEnv,
  folder?: string,
  input?: string,
): Running => start(beside("../../dist/main.js"), args, env, folder, input);

/** A script of this folder. */
export const startScript = (name: string, args: readonly string[]): Running => start(beside(name), args);

/** The repository that the tests are in. */
export const CLONE = beside("../..");

interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly clone?: string;
}

/** `npm COMMAND -- ARGS` without npm: the script that package.json names for it. */
export const startCommand = (
  command: "bench" | "demo" | "test",
  args: readonly string[],
  { env, clone = CLONE }: CommandOptions = {},
): Running =>
  start(join(clone, `scripts/${command}.mjs`), args, {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    ...env,
  });
