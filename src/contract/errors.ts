/** The refusals of the gate: a code for programs and a sentence for people.
 *  HTTP statuses are not known here: src/http/problem.ts has the one table. */

/** Every code with its meaning. The codes are published; the sentences are the API's description of them. */
export const GATE_ERRORS = {
  ambiguous_work_item:
    "The work item exists in several repositories (`repos`), or has several unfinished tasks in one (`tasks`).",
  cursor_unknown:
    "The event log does not reach back or ahead to the cursor (`oldest`, `newest`): events may have been missed.",
  dependency_cycle: "The dependencies would form a cycle (`path`).",
  draining: "The service is shutting down.",
  forbidden: "The token's role does not have the right (`roles` have it), or it is limited to other agents.",
  idempotency_key_reused: "The Idempotency-Key was used for another request.",
  invalid_request: "The input is invalid; `errors` points at it.",
  job_not_cancellable: "Only a queued, delayed or failed job can be cancelled.",
  job_not_failed: "Only a failed job can be retried.",
  job_not_running: "Only a running job can be released by force.",
  layer_disabled: "Pausing or freezing is switched off.",
  lease_lost: "The token is not that of the job's current lease.",
  repo_looks_alike:
    "The repository differs only by case, spaces, slashes or `.git` from known ones (`repos`).",
  task_cancelled: "The task was cancelled.",
  task_terminal: "The task is finished, and that is final.",
  unknown_job: "No such job.",
  unknown_repo: "The token may know no such repository.",
  unknown_task: "No such task.",
  unknown_work_item: "No task has the work item.",
} as const;

export type GateErrorCode = keyof typeof GATE_ERRORS;

/** The next step of a program that got an error: a closed, published set. */
export const NEXT_ACTIONS = {
  ask_operator: "A program cannot put this right: tell a person.",
  check_name: "Nothing has the id or the name, or the token may not know it: send one that exists (`near`).",
  choose_repo: "Send one of the repositories in `repos`.",
  choose_task: "Send one of the task ids in `tasks`.",
  claim_again: "The job is no longer yours: stop working on it, and claim another.",
  continue_after_newest: "Events are missing: read the state anew, and the events after `newest`.",
  fix_request: "The request is wrong, and so is a repeat: change it as `detail`, `errors` and `hint` say.",
  none: "The present state does not allow it. A repeat changes nothing; read the state.",
  retry_after:
    "Wait (`Retry-After`, or a second), then send the same again; a change with the same Idempotency-Key.",
  stop_work: "The task is finished: stop working on it.",
  use_new_key: "Send it with an Idempotency-Key of its own.",
  use_other_token: "The token is missing, wrong or not enough: use another (`roles`).",
} as const;

export type NextAction = keyof typeof NEXT_ACTIONS;

/** An invalid part of the input. */
export interface InputFault {
  readonly in: "body" | "query" | "path" | "header";
  /** JSON pointer from the root of that part; empty for the whole part. */
  readonly pointer: string;
  /** The rest of a sentence about it, such as `must be in the future`. */
  readonly detail: string;
}

/** Members of a problem beside the standard ones. */
export interface ProblemExtension {
  /** The roles that have a right that is missing. */
  readonly roles?: readonly string[];
  /** The repositories that have an ambiguous work item, or that look like the one that was sent. */
  readonly repos?: readonly string[];
  /** The ids of the unfinished tasks that have an ambiguous work item in one repository. */
  readonly tasks?: readonly number[];
  /** The ambiguous work item. */
  readonly work_item_id?: string;
  /** Known repositories whose names are near the one that was sent. */
  readonly near?: readonly string[];
  /** The work items of a dependency cycle, in order. */
  readonly path?: readonly string[];
  /** The ids of the oldest and the newest event that there are; the oldest is null where there is none. */
  readonly oldest?: number | null;
  readonly newest?: number;
}

interface GateErrorContext {
  /** The one obvious next step. */
  readonly hint?: string;
  readonly faults?: readonly InputFault[];
  readonly more?: ProblemExtension;
}

export class GateError extends Error {
  override readonly name = "GateError";
  readonly code: GateErrorCode;
  readonly context: GateErrorContext;

  constructor(code: GateErrorCode, message: string, context: GateErrorContext = {}) {
    super(message);
    this.code = code;
    this.context = context;
  }
}
