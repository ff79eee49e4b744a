/** Exit codes: the one table that maps outcomes to them. */

export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  /** The gate refuses, or records what it does not act on. */
  refused: 3,
  notAllowed: 4,
  notFound: 5,
  timedOut: 6,
  /** EX_CONFIG of sysexits.h: a supervisor need not restart. */
  config: 78,
} as const;

/** By a problem's code, else by its status; any other problem is a failure. */
const OF_PROBLEM: Readonly<Record<string | number, number>> = {
  // No such route: an older service, or another program.
  not_found: EXIT.failed,
  http_404: EXIT.failed,
  too_many_wrong_tokens: EXIT.notAllowed,
  400: EXIT.usage,
  401: EXIT.notAllowed,
  403: EXIT.notAllowed,
  404: EXIT.notFound,
  409: EXIT.refused,
  410: EXIT.notFound,
  422: EXIT.refused,
};

export const exitOfProblem = ({ code, status }: { code: string; status: number }): number =>
  OF_PROBLEM[code] ?? OF_PROBLEM[status] ?? EXIT.failed;

/** Ends a verb with lines for a person and an exit code for a script. */
export class ExitError extends Error {
  override readonly name = "ExitError";
  readonly exit: number;
  readonly lines: readonly string[];

  constructor(exit: number, ...lines: readonly string[]) {
    super(lines.join("\n"));
    this.exit = exit;
    this.lines = lines.filter((line) => line !== "");
  }
}
