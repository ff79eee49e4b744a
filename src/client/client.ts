/** The typed client: one method for each call of the HTTP API, over the platform's fetch.
 *  It knows the shapes of the contract, nothing of the program behind it.
 *
 *  - A refusal is thrown as a ProblemError; a network failure as fetch throws it.
 *  - Only a 503 with Retry-After is sent again, at most three times.
 *  - Every change carries an Idempotency-Key, so the service recognises a repeat. To repeat a call whose answer was
 *    lost, pass the key of the first attempt.
 *  - Of several nodes, one is asked until it fails to answer; then the next. */

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type * as z from "zod";
import type { EventPage, EventQuery, EventRange, HistoryEvent } from "../contract/events.ts";
import type { Explanation } from "../contract/explanation.ts";
import type {
  ChangedJob,
  Claim,
  ClaimRequest,
  Completed,
  Completion,
  Failure,
  ForcedRelease,
  Heartbeat,
  Job,
  JobPage,
  JobQuery,
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
  ResumeNote,
  UnfreezeQuery,
  Unfrozen,
} from "../contract/operations.ts";
import type { Queue } from "../contract/queue.ts";
import type { Note, OneTaskQuery, WorkItemQuery } from "../contract/scalars.ts";
import type {
  ChangedTask,
  NewTask,
  StageChange,
  Task,
  TaskChange,
  TaskPage,
  TaskQuery,
} from "../contract/tasks.ts";

/** A model as a caller writes it: fields with a default are optional. */
type Input<Model extends z.ZodType> = z.input<Model>;

/** The body of an error (RFC 9457). */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Stable, for programs: `lease_lost`, `task_terminal`, …; `http_STATUS` for an answer of another program. */
  readonly code: string;
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
const NO_ANSWER: readonly number[] = [502, 503, 504];

/** True when the error leaves open whether the call was carried out. */
export const isUnanswered = (error: unknown): boolean =>
  !(error instanceof ProblemError) || NO_ANSWER.includes(error.problem.status);

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
const problemOf = async (response: Response): Promise<Problem> => {
  const text = await response.text();
  const isOwn = response.headers.get("content-type")?.startsWith(PROBLEM);
  return (isOwn ? problemIn(text) : undefined) ?? foreign(response, text);
};

/** @throws ProblemError `http_200` when the body is not JSON: another program answered */
const jsonOf = async <Body>(response: Response): Promise<Body> => {
  const text = await response.text();
  try {
    return JSON.parse(text) as Body;
  } catch {
    throw new ProblemError(foreign(response, text));
  }
};

/** How often a request is sent again, and the longest Retry-After that is waited for. */
const REPEATS = 3;
const LONGEST_WAIT_S = 10;

/** The wait that the service asks for before a repeat, in milliseconds; undefined when it asks for none. */
const retryAfterMs = ({ status, headers }: Response): number | undefined => {
  const after = /^\d{1,6}$/.exec(headers.get("retry-after") ?? "")?.[0];
  const seconds = status === 503 && after !== undefined ? Number(after) : Infinity;
  return seconds <= LONGEST_WAIT_S ? seconds * 1_000 : undefined;
};

type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** The path with its query. A list repeats its key; undefined values are left out. */
const withQuery = (path: string, query: Query): string => {
  const pairs = Object.entries(query).flatMap(([key, value]) =>
    value === undefined ? [] : [value].flat().map((each): [string, string] => [key, String(each)]),
  );
  return pairs.length === 0 ? path : `${path}?${new URLSearchParams(pairs).toString()}`;
};

type Method = "GET" | "POST" | "PATCH";

/** For calls that are harmless to repeat. */
const NO_KEY = "";

interface Address {
  /** Such as `http://127.0.0.1:8080`. One for each node, at least one. */
  readonly url: string | readonly string[];
  /** The secret of one of the service's tokens. */
  readonly token?: string | undefined;
}

const cursorUnknown = ({ oldest, newest }: EventRange): ProblemError =>
  new ProblemError({
    type: "urn:serial-gate:problem:cursor_unknown",
    title: "Cursor unknown",
    status: 410,
    detail: `The place is not in the event log, which ends at ${newest}.`,
    code: "cursor_unknown",
    oldest,
    newest,
  });

/** The JSON in a block of Server-Sent Events; undefined in a comment. */
const dataIn = (block: string): string | undefined => /^data: ?(.*)$/m.exec(block)?.[1];

/** The event in a block of Server-Sent Events; none in a comment. */
const eventsIn = (block: string): HistoryEvent[] => {
  const data = dataIn(block);
  return data === undefined ? [] : [JSON.parse(data) as HistoryEvent];
};

const isReset = (block: string): boolean => /^event: ?reset$/m.test(block);

type FollowInput = Readonly<{ after?: number; repo?: string; work_item?: string }>;

/** With `dry_run: true` the answer shows the effect and nothing is changed. */
type Trial = Readonly<{ dry_run?: boolean | undefined }>;
type RepoQuery = Trial & Readonly<{ repo: string }>;

/** One method for each call. Beside the codes it names, every method throws ProblemError `invalid_request` for
 *  malformed input, `unauthorized` without a valid token, and `storage_busy`, `storage_unavailable` or `draining` when
 *  there is no answer now. A `signal` ends the call early; a `key` is the Idempotency-Key of an earlier attempt. */
export class Client {
  /** In the order in which they are asked. */
  #nodes: readonly string[];
  readonly #headers: Readonly<Record<string, string>>;

  constructor({ url, token }: Address) {
    this.#nodes = [url].flat().map((node) => node.replace(/\/+$/, ""));
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  // --- For the orchestrator

  /** Creates a task, and its entry job unless `entry_job` is false. A work item that has a task in the repository keeps
   *  that task unchanged.
   *  @returns the task and its entry job; `created: false` when the task existed
   *  @throws ProblemError repo_looks_alike, unknown_work_item, ambiguous_work_item (a dependency), dependency_cycle,
   *    task_terminal */
  async createTask(
    input: Input<typeof NewTask>,
    trial: Trial = {},
  ): Promise<{ created: boolean; task: Task; job: Job | null }> {
    const response = await this.#send("POST", withQuery("/tasks", trial), input);
    const created = await jsonOf<{ task: Task; job: Job | null }>(response);
    return { created: response.status === 201, ...created };
  }

  /** Lists tasks by id, at most `limit` (100 unless given, 500 at most).
   *  @returns a page; its `next_cursor` is the next page's `cursor`, null on the last page */
  tasks(query: Partial<TaskQuery> = {}): Promise<TaskPage> {
    return this.#call("GET", withQuery("/tasks", query));
  }

  /** Reads a task and its jobs.
   *  @throws ProblemError unknown_task */
  task(id: number, signal?: AbortSignal): Promise<{ task: Task; jobs: Job[] }> {
    return this.#call("GET", `/tasks/${id}`, undefined, signal);
  }

  /** Finds the task of a work item: the unfinished one if there is one, else the latest.
   *  @throws ProblemError unknown_work_item; ambiguous_work_item (its `repos` lists the candidates) */
  resolveTask(query: WorkItemQuery, signal?: AbortSignal): Promise<{ task: Task }> {
    return this.#call("GET", withQuery("/tasks/resolve", query), undefined, signal);
  }

  /** Moves a task to a stage. `done` and `cancelled` are final, and cancel its waiting entry jobs; every waiting job with
   *  `note.cancel_jobs`, or for `cancelled`.
   *  @returns the task as it is now, its waiting jobs that were cancelled and those that were left, and the jobs that can
   *    start or are held because of it
   *  @throws ProblemError unknown_task, task_terminal */
  setStage(
    id: number,
    stage: string,
    note: Omit<Input<typeof StageChange>, "stage"> = {},
    trial: Trial = {},
  ): Promise<ChangedTask> {
    return this.#call("PATCH", withQuery(`/tasks/${id}`, trial), { stage, ...note });
  }

  /** Replaces the dependencies of a task; an empty list drops all.
   *  @param depends_on work items of the task's own repository, or of the one repository that has it, or with their `repo`
   *  @returns the task as it is now, whether a job of it has started already, and the jobs that can start or are held
   *    because of it
   *  @throws ProblemError unknown_task, task_terminal, dependency_cycle (its `path` lists the work items); for a dependency
   *    unknown_work_item, ambiguous_work_item */
  setDependencies(
    id: number,
    depends_on: NonNullable<Input<typeof TaskChange>["depends_on"]>,
    note: Input<typeof Note> = {},
    trial: Trial = {},
  ): Promise<ChangedTask> {
    return this.#call("PATCH", withQuery(`/tasks/${id}`, trial), { depends_on, ...note });
  }

  /** Cancels a task and its waiting jobs. Cancelling again changes nothing.
   *  @returns as `setStage`
   *  @throws ProblemError unknown_task, task_terminal (the task is done) */
  cancelTask(id: number, note?: Input<typeof Note>, trial: Trial = {}): Promise<ChangedTask> {
    return this.#call("POST", withQuery(`/tasks/${id}/cancel`, trial), note);
  }

  /** Enqueues a job for an existing task.
   *  @param input.run_after ISO 8601; the job cannot start before it
   *  @throws ProblemError repo_looks_alike, unknown_work_item, ambiguous_work_item, task_terminal */
  createJob(input: Input<typeof NewJob>, trial: Trial = {}): Promise<{ job: Job }> {
    return this.#call("POST", withQuery("/jobs", trial), input);
  }

  /** Lists jobs, the newest first, at most `limit` (100 unless given, 500 at most).
   *  @param query.worker only the running jobs that this worker has
   *  @returns a page; its `next_cursor` is the next page's `cursor`, null on the last page. Any other page may be short,
   *    even empty */
  jobs(query: Partial<JobQuery> = {}, signal?: AbortSignal): Promise<JobPage> {
    return this.#call("GET", withQuery("/jobs", query), undefined, signal);
  }

  /** Reads a job.
   *  @throws ProblemError unknown_job */
  job(id: number): Promise<{ job: Job }> {
    return this.#call("GET", `/jobs/${id}`);
  }

  /** Queues a failed job again, with one more attempt.
   *  @returns the job, and the jobs that can start or are held because of it
   *  @throws ProblemError unknown_job, job_not_failed, task_terminal */
  retryJob(id: number, note?: Input<typeof Note>, trial: Trial = {}): Promise<ChangedJob> {
    return this.#call("POST", withQuery(`/jobs/${id}/retry`, trial), note);
  }

  /** Cancels a job that has not started, or that failed. Cancelling it again changes nothing.
   *  @returns the job, and the jobs that can start or are held because of it
   *  @throws ProblemError unknown_job, job_not_cancellable */
  cancelJob(id: number, note?: Input<typeof Note>, trial: Trial = {}): Promise<ChangedJob> {
    return this.#call("POST", withQuery(`/jobs/${id}/cancel`, trial), note);
  }

  // --- For workers

  /** Claims the oldest ready jobs, at most `max` (1 unless given).
   *  @param request.wait_ms milliseconds to wait for a job when none is ready, at most 60,000
   *  @param request.lease_ms length of the lease in milliseconds, 1,000 to 86,400,000
   *  @returns no jobs when none became ready in time. An aborted call claims nothing; a claim whose answer was lost is
   *    answered again under its key
   *  @throws ProblemError draining */
  claim(request: Input<typeof ClaimRequest> = {}, signal?: AbortSignal, key?: string): Promise<Claim> {
    return this.#call("POST", "/jobs/claim", request, signal, key);
  }

  /** Renews the lease of a running job: by `lease_ms` milliseconds from now, or by the same length as before.
   *  @param input.progress how far the worker is, for people; at most 200 characters are kept
   *  @throws ProblemError unknown_job, lease_lost, task_cancelled, task_terminal: stop working on the job */
  heartbeat(id: number, input: Input<typeof Heartbeat>, signal?: AbortSignal): Promise<{ lease: Lease }> {
    return this.#call("POST", `/jobs/${id}/heartbeat`, input, signal, NO_KEY);
  }

  /** Completes a job. In the same transaction, its task moves to `stage` or is paused, and the `next` jobs are enqueued.
   *  @param input.pause the task waits for a person; its lane is free for others
   *  @returns the job, its task and the new jobs; of a task that finished, the waiting jobs that were cancelled and those
   *    that were left
   *  @throws ProblemError unknown_job, lease_lost, task_cancelled, task_terminal (the task finished since the claim: only
   *    the `result` is taken), layer_disabled */
  complete(id: number, input: Input<typeof Completion>, key?: string): Promise<Completed> {
    return this.#call("POST", `/jobs/${id}/complete`, input, undefined, key);
  }

  /** Fails a job. It is retried after a delay while it has attempts left, unless `retry` is false.
   *  @param input.retry_after_ms milliseconds until the next attempt, 30 days at most, in place of the backoff
   *  @throws ProblemError unknown_job, lease_lost */
  fail(id: number, input: Input<typeof Failure>, key?: string): Promise<{ job: Job }> {
    return this.#call("POST", `/jobs/${id}/fail`, input, undefined, key);
  }

  /** Returns a job to the queue without using up an attempt.
   *  @param input.run_after ISO 8601; the job is delayed until then
   *  @param input.pause the task waits for a person: it is paused, and its lane is free for others
   *  @returns the job, and the jobs that can start or are held because of it
   *  @throws ProblemError unknown_job, lease_lost; with `pause` task_terminal, layer_disabled */
  release(id: number, input: Input<typeof Release>, key?: string): Promise<ChangedJob> {
    return this.#call("POST", `/jobs/${id}/release`, input, undefined, key);
  }

  // --- For operators

  /** Takes a running job from its worker, or from another program that left it running, back into the queue. No attempt
   *  is counted, and the lease's token is worthless from then on.
   *  @returns the job, and the jobs that can start or are held because of it
   *  @throws ProblemError unknown_job, job_not_running */
  releaseByForce(id: number, note: Input<typeof ForcedRelease>, trial: Trial = {}): Promise<ChangedJob> {
    return this.#call("POST", withQuery(`/jobs/${id}/release`, { force: true, ...trial }), note);
  }

  /** Pauses a task, so that later tasks of its repository can overtake it. Pausing again keeps the first time.
   *  @param query a work item, with its repository if several have it, or a task id
   *  @param note.until ISO 8601; the task resumes by itself then
   *  @returns `changed: false` when the task was paused before
   *  @throws ProblemError unknown_task, unknown_work_item, ambiguous_work_item, task_terminal, layer_disabled */
  pause(query: OneTaskQuery & Trial, note?: Input<typeof PauseNote>): Promise<PauseState> {
    return this.#call("POST", withQuery("/serial-gate/pause", query), note);
  }

  /** Resumes a paused task.
   *  @param note.answer handed out with every claim of the task, until a job that was claimed with it completes
   *  @returns `changed: false` when the task was not paused
   *  @throws ProblemError unknown_task, unknown_work_item, ambiguous_work_item, task_terminal (an answer to finished
   *    work) */
  resume(query: OneTaskQuery & Trial, note?: Input<typeof ResumeNote>): Promise<PauseState> {
    return this.#call("POST", withQuery("/serial-gate/resume", query), note);
  }

  /** Pauses every unfinished task of a repository that is not paused.
   *  @param note.until ISO 8601; the tasks resume by themselves then
   *  @returns the tasks that this call paused
   *  @throws ProblemError layer_disabled */
  pauseLane(query: RepoQuery, note?: Input<typeof PauseNote>): Promise<LanePauseState> {
    return this.#call("POST", withQuery("/serial-gate/pause", { ...query, all: true }), note);
  }

  /** Resumes the tasks that `pauseLane` paused. A task paused by itself stays paused.
   *  @returns the tasks that this call resumed */
  resumeLane(query: RepoQuery, note?: Input<typeof ResumeNote>): Promise<LanePauseState> {
    return this.#call("POST", withQuery("/serial-gate/resume", { ...query, all: true }), note);
  }

  /** Freezes a repository: no task of it starts until every freeze is cleared. Each call adds a freeze.
   *  @returns `in_force: false` while the freeze holds nothing; `known: false` for a repository that nothing has
   *  @throws ProblemError layer_disabled, repo_looks_alike */
  freeze(repo: string, note?: Input<typeof FreezeNote>, trial: Trial = {}): Promise<FreezeState> {
    return this.#call("POST", withQuery("/freeze", { repo, ...trial }), note);
  }

  /** Clears the freezes of a repository, or only the freeze `id`.
   *  @returns the freezes that this call cleared, and whether one remains */
  unfreeze(query: Input<typeof UnfreezeQuery>, note?: Input<typeof Note>): Promise<Unfrozen> {
    return this.#call("POST", withQuery("/unfreeze", query), note);
  }

  /** Reads a page of the event log, oldest first, at most `limit` events (100 unless given, 1,000 at most).
   *  @param query.about a work item: the whole life of its task
   *  @returns the page; its `next_cursor` is the `after` of the next
   *  @throws ProblemError cursor_unknown (its `newest` is the `after` to continue with); with `about` unknown_work_item,
   *    ambiguous_work_item */
  events(query: Input<typeof EventQuery> = {}, signal?: AbortSignal): Promise<EventPage> {
    return this.#call("GET", withQuery("/events", query), undefined, signal);
  }

  /** Follows the event log after the event `after`, or from now on. Ends when the service shuts down.
   *  @returns a list of events whenever the service sends something; an empty list at the start and for a heartbeat,
   *    which comes every 15 seconds
   *  @throws ProblemError draining; cursor_unknown (its `newest` is the `after` to continue with) */
  async *follow(query: FollowInput = {}, signal?: AbortSignal): AsyncGenerator<readonly HistoryEvent[]> {
    const { body } = await this.#send("GET", withQuery("/events/stream", query), undefined, signal);
    let rest = "";
    for await (const text of body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const blocks = (rest + text).split("\n\n");
      rest = blocks.pop() ?? "";
      const reset = blocks.findIndex(isReset);
      if (reset < 0) {
        yield blocks.flatMap(eventsIn);
        continue;
      }
      if (reset > 0) yield blocks.slice(0, reset).flatMap(eventsIn);
      throw cursorUnknown(JSON.parse(dataIn(blocks[reset] ?? "") ?? "") as EventRange);
    }
  }

  /** Explains why a work item waits: everything that holds its jobs, down to the root cause, with the calls that free
   *  it and their effect.
   *  @throws ProblemError unknown_task, unknown_work_item, ambiguous_work_item */
  explain(query: OneTaskQuery): Promise<Explanation> {
    return this.#call("GET", withQuery("/queue/explain", query));
  }

  /** Reads the state of every lane, or of the given repositories, at one instant.
   *  @returns `degraded: true` when a part of the database cannot be read */
  queue(repos?: readonly string[], signal?: AbortSignal): Promise<Queue> {
    return this.#call("GET", withQuery("/queue", { repo: repos }), undefined, signal);
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

  /** Asks the next node from now on, unless another call has turned already. */
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
      const wait = repeats < REPEATS ? retryAfterMs(response) : undefined;
      if (wait === undefined) throw new ProblemError(await problemOf(response));
      await response.body?.cancel();
      await sleep(wait, undefined, signal && { signal });
    }
  }
}
