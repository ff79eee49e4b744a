/** What the gate refuses, as a code and a sentence. Which HTTP status a code has is the edge's business. */

export type GateErrorCode =
  | "ambiguous_work_item"
  | "dependency_cycle"
  | "draining"
  | "idempotency_key_reused"
  | "invalid_request"
  | "job_not_failed"
  | "layer_disabled"
  | "lease_lost"
  | "task_cancelled"
  | "task_terminal"
  | "unknown_job"
  | "unknown_task"
  | "unknown_work_item";

/** One part of the input that is at fault. */
export interface InputFault {
  readonly in: "body" | "query" | "path" | "header";
  /** JSON pointer from the root of that part; empty for the whole of it. */
  readonly pointer: string;
  readonly detail: string;
}

interface GateErrorContext {
  /** The one obvious next step. */
  readonly hint?: string;
  readonly faults?: readonly InputFault[];
  /** Members that the answer carries beside the standard ones. */
  readonly more?: Readonly<Record<string, unknown>>;
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
