/** Errors as lines for a person, which say what to type instead, and an exit code. */

import { CommanderError } from "commander";
import { ProblemError, type Problem } from "../../client/client.ts";
import { asTyped, withOption, withTaskId } from "../../contract/shell.ts";
import type { CliContext } from "../context.ts";
import { connectionOf } from "../service.ts";
import { EXIT, ExitError, exitOfProblem } from "./exit-codes.ts";

interface ErrorReport {
  readonly lines: readonly string[];
  readonly exit: number;
}

/** Errors whose message is written for people. By name: most verbs never load the modules of some. */
const EXIT_OF: Readonly<Record<string, number>> = {
  ConfigError: EXIT.config,
  ConnectionError: EXIT.usage,
  DotEnvError: EXIT.config,
  MigrationError: EXIT.failed,
  StoreFault: EXIT.failed,
};

const SET_THE_ADDRESS = "Set SERIAL_GATE_URL to the address of the service.";

const addressOf = (context: CliContext): string => connectionOf(context).urls.join(", ");

const notOurs = (detail: string, context: CliContext): string[] => [
  `There is no serial-gate at ${addressOf(context)}: ${detail}`,
  SET_THE_ADDRESS,
];

const hasPath = (url: string): boolean => new URL(url).pathname !== "/";

const tokenHint = (context: CliContext): string => {
  const { urls, token, source } = connectionOf(context);
  const login = asTyped(["login", urls.join(",")]);
  if (token === undefined) return `Log in with \`${login}\`, or set SERIAL_GATE_URL and SERIAL_GATE_TOKEN.`;
  if (typeof source !== "object") return "The service does not know the secret in SERIAL_GATE_TOKEN.";
  return `The service does not know the token of the context ${source.context}. Log in again with \`${login} --name ${source.context}\`.`;
};

/** The fields of a request whose rule is worth a sentence: their name on the command line, and the rule. */
const FIELDS: Readonly<Record<string, readonly [name: string, rule: string]>> = {
  stage: ["stage", "lower-case letters, digits, dots, dashes and underscores, such as code-review"],
  repo: [
    "repo",
    "letters, digits and ._~+- in parts joined by slashes, without .git at the end, such as acme/web",
  ],
  work_item_id: [
    "work-item",
    "at most 200 characters, with no control or invisible characters and no leading dash",
  ],
  agent: ["agent", "letters, digits, dots, dashes, underscores and colons, such as developer"],
  agents: ["agent", "letters, digits, dots, dashes, underscores and colons, such as developer"],
};

/** A line for each invalid field, by the name that it has on the command line; none where any is unknown here. */
const inputLines = ({ errors = [] }: Problem, argv: readonly string[]): string[] => {
  const lines = errors.map(({ pointer }) => {
    const [name, rule] = FIELDS[pointer.split("/")[1] ?? ""] ?? [];
    if (name === undefined || rule === undefined) return undefined;
    const isOption = argv.some((word) => word === `--${name}` || word.startsWith(`--${name}=`));
    return `Invalid ${isOption ? `--${name}` : `<${name}>`}: expected ${rule}.`;
  });
  return lines.every((line) => line !== undefined) ? lines : [];
};

/** The command with each of the ids in the place of the ambiguous work item; none for a verb that takes no id. */
const byId = ({ work_item_id, tasks = [] }: Problem, argv: readonly string[]): string[] => {
  if (work_item_id === undefined || argv[0] === "job") return [];
  return ["Name one by its id:", ...tasks.map((id) => `  ${asTyped(withTaskId(argv, work_item_id, id))}`)];
};

const linesOf = (problem: Problem, argv: readonly string[], context: CliContext): string[] => {
  const { code, detail, hint, repos = [], tasks = [] } = problem;
  const asGiven = hint === undefined ? [detail] : [detail, hint];
  switch (code) {
    case "ambiguous_work_item":
      return tasks.length > 0
        ? [detail, ...byId(problem, argv)]
        : [detail, "Add --repo:", ...repos.map((repo) => `  ${asTyped(withOption(argv, "repo", repo))}`)];
    case "repo_looks_alike":
      return [detail, "Name it as it is spelled there."];
    case "invalid_request": {
      const lines = inputLines(problem, argv);
      return lines.length > 0 ? lines : asGiven;
    }
    case "unauthorized":
      return [detail, tokenHint(context)];
    case "not_found":
      return connectionOf(context).urls.some(hasPath)
        ? notOurs(detail, context)
        : [detail, "The service is older than this program."];
    // A missing page, or a success that is not JSON.
    case "http_404":
    case "http_200":
      return notOurs(detail, context);
    default:
      return asGiven;
  }
};

/** The message of fetch says only that it failed; its cause says why. */
const connectionLines = (error: TypeError, context: CliContext): string[] => {
  const { cause } = error;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  if (code.startsWith("ERR_SSL"))
    return [`The service at ${addressOf(context)} does not speak TLS.`, "Use http:// in SERIAL_GATE_URL."];
  const why = cause instanceof Error ? cause.message || code || cause.name : error.message;
  return [
    `No service answers at ${addressOf(context)} (${why}).`,
    `Start one with \`serial-gate serve\`, or set SERIAL_GATE_URL to its address.`,
  ];
};

/** The message of an error of the system: of a socket, a file or a process. */
const systemLine = (error: Error): string =>
  "code" in error && error.code === "EADDRINUSE" && "port" in error
    ? `Port ${String(error.port)} is in use. Set PORT to a free one.`
    : error.message;

/** @param argv the arguments as they were typed */
export const describeError = (error: unknown, argv: readonly string[], context: CliContext): ErrorReport => {
  // Commander has printed its message already.
  if (error instanceof CommanderError)
    return { lines: [], exit: error.exitCode === 0 ? EXIT.done : EXIT.usage };
  if (error instanceof ExitError) return { lines: error.lines, exit: error.exit };
  if (error instanceof ProblemError)
    return { lines: linesOf(error.problem, argv, context), exit: exitOfProblem(error.problem) };
  if (!(error instanceof Error)) return { lines: [String(error)], exit: EXIT.failed };
  // An aborted timer.
  if (error.name === "AbortError" && error.cause instanceof ExitError)
    return describeError(error.cause, argv, context);
  if (error instanceof TypeError && error.message === "fetch failed")
    return { lines: connectionLines(error, context), exit: EXIT.failed };
  const exit = EXIT_OF[error.name];
  // Several lines are ours: texts of other programs in them are quoted as JSON.
  if (exit !== undefined) return { lines: error.message.split("\n"), exit };
  // Any other error is a fault of the program and keeps its stack.
  const line = "syscall" in error ? systemLine(error) : (error.stack ?? error.message);
  return { lines: line.split("\n"), exit: EXIT.failed };
};
