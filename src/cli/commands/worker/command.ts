/** The command that `serial-gate work` runs for a job: a process group of its own, whose output is handed on by lines. */

import { spawn } from "node:child_process";
import { constants } from "node:os";
import { StringDecoder } from "node:string_decoder";

/** The group has this long to end after TERM, then it is killed. Milliseconds. */
const KILL_AFTER_MS = 5_000;
/** A longer line is handed on in pieces. Characters. */
const LONGEST_LINE = 16_384;
/** So much of the end of stderr is kept for the report of a failure. Characters. */
const TAIL = 4_000;

export interface Ended {
  /** The exit code; of a command that a signal ended, 128 and the signal's number, as a shell tells it. */
  readonly code: number;
  /** The end of stderr. */
  readonly tail: string;
}

interface CommandParts {
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Written to stdin, which is closed then. */
  readonly input: string;
  readonly onLine: (stream: "stdout" | "stderr", line: string) => void;
}

export interface Command {
  /** Rejects when the command cannot be started. */
  readonly ended: Promise<Ended>;
  /** Ends the whole process group: TERM, then KILL. */
  end(): void;
}

/** Splits a stream into lines, and hands on the rest at its end. */
const linesOf = (stream: NodeJS.ReadableStream, onLine: (line: string) => void): void => {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  const take = (text: string): void => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line.replace(/\r$/, ""));
    for (; rest.length > LONGEST_LINE; rest = rest.slice(LONGEST_LINE)) onLine(rest.slice(0, LONGEST_LINE));
  };
  stream.on("data", (part: Buffer) => {
    take(decoder.write(part));
  });
  stream.on("end", () => {
    take(decoder.end());
    if (rest !== "") onLine(rest);
  });
};

export const startCommand = ({ argv, env, input, onLine }: CommandParts): Command => {
  const [file = "", ...args] = argv;
  const child = spawn(file, args, { env, stdio: ["pipe", "pipe", "pipe"], detached: true });
  // A command that does not read its stdin closes it.
  child.stdin.on("error", () => undefined).end(input);
  let tail = "";
  linesOf(child.stdout, (line) => {
    onLine("stdout", line);
  });
  linesOf(child.stderr, (line) => {
    tail = `${tail}${line}\n`.slice(-TAIL);
    onLine("stderr", line);
  });
  const signalGroup = (signal: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal);
    } catch {
      // The group has ended.
    }
  };
  let killer: NodeJS.Timeout | undefined;
  const ended = new Promise<Ended>((end, fail) => {
    child.once("error", fail);
    // Not "close": a process that the command left behind may keep the streams open.
    child.once("exit", (code, signal) => {
      setImmediate(() => {
        clearTimeout(killer);
        if (killer) signalGroup("SIGKILL");
        end({ code: code ?? 128 + (signal ? constants.signals[signal] : 0), tail: tail.trimEnd() });
      });
    });
  });
  return {
    ended,
    end: () => {
      if (killer) return;
      signalGroup("SIGTERM");
      killer = setTimeout(() => {
        signalGroup("SIGKILL");
      }, KILL_AFTER_MS);
    },
  };
};
