/** What an error becomes: words that say what to type instead, and an exit code. */

import { CommanderError } from "commander";
import { ProblemError, type Problem } from "../../client/client.ts";
import { parseConnection } from "../../config/client.ts";
import { EXIT, ExitError, exitOfProblem } from "./exit-codes.ts";
import type { CliContext } from "../context.ts";

interface Told {
  readonly words: readonly string[];
  readonly exit: number;
}

/** By name: the classes of some come with modules that most verbs never load. */
const TOLD_IN_A_SENTENCE: Readonly<Record<string, number>> = {
  ConfigError: EXIT.config,
  ConnectionError: EXIT.usage,
  MigrationError: EXIT.failed,
  StoreFault: EXIT.failed,
};

/** A word as a shell takes it. */
export const quoted = (word: string): string =>
  /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

/** `serial-gate …` as it would be typed. */
export const asTyped = (argv: readonly string[]): string => ["serial-gate", ...argv.map(quoted)].join(" ");

const withoutToken = (around: CliContext): string =>
  parseConnection(around.env).token === undefined
    ? "Set SERIAL_GATE_TOKEN to the secret of one of the service's tokens."
    : "The service does not know the secret in SERIAL_GATE_TOKEN.";

const NOT_OURS = "It is no serial-gate. Set SERIAL_GATE_URL to where the service is.";

const wordsOf = (
  { code, detail, hint, repos = [] }: Problem,
  argv: readonly string[],
  around: CliContext,
): string[] => {
  switch (code) {
    case "ambiguous_work_item":
      return [detail, "Say which:", ...repos.map((repo) => `  ${asTyped([...argv, "--repo", repo])}`)];
    case "unauthorized":
      return [detail, withoutToken(around)];
    case "not_found":
      return [detail, "The service is older than this program."];
    // What is not there, or says yes without saying what.
    case "http_404":
    case "http_200":
      return [detail, NOT_OURS];
    default:
      return hint === undefined ? [detail] : [detail, hint];
  }
};

/** What fetch throws when there is no connection says nothing; its cause does. */
const causeOf = (error: TypeError): string => {
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return cause.message || ("code" in cause ? String(cause.code) : cause.name);
};

const unreachable = (error: TypeError, { env }: CliContext): string[] => [
  `No service answers at ${parseConnection(env).urls.join(", ")} (${causeOf(error)}).`,
  "Start one with `serial-gate serve`, or set SERIAL_GATE_URL to where it is.",
];

/** @param argv what was typed */
export const describeError = (error: unknown, argv: readonly string[], around: CliContext): Told => {
  // Commander has said its words already.
  if (error instanceof CommanderError)
    return { words: [], exit: error.exitCode === 0 ? EXIT.done : EXIT.usage };
  if (error instanceof ExitError)
    return { words: error.message === "" ? [] : [error.message], exit: error.exit };
  if (error instanceof ProblemError)
    return { words: wordsOf(error.problem, argv, around), exit: exitOfProblem(error.problem) };
  if (!(error instanceof Error)) return { words: [String(error)], exit: EXIT.failed };
  // A timer that was aborted.
  if (error.name === "AbortError" && error.cause instanceof ExitError)
    return describeError(error.cause, argv, around);
  if (error instanceof TypeError && error.message === "fetch failed")
    return { words: unreachable(error, around), exit: EXIT.failed };
  const exit = TOLD_IN_A_SENTENCE[error.name] ?? ("syscall" in error ? EXIT.failed : undefined);
  // Any other is a fault of the program and keeps its stack.
  return exit === undefined
    ? { words: [error.stack ?? error.message], exit: EXIT.failed }
    : { words: [error.message], exit };
};
