/** Every error as application/problem+json (RFC 9457), and the one table from codes to statuses. */

import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import * as z from "zod";
import { GateError, type GateErrorCode, type InputFault } from "../contract/errors.ts";
import { StoreFault } from "../gate/gate.ts";

const STATUS = {
  ambiguous_work_item: 409,
  dependency_cycle: 409,
  draining: 503,
  idempotency_key_reused: 422,
  invalid_request: 400,
  job_not_failed: 409,
  layer_disabled: 409,
  lease_lost: 409,
  task_cancelled: 409,
  task_terminal: 409,
  unknown_job: 404,
  unknown_task: 404,
  unknown_work_item: 404,
} satisfies Record<GateErrorCode, number>;

/** Codes of the edge's own: what never reaches the gate. */
const EDGE_STATUS = {
  body_too_large: 413,
  cross_origin: 403,
  internal_error: 500,
  invalid_json: 400,
  method_not_allowed: 405,
  not_found: 404,
  storage_busy: 503,
  storage_refused: 409,
  storage_unavailable: 503,
  unauthorized: 401,
  unsupported_media_type: 415,
} as const;

type EdgeCode = keyof typeof EDGE_STATUS;

// Registered under its name, by which the routes refer to it.
z.object({
  type: z.string(),
  title: z.string(),
  status: z.int().min(400).max(599),
  detail: z.string(),
  code: z.enum([...Object.keys(STATUS), ...Object.keys(EDGE_STATUS)].sort() as [string, ...string[]]),
  request_id: z.string(),
  errors: z
    .array(
      z.strictObject({
        in: z.enum(["body", "query", "path", "header"]),
        pointer: z.string().meta({ description: "JSON pointer to what is at fault." }),
        detail: z.string(),
      }),
    )
    .optional(),
  hint: z.string().optional().meta({ description: "The one obvious next step." }),
  repos: z.array(z.string()).optional().meta({ description: "Where an ambiguous work item exists." }),
  path: z.array(z.string()).optional().meta({ description: "The cycle that dependencies would close." }),
}).meta({ id: "Problem", description: "What went wrong (RFC 9457)." });

/** An error that the edge itself raises. */
export class EdgeError extends Error {
  override readonly name = "EdgeError";
  readonly code: EdgeCode;
  readonly hint: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: EdgeCode, message: string, hint?: string, headers: Record<string, string> = {}) {
    super(message);
    this.code = code;
    this.hint = hint;
    this.headers = headers;
  }
}

interface Answer {
  readonly code: GateErrorCode | EdgeCode;
  readonly detail: string;
  readonly hint?: string | undefined;
  readonly faults?: readonly InputFault[] | undefined;
  readonly more?: Readonly<Record<string, unknown>> | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

const AGAIN = { "retry-after": "1" };

const PART = { body: "body", querystring: "query", params: "path", headers: "header" } as const;

/** An ajv error as the place at fault and what it wants. */
const inputFaults = ({ validation = [], validationContext = "body" }: FastifyError): InputFault[] => {
  const part = PART[validationContext];
  const faults = validation.map(({ instancePath, params, message = "is not valid" }) => {
    const { additionalProperty, missingProperty, allowedValues } = params;
    if (typeof additionalProperty === "string")
      return { pointer: `${instancePath}/${escape(additionalProperty)}`, detail: "is not known here" };
    if (typeof missingProperty === "string")
      return { pointer: `${instancePath}/${escape(missingProperty)}`, detail: "is missing" };
    const allowed = Array.isArray(allowedValues) ? `: ${allowedValues.join(", ")}` : "";
    return { pointer: instancePath, detail: `${message}${allowed}` };
  });
  return faults.map((fault) => ({ in: part, ...fault }));
};

/** A key as a part of a JSON pointer. */
export const escape = (key: string): string => key.replaceAll("~", "~0").replaceAll("/", "~1");

const FRAMEWORK: Readonly<Record<string, Answer>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: { code: "body_too_large", detail: "The body is too large." },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    code: "unsupported_media_type",
    detail: "The body is not said to be JSON.",
    hint: "Send it as: Content-Type: application/json",
  },
};

const ofGate = ({ code, message, context }: GateError): Answer => ({
  code,
  detail: message,
  ...context,
  ...(code === "draining" ? { headers: AGAIN } : {}),
});

const ofStore = ({ kind }: StoreFault): Answer => {
  switch (kind) {
    case "busy":
      return {
        code: "storage_busy",
        detail: "Another program holds the database. Nothing was changed.",
        headers: AGAIN,
      };
    case "refused":
      return {
        code: "storage_refused",
        detail: "A constraint in the database does not allow this. Nothing was changed.",
        hint: "The service's log names the constraint, under this request's id.",
      };
    case "unavailable":
    case "unreadable":
      return {
        code: "storage_unavailable",
        detail: "The database does not answer. Read the state before you repeat.",
        headers: AGAIN,
      };
  }
};

const describe = (faults: readonly InputFault[]): string =>
  faults
    .map(({ in: part, pointer, detail }) => `${part}${pointer === "" ? "" : ` ${pointer}`} ${detail}`)
    .join("; ");

export const invalidInput = (faults: readonly InputFault[]): GateError =>
  new GateError("invalid_request", `The input is not valid: ${describe(faults)}.`, { faults });

/** @param error anything that was thrown */
const answerTo = (error: unknown): Answer => {
  if (error instanceof GateError) return ofGate(error);
  if (error instanceof EdgeError)
    return { code: error.code, detail: error.message, hint: error.hint, headers: error.headers };
  if (error instanceof StoreFault) return ofStore(error);
  if (error instanceof Error) {
    const { code, statusCode = 500, message, validation } = error as FastifyError;
    if (validation) return ofGate(invalidInput(inputFaults(error as FastifyError)));
    const known = FRAMEWORK[code];
    if (known) return known;
    if (statusCode >= 400 && statusCode < 500) return { code: "invalid_request", detail: message };
  }
  return { code: "internal_error", detail: "The service has a fault of its own; its log tells which." };
};

const statusOf = (code: GateErrorCode | EdgeCode): number => ({ ...STATUS, ...EDGE_STATUS })[code];

const titleOf = (code: string): string => {
  const words = code.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
};

/** Answers any error. What is ours to mend is logged with its cause; nothing of it is told to the caller. */
export const sendProblem = (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
  const { code, detail, hint, faults = [], more, headers = {} } = answerTo(error);
  const status = statusOf(code);
  request.problem = code;
  if (status >= 500 || error instanceof StoreFault)
    request.log[status === 500 ? "error" : "warn"]({ reqId: request.id, err: error, code }, detail);
  return reply
    .code(status)
    .headers(headers)
    .header("x-request-id", request.id)
    .header("content-type", "application/problem+json; charset=utf-8")
    .serializer(JSON.stringify)
    .send({
      type: `urn:serial-gate:problem:${code}`,
      title: titleOf(code),
      status,
      detail,
      code,
      request_id: request.id,
      ...(faults.length > 0 ? { errors: faults } : {}),
      ...(hint === undefined ? {} : { hint }),
      ...more,
    });
};
