/** Processes of their own: the built program, and the scripts beside this file that open what it opens. */

import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly ended: Promise<Ended>;
  /** What it has said so far. */
  readonly heard: { readonly stdout: string; readonly stderr: string };
  /** Resolves when the process has written that many lines, or has ended. */
  lines(count: number): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts a Node process with that environment and nothing of ours, in a folder that has no .env unless told. */
const start = (
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  folder = tmpdir(),
): Running => {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], {
    env,
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
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

/** `serial-gate ARGS`, as built. */
export const startProgram = (args: readonly string[], env?: NodeJS.ProcessEnv, folder?: string): Running =>
  start("../../dist/main.js", args, env, folder);

/** A script of this folder. */
export const startScript = (name: string, args: readonly string[]): Running => start(name, args);
