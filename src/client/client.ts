/** The typed client: one method for each call of the HTTP API, over the platform's own fetch.
 *  What the service refuses is thrown as a ProblemError, what the network does is thrown as it comes. Nothing is
 *  repeated, except what the service itself asks to be sent again (503 with Retry-After), a few times.
 *  Every change goes under a key (Idempotency-Key), by which the service knows a call that is sent again; whoever
 *  repeats a call whose answer was lost gives it the key that it had.
 *  Of several nodes one is asked, until it does not answer.
 *  It knows the shapes of the contract and nothing of the program behind it. */

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type * as z from "zod";
import type { EventPage, EventQuery, HistoryEvent } from "../contract/events.ts";
import type { Explanation } from "../contract/explanation.ts";
import type {
  ChangedJob,
  Claim,
  ClaimRequest,
  Completed,
  Completion,
  Failure,
  Heartbeat,
  Job,
  Lease,
  NewJob,
  Release,
} from "../contract/jobs.ts";
import type {
  FreezeNote,
  FreezeState,
  LanePauseState,
  PauseNote,
  PauseState,
  UnfreezeQuery,
  Unfrozen,
} from "../contract/operations.ts";
import type { Queue } from "../contract/queue.ts";
import type { Note, WorkItemQuery } from "../contract/scalars.ts";
import type { ChangedTask, NewTask, Task, TaskPage, TaskQuery } from "../contract/tasks.ts";

/** What a caller writes: what has a default may be left out. */
type Input<Model extends z.ZodType> = z.input<Model>;

/** An error's body (RFC 9457). */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Stable, for programs: `lease_lost`, `task_terminal`, …; `http_502` and such when another program answered. */
  readonly code: string;
  readonly request_id?: string;
  readonly errors?: readonly { readonly in: string; readonly pointer: string; readonly detail: string }[];
  readonly hint?: string;
  /** Where an ambiguous work item exists. */
  readonly repos?: readonly string[];
}

/** The service answered, and the answer is no. */
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

/** Statuses that say that there is no answer now: the service's own, and a proxy's for it. */
const NO_ANSWER: readonly number[] = [502, 503, 504];

/** Whether an error leaves open what became of the call: it may have been carried out, or not. */
export const isUnanswered = (error: unknown): boolean =>
  !(error instanceof ProblemError) || NO_ANSWER.includes(error.problem.status);

const PROBLEM = "application/problem+json";
const SHOWN_CHARACTERS = 200;

/** As much as there is to say of an answer that is not the service's own. */
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

/** The problem that an answer carries. */
const problemOf = async (response: Response): Promise<Problem> => {
  const text = await response.text();
  const isOwn = response.headers.get("content-type")?.startsWith(PROBLEM);
  return isOwn ? (JSON.parse(text) as Problem) : foreign(response, text);
};

/** @throws ProblemError for what is no JSON: another program answered */
const jsonOf = async <Body>(response: Response): Promise<Body> => {
  const text = await response.text();
  try {
    return JSON.parse(text) as Body;
  } catch {
    throw new ProblemError(foreign(response, text));
  }
};

/** How often a request is sent again, and the longest that it waits for that. */
const REPEATS = 3;
const LONGEST_WAIT_S = 10;

/** Milliseconds after which the service wants the request again; undefined when it does not. */
const wantedAgainIn = ({ status, headers }: Response): number | undefined => {
  const after = /^\d{1,6}$/.exec(headers.get("retry-after") ?? "")?.[0];
  const seconds = status === 503 && after !== undefined ? Number(after) : Infinity;
  return seconds <= LONGEST_WAIT_S ? seconds * 1_000 : undefined;
};

type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** The path with its query: a list is the key repeated, what is undefined is left out. */
const at = (path: string, query: Query): string => {
  const pairs = Object.entries(query).flatMap(([key, value]) =>
    value === undefined ? [] : [value].flat().map((each): [string, string] => [key, String(each)]),
  );
  return pairs.length === 0 ? path : `${path}?${new URLSearchParams(pairs).toString()}`;
};

type Method = "GET" | "POST" | "PATCH";

/** For what is the same however often it is sent. */
const NO_KEY = "";

interface Address {
  /** Such as `http://127.0.0.1:8080`; one for each node, at least one. */
  readonly url: string | readonly string[];
  /** The secret of one of the service's tokens. */
  readonly token?: string | undefined;
}

/** The event in a block of a stream of Server-Sent Events; none in a comment. */
const eventOf = (block: string): HistoryEvent[] => {
  const data = /^data: ?(.*)$/m.exec(block)?.[1];
  return data === undefined ? [] : [JSON.parse(data) as HistoryEvent];
};

type FollowInput = Readonly<{ after?: number; repo?: string; work_item?: string }>;

/** With `dry_run` the answer says what would come of it, and nothing is changed. */
type Trial = Readonly<{ dry_run?: boolean }>;
type LaneQuery = Trial & Readonly<{ repo: string }>;

/** Every method throws ProblemError, or what fetch throws. A signal ends the call early. */
export class Client {
  /** The node that is asked comes first. */
  #nodes: readonly string[];
  readonly #headers: Readonly<Record<string, string>>;

  constructor({ url, token }: Address) {
    this.#nodes = [url].flat().map((node) => node.replace(/\/+$/, ""));
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  // --- The orchestrator's

  /** @returns `created: false` with what stands when the work item had its task already */
  async createTask(
    input: Input<typeof NewTask>,
    trial: Trial = {},
  ): Promise<{ created: boolean; task: Task; job: Job | null }> {
    const response = await this.#send("POST", at("/tasks", trial), input);
    const stands = await jsonOf<{ task: Task; job: Job | null }>(response);
    return { created: response.status === 201, ...stands };
  }

  tasks(query: Partial<TaskQuery> = {}): Promise<TaskPage> {
    return this.#call("GET", at("/tasks", query));
  }

  task(id: number, signal?: AbortSignal): Promise<{ task: Task; jobs: Job[] }> {
    return this.#call("GET", `/tasks/${id}`, undefined, signal);
  }

  setStage(
    id: number,
    stage: string,
    note: Input<typeof Note> = {},
    trial: Trial = {},
  ): Promise<ChangedTask> {
    return this.#call("PATCH", at(`/tasks/${id}`, trial), { stage, ...note });
  }

  cancelTask(id: number, note?: Input<typeof Note>, trial: Trial = {}): Promise<ChangedTask> {
    return this.#call("POST", at(`/tasks/${id}/cancel`, trial), note);
  }

  createJob(input: Input<typeof NewJob>, trial: Trial = {}): Promise<{ job: Job }> {
    return this.#call("POST", at("/jobs", trial), input);
  }

  job(id: number): Promise<{ job: Job }> {
    return this.#call("GET", `/jobs/${id}`);
  }

  retryJob(id: number, note?: Input<typeof Note>, trial: Trial = {}): Promise<ChangedJob> {
    return this.#call("POST", at(`/jobs/${id}/retry`, trial), note);
  }

  // --- The worker's

  claim(request: Input<typeof ClaimRequest> = {}, signal?: AbortSignal, key?: string): Promise<Claim> {
    return this.#call("POST", "/jobs/claim", request, signal, key);
  }

  heartbeat(id: number, input: Input<typeof Heartbeat>, signal?: AbortSignal): Promise<{ lease: Lease }> {
    return this.#call("POST", `/jobs/${id}/heartbeat`, input, signal, NO_KEY);
  }

  complete(id: number, input: Input<typeof Completion>, key?: string): Promise<Completed> {
    return this.#call("POST", `/jobs/${id}/complete`, input, undefined, key);
  }

  fail(id: number, input: Input<typeof Failure>, key?: string): Promise<{ job: Job }> {
    return this.#call("POST", `/jobs/${id}/fail`, input, undefined, key);
  }

  release(id: number, input: Input<typeof Release>, key?: string): Promise<{ job: Job }> {
    return this.#call("POST", `/jobs/${id}/release`, input, undefined, key);
  }

  // --- The operator's

  pause(query: WorkItemQuery & Trial, note?: Input<typeof PauseNote>): Promise<PauseState> {
    return this.#call("POST", at("/serial-gate/pause", query), note);
  }

  resume(query: WorkItemQuery & Trial, note?: Input<typeof Note>): Promise<PauseState> {
    return this.#call("POST", at("/serial-gate/resume", query), note);
  }

  /** Parks every unfinished task of a repository that is not parked yet. */
  pauseLane(query: LaneQuery, note?: Input<typeof PauseNote>): Promise<LanePauseState> {
    return this.#call("POST", at("/serial-gate/pause", query), note);
  }

  /** Takes back those that `pauseLane` parked. */
  resumeLane(query: LaneQuery, note?: Input<typeof Note>): Promise<LanePauseState> {
    return this.#call("POST", at("/serial-gate/resume", query), note);
  }

  freeze(repo: string, note?: Input<typeof FreezeNote>, trial: Trial = {}): Promise<FreezeState> {
    return this.#call("POST", at("/freeze", { repo, ...trial }), note);
  }

  unfreeze(query: Input<typeof UnfreezeQuery>, note?: Input<typeof Note>): Promise<Unfrozen> {
    return this.#call("POST", at("/unfreeze", query), note);
  }

  /** A page of what happened, by id, oldest first. */
  events(query: Input<typeof EventQuery> = {}, signal?: AbortSignal): Promise<EventPage> {
    return this.#call("GET", at("/events", query), undefined, signal);
  }

  /** What happens behind an event, or from now on, as it happens: a list whenever the service says something, empty
   *  when that is only that it is there. Ends when the service does. */
  async *follow(query: FollowInput = {}, signal?: AbortSignal): AsyncGenerator<readonly HistoryEvent[]> {
    const { body } = await this.#send("GET", at("/events/stream", query), undefined, signal);
    let rest = "";
    for await (const text of body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const blocks = (rest + text).split("\n\n");
      rest = blocks.pop() ?? "";
      yield blocks.flatMap(eventOf);
    }
  }

  /** Why a work item waits, down to what has to happen first. */
  explain(query: WorkItemQuery): Promise<Explanation> {
    return this.#call("GET", at("/queue/explain", query));
  }

  queue(repos?: readonly string[], signal?: AbortSignal): Promise<Queue> {
    return this.#call("GET", at("/queue", { repo: repos }), undefined, signal);
  }

  async #call<Body>(
    method: Method,
    path: string,
    body?: unknown,
    signal?: AbortSignal,
    key?: string,
  ): Promise<Body> {
    return jsonOf(await this.#send(method, path, body, signal, key));
  }

  /** The next node is asked from now on, unless another call has seen to it. */
  #turnFrom(node: string): void {
    if (this.#nodes[0] === node) this.#nodes = [...this.#nodes.slice(1), node];
  }

  async #send(
    method: Method,
    path: string,
    body?: unknown,
    signal?: AbortSignal,
    key = method === "GET" ? NO_KEY : randomUUID(),
  ): Promise<Response> {
    for (let repeats = 0; ; repeats += 1) {
      const node = this.#nodes[0] ?? "";
      const response = await fetch(node + path, {
        method,
        headers: {
          ...this.#headers,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...(key === NO_KEY ? {} : { "idempotency-key": key }),
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal: signal ?? null,
      }).catch((error: unknown) => {
        if (!signal?.aborted) this.#turnFrom(node);
        throw error;
      });
      if (NO_ANSWER.includes(response.status)) this.#turnFrom(node);
      if (response.ok) return response;
      const wait = repeats < REPEATS ? wantedAgainIn(response) : undefined;
      if (wait === undefined) throw new ProblemError(await problemOf(response));
      await response.body?.cancel();
      await sleep(wait, undefined, signal && { signal });
    }
  }
}
