/** Refusals and faults of the service, or of a program before it, as one kind of error. */

import type { EventRange } from "./types.ts";

/** The body of an error (RFC 9457). */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Stable, for programs: `lease_lost`, `task_terminal`, …; `http_STATUS` for an answer of another program. */
  readonly code: string;
  /** The next step of a program, one of a closed set: `retry_after`, `claim_again`, `fix_request`, … */
  readonly next_action?: string;
  readonly request_id?: string;
  readonly errors?: readonly { readonly in: string; readonly pointer: string; readonly detail: string }[];
  readonly hint?: string;
  /** The repositories of an ambiguous work item, or those that look like the one that was sent. */
  readonly repos?: readonly string[];
  /** The ids of the unfinished tasks of an ambiguous work item. */
  readonly tasks?: readonly number[];
  /** The ambiguous work item. */
  readonly work_item_id?: string;
  /** Known repositories whose names are near the one that was sent. */
  readonly near?: readonly string[];
  /** The events that there are, when a cursor is unknown. */
  readonly oldest?: number | null;
  readonly newest?: number;
}

/** A refusal by the service, or an answer that is not the service's. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.hint === undefined ? problem.detail : `${problem.detail} ${problem.hint}`);
    this.problem = problem;
  }

  get code(): string {
    return this.problem.code;
  }
}

/** Statuses that mean "no answer now", sent by the service or by a proxy before it. */
export const NO_ANSWER: readonly number[] = [502, 503, 504];

/** True when the error leaves open whether the call was carried out. */
export const isUnanswered = (error: unknown): boolean =>
  !(error instanceof ProblemError) || NO_ANSWER.includes(error.problem.status);

/** True when the same call may be taken later: there was no answer, or the caller has used up its budget. */
export const mayPass = (error: unknown): boolean =>
  isUnanswered(error) || (error instanceof ProblemError && error.problem.status === 429);

const PROBLEM = "application/problem+json";
const SHOWN_CHARACTERS = 200;

/** Describes an answer that is not the service's own, by its status and its first characters. */
const foreign = ({ status, statusText, url }: Response, text: string): Problem => {
  const shown = text.trim().slice(0, SHOWN_CHARACTERS);
  return {
    type: "about:blank",
    title: statusText,
    status,
    detail: `${url} answered ${status}${shown === "" ? "" : `: ${shown}`}`,
    code: `http_${status}`,
  };
};

/** The problem in a body; undefined when it has none, as that of another program may. */
const problemIn = (text: string): Problem | undefined => {
  try {
    const body = JSON.parse(text) as Problem | null;
    return typeof body?.code === "string" && typeof body.detail === "string" ? body : undefined;
  } catch {
    return undefined;
  }
};

/** The problem in an answer. */
export const problemOf = async (response: Response): Promise<Problem> => {
  const text = await response.text();
  const isOwn = response.headers.get("content-type")?.startsWith(PROBLEM);
  return (isOwn ? problemIn(text) : undefined) ?? foreign(response, text);
};

/** @throws ProblemError `http_200` when the body is not JSON: another program answered */
export const jsonOf = async <Body>(response: Response): Promise<Body> => {
  const text = await response.text();
  try {
    return JSON.parse(text) as Body;
  } catch {
    throw new ProblemError(foreign(response, text));
  }
};

/** The problem of a place that is not in the event log. */
export const cursorUnknown = ({ oldest, newest }: EventRange): ProblemError =>
  new ProblemError({
    type: "urn:serial-gate:problem:cursor_unknown",
    title: "Cursor unknown",
    status: 410,
    detail: `The place is not in the event log, which ends at ${newest}.`,
    code: "cursor_unknown",
    oldest,
    newest,
  });
