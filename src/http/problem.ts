/** Every error as application/problem+json (RFC 9457), and the one table from error codes to HTTP statuses.
 *  It decides no refusal: those come from the gate, the store and the plugins. */

import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import * as z from "zod";
import {
  GATE_ERRORS,
  GateError,
  NEXT_ACTIONS,
  type GateErrorCode,
  type InputFault,
  type NextAction,
  type ProblemExtension,
} from "../contract/errors.ts";
import { StoreFault } from "../gate/gate.ts";
import { inputFaults, invalidInput } from "./input-faults.ts";

const GATE_STATUS = {
  ambiguous_work_item: 409,
  cursor_unknown: 410,
  dependency_cycle: 409,
  draining: 503,
  forbidden: 403,
  idempotency_key_reused: 422,
  invalid_request: 400,
  job_not_cancellable: 409,
  job_not_failed: 409,
  job_not_running: 409,
  layer_disabled: 409,
  lease_lost: 409,
  repo_looks_alike: 409,
  task_cancelled: 409,
  task_terminal: 409,
  unknown_job: 404,
  unknown_repo: 404,
  unknown_task: 404,
  unknown_work_item: 404,
} satisfies Record<GateErrorCode, number>;

const EDGE_STATUS = {
  answer_too_large: 413,
  body_too_large: 413,
  cross_origin: 403,
  expectation_failed: 417,
  headers_too_large: 431,
  internal_error: 500,
  invalid_http: 400,
  invalid_json: 400,
  method_not_allowed: 405,
  not_found: 404,
  over_budget: 429,
  overloaded: 503,
  payload_too_large: 413,
  request_timeout: 408,
  storage_busy: 503,
  storage_refused: 409,
  storage_unavailable: 503,
  too_many_wrong_tokens: 429,
  unauthorized: 401,
  unsupported_media_type: 415,
} as const;

type EdgeCode = keyof typeof EDGE_STATUS;
type Code = GateErrorCode | EdgeCode;

const STATUS: Readonly<Record<Code, number>> = { ...GATE_STATUS, ...EDGE_STATUS };

const NEXT_ACTION: Readonly<Record<Code, NextAction>> = {
  ambiguous_work_item: "choose_repo",
  answer_too_large: "fix_request",
  body_too_large: "fix_request",
  cross_origin: "ask_operator",
  cursor_unknown: "continue_after_newest",
  dependency_cycle: "fix_request",
  draining: "retry_after",
  expectation_failed: "fix_request",
  forbidden: "use_other_token",
  headers_too_large: "fix_request",
  idempotency_key_reused: "use_new_key",
  internal_error: "ask_operator",
  invalid_http: "fix_request",
  invalid_json: "fix_request",
  invalid_request: "fix_request",
  job_not_cancellable: "none",
  job_not_failed: "none",
  job_not_running: "none",
  layer_disabled: "ask_operator",
  lease_lost: "claim_again",
  method_not_allowed: "fix_request",
  not_found: "fix_request",
  over_budget: "retry_after",
  overloaded: "retry_after",
  payload_too_large: "fix_request",
  repo_looks_alike: "choose_repo",
  request_timeout: "retry_after",
  storage_busy: "retry_after",
  storage_refused: "ask_operator",
  storage_unavailable: "retry_after",
  task_cancelled: "stop_work",
  task_terminal: "stop_work",
  too_many_wrong_tokens: "use_other_token",
  unauthorized: "use_other_token",
  unknown_job: "check_name",
  unknown_repo: "check_name",
  unknown_task: "check_name",
  unknown_work_item: "check_name",
  unsupported_media_type: "fix_request",
};

/** An ambiguous work item is the one code whose next step depends on what made it so. */
const nextAction = (code: Code, more?: ProblemExtension): NextAction =>
  code === "ambiguous_work_item" && more?.tasks ? "choose_task" : NEXT_ACTION[code];

/** Codes of HTTP itself, and of the store: such a request failed before or below the gate. */
const EDGE_ERRORS: Readonly<Record<EdgeCode, string>> = {
  answer_too_large: "The answer is larger than a tool of /mcp hands on: ask for less.",
  body_too_large: "The body is larger than the service takes: 1 MiB by default.",
  cross_origin: "Without tokens, the service answers neither other sites' pages nor other host names.",
  expectation_failed: "The service meets no other expectation than `100-continue`.",
  headers_too_large: "The headers are larger than 16 KiB.",
  internal_error: "A fault in the service; its log has the cause under `request_id`.",
  invalid_http: "The request is not valid HTTP.",
  invalid_json: "The body is not valid JSON, or nested too deep.",
  method_not_allowed: "The path does not support the method; see `Allow`.",
  not_found: "No such path.",
  over_budget: "The token has used up one of its budgets; see `Retry-After`.",
  overloaded: "Answers that callers have not taken yet fill the memory for answers; see `Retry-After`.",
  payload_too_large: "A payload or a result is larger than the service takes: 256 KiB by default.",
  request_timeout: "The request was not whole within 30 s.",
  storage_busy: "Another program has locked the database; nothing changed.",
  storage_refused: "A constraint in the database does not allow the change; nothing changed.",
  storage_unavailable: "The database does not answer; the change may or may not have happened.",
  too_many_wrong_tokens: "The address has sent too many wrong tokens; see `Retry-After`.",
  unauthorized: "No valid token.",
  unsupported_media_type: "Content-Type is not application/json.",
};

const listOf = (meanings: Readonly<Record<string, string>>): string[] =>
  Object.entries(meanings)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, meaning]) => `- \`${code}\`: ${meaning}`);

// Registered under its name, by which the routes refer to it.
z.object({
  type: z.string(),
  title: z.string(),
  status: z.int().min(400).max(599),
  detail: z.string().meta({ description: "A sentence for people. It may change; programs use `code`." }),
  code: z.enum(Object.keys(STATUS).sort() as [string, ...string[]]).meta({
    description: ["Stable, for programs:", "", ...listOf({ ...GATE_ERRORS, ...EDGE_ERRORS })].join("\n"),
  }),
  next_action: z.enum(Object.keys(NEXT_ACTIONS).sort() as [string, ...string[]]).meta({
    description: ["The next step of a program, by the code:", "", ...listOf(NEXT_ACTIONS)].join("\n"),
  }),
  request_id: z.string(),
  errors: z
    .array(
      z.strictObject({
        in: z.enum(["body", "query", "path", "header"]),
        pointer: z.string().meta({ description: "JSON pointer to the invalid value." }),
        detail: z.string(),
      }),
    )
    .optional(),
  hint: z.string().optional().meta({ description: "The one obvious next step." }),
  repos: z.array(z.string()).optional().meta({
    description:
      "The repositories that have an ambiguous work item, or that look like the one that was sent.",
  }),
  roles: z.array(z.string()).optional().meta({ description: "The roles that have the missing right." }),
  tasks: z.array(z.int()).optional().meta({
    description: "The ids of the unfinished tasks that have an ambiguous work item in one repository.",
  }),
  work_item_id: z.string().optional().meta({ description: "The ambiguous work item." }),
  near: z.array(z.string()).optional().meta({
    description: "Known repositories whose names are near the one that was sent.",
  }),
  path: z.array(z.string()).optional().meta({
    description: "The cycle that the dependencies would form.",
  }),
  oldest: z.int().nullable().optional().meta({ description: "The oldest event that is kept, if any." }),
  newest: z.int().optional().meta({ description: "The newest event: continue after it." }),
}).meta({ id: "Problem", description: "An error (RFC 9457)." });

interface EdgeErrorParts {
  readonly code: EdgeCode;
  readonly detail: string;
  readonly hint?: string;
  readonly faults?: readonly InputFault[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** An error that a plugin raises before the gate is called. */
export class EdgeError extends Error {
  override readonly name = "EdgeError";
  readonly parts: EdgeErrorParts;

  constructor(parts: EdgeErrorParts) {
    super(parts.detail);
    this.parts = parts;
  }
}

interface Answer {
  readonly code: Code;
  readonly detail: string;
  readonly hint?: string | undefined;
  readonly faults?: readonly InputFault[] | undefined;
  readonly more?: ProblemExtension | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

const RETRY_AFTER = { "retry-after": "1" };

export const UNSUPPORTED_MEDIA_TYPE: EdgeErrorParts = {
  code: "unsupported_media_type",
  detail: "Content-Type must be application/json.",
  hint: "Add the header Content-Type: application/json",
};

const FRAMEWORK_ERRORS: Readonly<Record<string, Answer>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: {
    code: "body_too_large",
    detail: "The body is larger than 1 MiB.",
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: UNSUPPORTED_MEDIA_TYPE,
};

const gateAnswer = ({ code, message, context }: GateError): Answer => ({
  code,
  detail: message,
  ...context,
  ...(code === "draining" ? { headers: RETRY_AFTER } : {}),
});

const INTERNAL_ERROR: Answer = {
  code: "internal_error",
  detail: "Internal error. The service's log has the cause.",
};

const storeAnswer = ({ kind }: StoreFault): Answer => {
  switch (kind) {
    case "invalid":
      return INTERNAL_ERROR;
    case "busy":
      return {
        code: "storage_busy",
        detail: "Another program has locked the database. Nothing was changed.",
        headers: RETRY_AFTER,
      };
    case "refused":
      return {
        code: "storage_refused",
        detail: "A constraint in the database does not allow this. Nothing was changed.",
        hint: "The service's log names the constraint under this request's id.",
      };
    case "abandoned":
      return { code: "draining", detail: "The service is shutting down.", headers: RETRY_AFTER };
    case "unavailable":
    case "unreadable":
      return {
        code: "storage_unavailable",
        detail: "The database does not answer. Read the current state before you retry.",
        headers: RETRY_AFTER,
      };
  }
};

/** @param error anything that was thrown */
const answerTo = (error: unknown): Answer => {
  if (error instanceof GateError) return gateAnswer(error);
  if (error instanceof EdgeError) return error.parts;
  if (error instanceof StoreFault) return storeAnswer(error);
  if (error instanceof Error) {
    const { code, statusCode = 500, message, validation } = error as FastifyError;
    if (validation) return gateAnswer(invalidInput(inputFaults(error as FastifyError)));
    const known = FRAMEWORK_ERRORS[code];
    if (known) return known;
    if (statusCode >= 400 && statusCode < 500) return { code: "invalid_request", detail: message };
  }
  return INTERNAL_ERROR;
};

/** `invalid_json` as "Invalid JSON". */
const titleOf = (code: Code): string => {
  const words = code.replaceAll("_", " ").replace(/\b(json|http)\b/, (name) => name.toUpperCase());
  return words.charAt(0).toUpperCase() + words.slice(1);
};

export const PROBLEM_TYPE = "application/problem+json; charset=utf-8";

/** The status and the body of an answer. */
export const problemOf = (
  { code, detail, hint, faults = [], more }: Answer,
  requestId: string,
): { readonly status: number; readonly body: object } => {
  const status = STATUS[code];
  return {
    status,
    body: {
      type: `urn:serial-gate:problem:${code}`,
      title: titleOf(code),
      status,
      detail,
      code,
      next_action: nextAction(code, more),
      request_id: requestId,
      ...(faults.length > 0 ? { errors: faults } : {}),
      ...(hint === undefined ? {} : { hint }),
      ...more,
    },
  };
};

/** The answer with the limit of bodies as it is set. */
const withLimit = (answer: Answer, bytes: number): Answer =>
  answer.code === "body_too_large"
    ? { ...answer, detail: `The body is larger than ${sizeText(bytes)}.` }
    : answer;

/** A size in bytes as people say it. */
export const sizeText = (bytes: number): string =>
  bytes % (1024 * 1024) === 0 ? `${bytes / 1024 / 1024} MiB` : `${Math.floor(bytes / 1024)} KiB`;

/** Answers any error. Faults of the service and of the database are logged with their cause, which callers never see. */
export const sendProblem = (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
  const answer = withLimit(answerTo(error), request.server.initialConfig.bodyLimit ?? 0);
  const { code, detail, headers = {} } = answer;
  const { status, body } = problemOf(answer, request.id);
  request.problem = code;
  const isAbandoned = error instanceof StoreFault && error.kind === "abandoned";
  if (!isAbandoned && (status >= 500 || error instanceof StoreFault))
    request.log[status === 500 ? "error" : "warn"]({ reqId: request.id, err: error, code }, detail);
  return reply
    .code(status)
    .headers(headers)
    .header("x-request-id", request.id)
    .header("content-type", PROBLEM_TYPE)
    .serializer(JSON.stringify)
    .send(body);
};
