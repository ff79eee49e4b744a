/** The typed client: one method for each call of the HTTP API, over the platform's fetch, for Node, Deno, Bun and browsers.
 *  It knows the shapes of the API, nothing of the program behind it.
 *
 *  - A refusal is thrown as a ProblemError; a network failure as fetch throws it.
 *  - Only a 503 with Retry-After is sent again, at most three times.
 *  - Every change carries an Idempotency-Key, so the service recognises a repeat. To repeat a call whose answer was
 *    lost, pass the key of the first attempt.
 *  - Of several nodes, one is asked until it fails to answer; then the next. */

import { readStream } from "./event-stream.ts";
import { claimedJobs, type JobsOptions } from "./jobs.ts";
import { jsonOf } from "./problem.ts";
import type { RunningJob } from "./running-job.ts";
import { NO_KEY, Transport, withQuery, type Address } from "./transport.ts";
import type { Answer, Body, Event, OneTask, Query } from "./types.ts";

export { isUnanswered, ProblemError, type Problem } from "./problem.ts";
export type { JobsOptions } from "./jobs.ts";
export type { Outcome, RunningJob } from "./running-job.ts";
export type * from "./types.ts";

/** With `dry_run: true` the answer shows the effect and nothing is changed. */
type Trial = Readonly<{ dry_run?: boolean | undefined }>;
type RepoQuery = Trial & Readonly<{ repo: string }>;
type Note = NonNullable<Body<"cancelTask">>;

/** The two forms of a release have one body in the API. */
type ReleaseBody = Pick<Body<"releaseJob">, "run_after" | "pause"> & Readonly<{ lease_token: string }>;
type ForcedReleaseBody = Readonly<{ reason: string; by?: string }>;

/** One task, or the tasks of a lane: a call with `all` answers with the second. */
type PauseState = Exclude<Answer<"pauseTask">, { tasks: unknown }>;
type LanePauseState = Extract<Answer<"pauseTask">, { tasks: unknown }>;

/** Makes a client for a service, or for the nodes of one. */
export const createClient = (address: Address): Client => new Client(address);

/** One method for each call. Beside the codes it names, every method throws ProblemError `invalid_request` for
 *  malformed input, `unauthorized` without a valid token, and `storage_busy`, `storage_unavailable` or `draining` when
 *  there is no answer now. A `signal` ends the call early; a `key` is the Idempotency-Key of an earlier attempt. */
export class Client {
  readonly #transport: Transport;

  constructor(address: Address) {
    this.#transport = new Transport(address);
  }

  // --- For the orchestrator

  /** Creates a task, and its entry job unless `entry_job` is false. A work item that has a task in the repository keeps
   *  that task unchanged.
   *  @returns the task and its entry job; `created: false` when the task existed
   *  @throws ProblemError repo_looks_alike, unknown_work_item, ambiguous_work_item (a dependency), dependency_cycle,
   *    task_terminal */
  async createTask(
    input: Body<"createTask">,
    trial: Trial = {},
  ): Promise<Answer<"createTask"> & { created: boolean }> {
    const response = await this.#transport.send("POST", withQuery("/tasks", trial), { body: input });
    const answer = await jsonOf<Answer<"createTask">>(response);
    return { ...answer, created: response.status === 201 };
  }

  /** Lists tasks by id, at most `limit` (100 unless given, 500 at most).
   *  @returns a page; its `next_cursor` is the next page's `cursor`, null on the last page */
  listTasks(query: Query<"listTasks"> = {}): Promise<Answer<"listTasks">> {
    return this.#transport.call("GET", withQuery("/tasks", query));
  }

  /** Reads a task and its jobs.
   *  @throws ProblemError unknown_task */
  task(id: number, signal?: AbortSignal): Promise<Answer<"getTask">> {
    return this.#transport.call("GET", `/tasks/${id}`, { signal });
  }

  /** Finds the task of a work item: the unfinished one if there is one, else the latest.
   *  @throws ProblemError unknown_work_item; ambiguous_work_item (its `repos` lists the candidates) */
  resolveTask(query: Query<"resolveTask">, signal?: AbortSignal): Promise<Answer<"resolveTask">> {
    return this.#transport.call("GET", withQuery("/tasks/resolve", query), { signal });
  }

  /** Moves a task to a stage. `done` and `cancelled` are final, and cancel its waiting entry jobs; every waiting job with
   *  `note.cancel_jobs`, or for `cancelled`.
   *  @returns the task as it is now, its waiting jobs that were cancelled and those that were left, and the jobs that can
   *    start or are held because of it
   *  @throws ProblemError unknown_task, task_terminal */
  setStage(
    id: number,
    stage: string,
    note: Omit<Body<"changeTask">, "stage" | "depends_on"> = {},
    trial: Trial = {},
  ): Promise<Answer<"changeTask">> {
    return this.#transport.call("PATCH", withQuery(`/tasks/${id}`, trial), { body: { stage, ...note } });
  }

  /** Replaces the dependencies of a task; an empty list drops all.
   *  @param depends_on work items of the task's own repository, or of the one repository that has it, or with their `repo`
   *  @returns the task as it is now, whether a job of it has started already, and the jobs that can start or are held
   *    because of it
   *  @throws ProblemError unknown_task, task_terminal, dependency_cycle (its `path` lists the work items); for a dependency
   *    unknown_work_item, ambiguous_work_item */
  setDependencies(
    id: number,
    depends_on: NonNullable<Body<"changeTask">["depends_on"]>,
    note: Note = {},
    trial: Trial = {},
  ): Promise<Answer<"changeTask">> {
    return this.#transport.call("PATCH", withQuery(`/tasks/${id}`, trial), { body: { depends_on, ...note } });
  }

  /** Cancels a task and its waiting jobs. Cancelling again changes nothing.
   *  @returns as `setStage`
   *  @throws ProblemError unknown_task, task_terminal (the task is done) */
  cancelTask(id: number, note?: Note, trial: Trial = {}): Promise<Answer<"changeTask">> {
    return this.#transport.call("POST", withQuery(`/tasks/${id}/cancel`, trial), { body: note });
  }

  /** Enqueues a job for an existing task.
   *  @param input.run_after ISO 8601; the job cannot start before it
   *  @throws ProblemError repo_looks_alike, unknown_work_item, ambiguous_work_item, task_terminal */
  createJob(input: Body<"createJob">, trial: Trial = {}): Promise<Answer<"createJob">> {
    return this.#transport.call("POST", withQuery("/jobs", trial), { body: input });
  }

  /** Lists jobs, the newest first, at most `limit` (100 unless given, 500 at most).
   *  @param query.worker only the running jobs that this worker has
   *  @returns a page; its `next_cursor` is the next page's `cursor`, null on the last page. Any other page may be short,
   *    even empty */
  listJobs(query: Query<"listJobs"> = {}, signal?: AbortSignal): Promise<Answer<"listJobs">> {
    return this.#transport.call("GET", withQuery("/jobs", query), { signal });
  }

  /** Reads a job.
   *  @throws ProblemError unknown_job */
  job(id: number): Promise<Answer<"getJob">> {
    return this.#transport.call("GET", `/jobs/${id}`);
  }

  /** Queues a failed job again, with one more attempt.
   *  @returns the job, and the jobs that can start or are held because of it
   *  @throws ProblemError unknown_job, job_not_failed, task_terminal */
  retryJob(id: number, note?: Note, trial: Trial = {}): Promise<Answer<"retryJob">> {
    return this.#transport.call("POST", withQuery(`/jobs/${id}/retry`, trial), { body: note });
  }

  /** Cancels a job that has not started, or that failed. Cancelling it again changes nothing.
   *  @returns the job, and the jobs that can start or are held because of it
   *  @throws ProblemError unknown_job, job_not_cancellable */
  cancelJob(id: number, note?: Note, trial: Trial = {}): Promise<Answer<"retryJob">> {
    return this.#transport.call("POST", withQuery(`/jobs/${id}/cancel`, trial), { body: note });
  }

  // --- For workers

  /** Claims the oldest ready jobs, at most `max` (1 unless given).
   *  @param request.wait_ms milliseconds to wait for a job when none is ready, at most 60,000
   *  @param request.lease_ms length of the lease in milliseconds, 1,000 to 86,400,000
   *  @returns no jobs when none became ready in time. An aborted call claims nothing; a claim whose answer was lost is
   *    answered again under its key
   *  @throws ProblemError draining */
  claim(request: Body<"claimJobs"> = {}, signal?: AbortSignal, key?: string): Promise<Answer<"claimJobs">> {
    return this.#transport.call("POST", "/jobs/claim", { body: request, signal, key });
  }

  /** Renews the lease of a running job: by `lease_ms` milliseconds from now, or by the same length as before.
   *  @param input.progress how far the worker is, for people; at most 200 characters are kept
   *  @throws ProblemError unknown_job, lease_lost, task_cancelled, task_terminal: stop working on the job */
  heartbeat(id: number, input: Body<"heartbeat">, signal?: AbortSignal): Promise<Answer<"heartbeat">> {
    return this.#transport.call("POST", `/jobs/${id}/heartbeat`, { body: input, signal, key: NO_KEY });
  }

  /** Completes a job. In the same transaction, its task moves to `stage` or is paused, and the `next` jobs are enqueued.
   *  @param input.pause the task waits for a person; its lane is free for others
   *  @returns the job, its task and the new jobs; of a task that finished, the waiting jobs that were cancelled and those
   *    that were left
   *  @throws ProblemError unknown_job, lease_lost, task_cancelled, task_terminal (the task finished since the claim: only
   *    the `result` is taken), layer_disabled */
  complete(id: number, input: Body<"completeJob">, key?: string): Promise<Answer<"completeJob">> {
    return this.#transport.call("POST", `/jobs/${id}/complete`, { body: input, key });
  }

  /** Fails a job. It is retried after a delay while it has attempts left, unless `retry` is false.
   *  @param input.retry_after_ms milliseconds until the next attempt, 30 days at most, in place of the backoff
   *  @throws ProblemError unknown_job, lease_lost */
  fail(id: number, input: Body<"failJob">, key?: string): Promise<Answer<"failJob">> {
    return this.#transport.call("POST", `/jobs/${id}/fail`, { body: input, key });
  }

  /** Returns a job to the queue without using up an attempt.
   *  @param input.run_after ISO 8601; the job is delayed until then
   *  @param input.pause the task waits for a person: it is paused, and its lane is free for others
   *  @returns the job, and the jobs that can start or are held because of it
   *  @throws ProblemError unknown_job, lease_lost; with `pause` task_terminal, layer_disabled */
  release(id: number, input: ReleaseBody, key?: string): Promise<Answer<"releaseJob">> {
    return this.#transport.call("POST", `/jobs/${id}/release`, { body: input, key });
  }

  /** Claims one job after another, with a lease that is renewed until the job has ended. It retries through failures of the
   *  network and the service, and ends when `options.signal` aborts.
   *
   *  ```ts
   *  for await (const job of gate.jobs({ agents: ["developer"] }))
   *    await job.complete({ stage: "review", result: await build(job, job.signal) });
   *  ```
   *
   *  A job that the loop's body neither completes nor fails is released when the loop goes on or is left. */
  jobs(options: JobsOptions = {}): AsyncGenerator<RunningJob, void> {
    return claimedJobs(this, options);
  }

  // --- For operators

  /** Takes a running job from its worker, or from another program that left it running, back into the queue. No attempt
   *  is counted, and the lease's token is worthless from then on.
   *  @returns the job, and the jobs that can start or are held because of it
   *  @throws ProblemError unknown_job, job_not_running */
  releaseByForce(id: number, note: ForcedReleaseBody, trial: Trial = {}): Promise<Answer<"releaseJob">> {
    return this.#transport.call("POST", withQuery(`/jobs/${id}/release`, { force: true, ...trial }), {
      body: note,
    });
  }

  /** Pauses a task, so that later tasks of its repository can overtake it. Pausing again keeps the first time.
   *  @param query a work item, with its repository if several have it, or a task id
   *  @param note.until ISO 8601; the task resumes by itself then
   *  @returns `changed: false` when the task was paused before
   *  @throws ProblemError unknown_task, unknown_work_item, ambiguous_work_item, task_terminal, layer_disabled */
  pause(query: OneTask & Trial, note?: Body<"pauseTask">): Promise<PauseState> {
    return this.#transport.call("POST", withQuery("/serial-gate/pause", query), { body: note });
  }

  /** Resumes a paused task.
   *  @param note.answer handed out with every claim of the task, until a job that was claimed with it completes
   *  @returns `changed: false` when the task was not paused
   *  @throws ProblemError unknown_task, unknown_work_item, ambiguous_work_item, task_terminal (an answer to finished
   *    work) */
  resume(query: OneTask & Trial, note?: Body<"resumeTask">): Promise<PauseState> {
    return this.#transport.call("POST", withQuery("/serial-gate/resume", query), { body: note });
  }

  /** Pauses every unfinished task of a repository that is not paused.
   *  @param note.until ISO 8601; the tasks resume by themselves then
   *  @returns the tasks that this call paused
   *  @throws ProblemError layer_disabled */
  pauseLane(query: RepoQuery, note?: Body<"pauseTask">): Promise<LanePauseState> {
    return this.#transport.call("POST", withQuery("/serial-gate/pause", { ...query, all: true }), {
      body: note,
    });
  }

  /** Resumes the tasks that `pauseLane` paused. A task paused by itself stays paused.
   *  @returns the tasks that this call resumed */
  resumeLane(query: RepoQuery, note?: Body<"resumeTask">): Promise<LanePauseState> {
    return this.#transport.call("POST", withQuery("/serial-gate/resume", { ...query, all: true }), {
      body: note,
    });
  }

  /** Freezes a repository: no task of it starts until every freeze is cleared. Each call adds a freeze.
   *  @returns `in_force: false` while the freeze holds nothing; `known: false` for a repository that nothing has
   *  @throws ProblemError layer_disabled, repo_looks_alike */
  freeze(repo: string, note?: Body<"freezeRepo">, trial: Trial = {}): Promise<Answer<"freezeRepo">> {
    return this.#transport.call("POST", withQuery("/freeze", { repo, ...trial }), { body: note });
  }

  /** Clears the freezes of a repository, or only the freeze `id`.
   *  @returns the freezes that this call cleared, and whether one remains */
  unfreeze(query: Query<"unfreezeRepo">, note?: Note): Promise<Answer<"unfreezeRepo">> {
    return this.#transport.call("POST", withQuery("/unfreeze", query), { body: note });
  }

  /** Reads a page of the event log, oldest first, at most `limit` events (100 unless given, 1,000 at most).
   *  @param query.about a work item: the whole life of its task
   *  @returns the page; its `next_cursor` is the `after` of the next
   *  @throws ProblemError cursor_unknown (its `newest` is the `after` to continue with); with `about` unknown_work_item,
   *    ambiguous_work_item */
  events(query: Query<"listEvents"> = {}, signal?: AbortSignal): Promise<Answer<"listEvents">> {
    return this.#transport.call("GET", withQuery("/events", query), { signal });
  }

  /** Follows the event log after the event `after`, or from now on. Ends when the service shuts down.
   *  @returns a list of events whenever the service sends something; an empty list at the start and for a heartbeat,
   *    which comes every 15 seconds
   *  @throws ProblemError draining; cursor_unknown (its `newest` is the `after` to continue with) */
  async *follow(query: Query<"followEvents"> = {}, signal?: AbortSignal): AsyncGenerator<readonly Event[]> {
    const { body } = await this.#transport.send("GET", withQuery("/events/stream", query), { signal });
    yield* readStream(body);
  }

  /** Explains why a work item waits: everything that holds its jobs, down to the root cause, with the calls that free
   *  it and their effect.
   *  @throws ProblemError unknown_task, unknown_work_item, ambiguous_work_item */
  explain(query: OneTask): Promise<Answer<"explainWorkItem">> {
    return this.#transport.call("GET", withQuery("/queue/explain", query));
  }

  /** Reads the name, role and rights of the client's token. */
  whoAmI(): Promise<Answer<"whoAmI">> {
    return this.#transport.call("GET", "/whoami");
  }

  /** Reads the state of every lane, or of the given repositories, at one instant.
   *  @returns `degraded: true` when a part of the database cannot be read */
  queue(repos?: readonly string[], signal?: AbortSignal): Promise<Answer<"getQueue">> {
    return this.#transport.call("GET", withQuery("/queue", { repo: repos }), { signal });
  }
}
