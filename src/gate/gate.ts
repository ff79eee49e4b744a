/** The facade of the gate: one line an operation. What happens around each, in which order, is runtime/pipeline.ts.
 *  It knows the store's port, no driver, no HTTP, no environment. */

import { GateError } from "../contract/errors.ts";
import type { EventPage, EventQuery, Followed, FollowQuery } from "../contract/events.ts";
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
import { EVERYWHERE, type Reach } from "../contract/names/repo-pattern.ts";
import {
  ERROR_LENGTH,
  peopleText,
  PROGRESS_LENGTH,
  withStorableAnswer,
  withStorablePause,
  withStorableReason,
} from "../contract/people-text.ts";
import type { Queue } from "../contract/queue.ts";
import type { JobStatus } from "../contract/vocabulary.ts";
import type { Note, OneTaskQuery } from "../contract/scalars.ts";
import type {
  ChangedTask,
  NewTask,
  StageChange,
  Task,
  TaskChange,
  TaskPage,
  TaskQuery,
} from "../contract/tasks.ts";
import { StoreFault, type Clock, type Store, type Tx } from "../store/port.ts";
import type { Context } from "./commands/context.ts";
import { changeTask } from "./commands/task/dependencies.ts";
import { freeze, unfreeze } from "./commands/freeze.ts";
import { agentsOf, reachOf, type Caller } from "./commands/idempotency.ts";
import { cancelJob, createJob, readJob, retryJob } from "./commands/job.ts";
import { trimAnswers } from "./commands/kept/budget.ts";
import { fail, heartbeat, release, releaseByForce } from "./commands/lease.ts";
import { pause, resume } from "./commands/pause.ts";
import { changeAtOnce, LongLane, type LaneChange } from "./commands/whole-lane/at-once.ts";
import { BusyLane } from "./commands/whole-lane/busy.ts";
import { tryChange } from "./commands/whole-lane/dry-run.ts";
import { foldLanes, nameWarnings } from "./commands/lookup/repo.ts";
import { refuseUnseen } from "./commands/lookup/subject.ts";
import { createTask } from "./commands/task/create.ts";
import { listTasks, taskOfWorkItem, taskWithJobs } from "./commands/task/read.ts";
import { setStage } from "./commands/task/stage.ts";
import { selectorOf } from "./commands/lookup/work-item.ts";
import { PAGE_BYTES } from "./page-bytes.ts";
import { explain } from "./queries/explain/answer.ts";
import type { EventLog } from "./queries/event-range.ts";
import { EVENTS, history, placeBefore } from "./queries/history.ts";
import { listJobs } from "./queries/jobs.ts";
import { jobCounts, type StateCounts } from "./queries/lanes/state-counts.ts";
import { KeptLanes } from "./queries/lanes/kept.ts";
import { KnownNames } from "./queries/lanes/list.ts";
import { snapshot } from "./queries/queue.ts";
import { countsFromKept, queueTexts, type Keeping, type QueueTexts } from "./queries/queue-texts.ts";
import { sentenceOf, unreadableTimes } from "./queries/unreadable.ts";
import { unleasedJobs } from "./queries/unleased.ts";
import { withinReach } from "./rule/reach.ts";
import type { Defaults, Policy } from "./rule/policy.ts";
import { readyEpochUnder, type WrongFlag } from "./rule/ready-index.ts";
import { Claims } from "./runtime/claims.ts";
import { Completions } from "./runtime/completions.ts";
import { jumpSentence, LeaseClock } from "./lease-clock.ts";
import { leaseTokens } from "./lease-token.ts";
import { DegradedMode } from "./runtime/degraded-mode.ts";
import { LaneChanges } from "./runtime/background/lane-changes.ts";
import { EventStream } from "./runtime/event-stream.ts";
import { readEssentials, tryToWork } from "./runtime/health/probe.ts";
import { Readiness } from "./runtime/health/readiness.ts";
import type { Log } from "./runtime/log.ts";
import { Maintenance } from "./runtime/maintenance.ts";
import { Pipeline, type Audience, type Operation } from "./runtime/pipeline.ts";
import { QueueVersion } from "./runtime/queue-version.ts";
import { ReadyIndexKeeper } from "./runtime/background/ready-index-keeper.ts";
import { Retention } from "./runtime/background/retention.ts";
import { tryRemedies } from "./runtime/trial.ts";

export { StoreFault };

interface GateParts {
  readonly store: Store;
  readonly policy: Policy;
  readonly defaults: Defaults;
  /** Repositories that `GET /queue` shows even when they are idle. */
  readonly projects?: readonly string[];
  /** Events are kept for this many days; 0 keeps them for ever. */
  readonly eventsDays?: number;
  readonly log: Log;
  /** Bytes of the lanes' texts that are kept for `queueTexts`, about; 64 MiB by default. */
  readonly keptLanes?: number;
  /** The same clock as the store's. */
  readonly clock?: Clock;
  /** Milliseconds of a clock that never jumps. */
  readonly monotonic?: () => number;
  /** A number in [0, 1), for jitter. */
  readonly random?: () => number;
  /** Rows of a step of a change of a whole lane; for tests. */
  readonly laneStep?: number;
}

/** A dry run gives the answer and changes nothing. */
interface DryRun {
  readonly dry_run?: boolean | undefined;
}

/** Without its tables the service starts degraded, and looks at no names. */
const ignoreUnreadable = (error: unknown): string[] => {
  if (error instanceof StoreFault && error.kind === "unreadable") return [];
  throw error;
};

type ById = DryRun & { readonly id: number };
type ByRepo = DryRun & { readonly repo: string };

/** Every method that changes rows takes the caller first, then the thing it is about (an id, or a query that may ask for a
 *  dry run), then the input. A read takes the caller's reach last: the repositories that it may know. A
 *  thing in another repository is unknown_task, unknown_job or unknown_work_item, as if it did not exist; another
 *  repository is unknown_repo. Every change of a caller with an Idempotency-Key may throw GateError idempotency_key_reused; every method
 *  that reads or writes may throw StoreFault. */
export class Gate {
  readonly #store: Store;
  readonly #policy: Policy;
  readonly #projects: readonly string[];
  readonly #log: Log;
  readonly #readyIndex: ReadyIndexKeeper;
  readonly #degradedMode: DegradedMode;
  readonly #maintenance: Maintenance;
  readonly #retention: Retention;
  readonly #pipeline: Pipeline;
  readonly #claims: Claims;
  readonly #completions: Completions;
  readonly #laneChanges: LaneChanges;
  readonly #events: EventStream;
  readonly #queueVersion: QueueVersion;
  readonly #keeping: Keeping;
  readonly #readiness: Readiness;
  #isDraining = false;

  constructor({
    store,
    policy,
    defaults,
    projects = [],
    eventsDays = 0,
    keptLanes = 64 * 1024 * 1024,
    log,
    clock = Date.now,
    monotonic = () => performance.now(),
    random = Math.random,
    laneStep,
  }: GateParts) {
    const watch = (listener: () => void): (() => void) => store.watch(listener);
    this.#store = store;
    this.#policy = policy;
    this.#projects = projects;
    this.#log = log;
    this.#readyIndex = new ReadyIndexKeeper({
      store,
      policy,
      log,
      monotonic,
      onRepair: () => {
        this.#claims.notify();
      },
    });
    this.#degradedMode = new DegradedMode(store, log, this.#readyIndex);
    const leaseClock = new LeaseClock(monotonic, (byMs) => {
      log.warn({ byMs }, jumpSentence(byMs));
    });
    this.#readiness = new Readiness({
      log,
      read: () => store.read(readEssentials),
      write: () => tryToWork(this.#pipeline, store),
      monotonic,
    });
    const onFailure = (error: unknown): void => {
      this.#readiness.failed(error);
    };
    this.#maintenance = new Maintenance(
      { store, policy, log, clock, leaseClock, onFault: onFailure },
      (done) => {
        this.#afterMaintenance(done);
      },
    );
    this.#retention = new Retention({ store, log, clock, leaseClock, eventsDays });
    this.#pipeline = new Pipeline({
      store,
      rules: {
        policy,
        defaults,
        projects,
        random,
        leaseClock,
        newToken: leaseTokens(),
      },
      maintenance: this.#maintenance,
      degradedMode: this.#degradedMode,
      readyIndex: this.#readyIndex,
      notify: (audience) => {
        this.#notify(audience);
      },
      onFailure,
    });
    this.#laneChanges = new LaneChanges({
      pipeline: this.#pipeline,
      store,
      log,
      onNews: () => {
        this.#notify("everyone");
      },
      step: laneStep,
    });
    this.#claims = new Claims(this.#pipeline, watch);
    this.#completions = new Completions(this.#pipeline);
    this.#events = new EventStream({
      completeUpTo: () => store.completeUpTo(EVENTS),
      watch,
    });
    this.#keeping = {
      kept: new KeptLanes(keptLanes),
      names: new KnownNames(),
      readEpoch: readyEpochUnder(policy, store.dialect),
    };
    this.#queueVersion = new QueueVersion(store, [policy, projects]);
  }

  // --- Tasks

  /** Creates a task with its dependencies and its entry job. The same repository and work item again gives the task that
   *  stands, and changes nothing.
   *  @throws GateError repo_looks_alike, invalid_request; unknown_work_item, ambiguous_work_item or dependency_cycle for a
   *    dependency, task_terminal for an entry job of a finished task */
  createTask(
    caller: Caller,
    input: NewTask & DryRun,
  ): Promise<{ created: boolean; task: Task; job: Job | null }> {
    const { title } = input;
    const task = title === undefined ? input : { ...input, title: peopleText(title) };
    const operation = { caller, about: { repo: input.repo }, dryRun: input.dry_run };
    return this.#run(operation, (context) => createTask(context, task));
  }

  /** Lists tasks by id, a page at a time: `next_cursor` is null on the last page. */
  async listTasks(query: TaskQuery, reach: Reach): Promise<TaskPage> {
    return withinReach(reach, await this.#store.read(() => listTasks(query, reach)));
  }

  /** Reads a task and its jobs.
   *  @throws GateError unknown_task */
  async task(id: number, reach: Reach): Promise<{ task: Task; jobs: Job[] }> {
    const read = function* (): Tx<{ task: Task; jobs: Job[] }> {
      yield* refuseUnseen(reach, { task: id });
      return yield* taskWithJobs(id);
    };
    return withinReach(reach, await this.#store.read(read));
  }

  /** Reads the task that a work item means: the unfinished one if there is one, else the latest.
   *  @throws GateError unknown_work_item, ambiguous_work_item */
  async resolveTask(query: OneTaskQuery, reach: Reach): Promise<{ task: Task }> {
    const selector = selectorOf(query);
    return withinReach(reach, { task: await this.#store.read(() => taskOfWorkItem(selector, reach)) });
  }

  /** Moves a task to a stage. The same stage again changes nothing. A terminal stage is told to the workers of the task's
   *  running jobs, and cancels its waiting entry jobs; every waiting job with `cancel_jobs`, or for `cancelled`.
   *  @throws GateError unknown_task, task_terminal, invalid_request */
  setStage(caller: Caller, { id, dry_run: dryRun }: ById, change: StageChange): Promise<ChangedTask> {
    return this.#decide({ caller, about: { task: id }, dryRun }, change, (context, said) =>
      setStage(context, id, said),
    );
  }

  /** Changes the dependencies of a task, its stage, or both. `depends_on` is the new set: an empty one drops all.
   *  @returns `started` with new dependencies: true when a job of the task has begun already
   *  @throws GateError unknown_task, task_terminal, invalid_request; for a dependency unknown_work_item,
   *    ambiguous_work_item, dependency_cycle */
  changeTask(caller: Caller, { id, dry_run: dryRun }: ById, change: TaskChange): Promise<ChangedTask> {
    return this.#decide({ caller, about: { task: id }, dryRun }, change, (context, said) =>
      changeTask(context, id, said),
    );
  }

  /** Cancels a task and its jobs that have not started.
   *  @throws GateError unknown_task, task_terminal for a task that is done, invalid_request */
  cancelTask(caller: Caller, query: ById, note: Note = {}): Promise<ChangedTask> {
    return this.setStage(caller, query, { ...note, stage: "cancelled" });
  }

  // --- Jobs

  /** Enqueues a job for the task of a work item; with a `run_after` in the future it is delayed until then.
   *  @throws GateError repo_looks_alike, unknown_work_item, ambiguous_work_item, task_terminal */
  createJob(caller: Caller, input: NewJob & DryRun): Promise<{ job: Job }> {
    return this.#run({ caller, dryRun: input.dry_run, due: ({ job }) => [job.run_after] }, (context) =>
      createJob(context, input),
    );
  }

  /** Lists jobs, the newest first, a page at a time: `next_cursor` is null on the last page. A page that is followed by
   *  another may hold fewer jobs than `query.limit`. */
  listJobs(query: JobQuery, reach: Reach): Promise<JobPage> {
    return this.#store.read(() => listJobs(query, reach));
  }

  /** Reads a job.
   *  @throws GateError unknown_job */
  async job(id: number, reach: Reach): Promise<{ job: Job }> {
    const read = function* (): Tx<Job> {
      yield* refuseUnseen(reach, { job: id });
      return yield* readJob(id);
    };
    return { job: await this.#store.read(read) };
  }

  /** Queues a failed job again, with one more attempt.
   *  @throws GateError unknown_job, job_not_failed, task_terminal, invalid_request */
  retryJob(caller: Caller, { id, dry_run: dryRun }: ById, note: Note = {}): Promise<ChangedJob> {
    return this.#decide({ caller, about: { job: id }, dryRun }, note, (context, said) =>
      retryJob(context, id, said),
    );
  }

  /** Cancels a job that has not started, or that failed. Cancelling it again changes nothing.
   *  @throws GateError unknown_job, job_not_cancellable, invalid_request */
  cancelJob(caller: Caller, { id, dry_run: dryRun }: ById, note: Note = {}): Promise<ChangedJob> {
    return this.#decide({ caller, about: { job: id }, dryRun }, note, (context, said) =>
      cancelJob(context, id, said),
    );
  }

  /** Claims up to `request.max` of the oldest ready jobs, waiting for one for up to `request.wait_ms` milliseconds.
   *  Concurrent claims of the same kind share a transaction.
   *  @param gone aborted when the caller hangs up: nothing is claimed for it any more
   *  @returns no jobs when there were none in time
   *  @throws GateError draining, forbidden for an agent that is none of the caller's */
  async claim(caller: Caller, request: ClaimRequest, gone?: AbortSignal): Promise<Claim> {
    if (this.#isDraining)
      throw new GateError("draining", "The service is shutting down and hands out no more jobs.");
    const agents = this.#agentsOf(caller, request);
    const claimed = await this.#claims.claim(caller, { ...request, agents }, gone);
    return withinReach(reachOf(caller), claimed ?? { jobs: [], degraded: !this.#degradedMode.isHealthy });
  }

  /** Renews a lease: by `lease_ms` milliseconds from now, or by the same length as before; and keeps the worker's
   *  `progress`.
   *  @throws GateError unknown_job, lease_lost, task_cancelled, or task_terminal when the task finished meanwhile */
  heartbeat(caller: Caller, id: number, input: Heartbeat): Promise<{ lease: Lease }> {
    const { progress } = input;
    const said =
      progress === undefined ? input : { ...input, progress: peopleText(progress, PROGRESS_LENGTH) };
    return this.#run(
      { caller, about: { job: id }, notify: "nobody", due: ({ lease }) => [lease.expires_at] },
      (context) => heartbeat(context, id, said),
    );
  }

  /** Completes a job, moves or pauses its task and enqueues the next jobs, all or nothing. Concurrent completions share a
   *  transaction. A terminal stage ends the task's waiting jobs as in `setStage`. With `claim`, the caller claims next in
   *  the same transaction, as in `claim` but without waiting.
   *  @throws GateError unknown_job, lease_lost, task_cancelled, task_terminal, layer_disabled, invalid_request; with `claim`
   *    forbidden for an agent that is none of the caller's */
  async complete(caller: Caller, id: number, input: Completion): Promise<Completed> {
    const completion = { ...withStorablePause(input), ...this.#nextClaim(caller, input) };
    return withinReach(reachOf(caller), await this.#completions.complete(caller, id, completion));
  }

  /** Ends an attempt that went wrong: the job is delayed with backoff or for `retry_after_ms`, or failed at its last
   *  attempt; cancelled when its task finished meanwhile.
   *  @throws GateError unknown_job, lease_lost, invalid_request */
  fail(caller: Caller, id: number, input: Failure): Promise<{ job: Job }> {
    const failure = { ...input, error: peopleText(input.error, ERROR_LENGTH) };
    return this.#run({ caller, about: { job: id }, due: ({ job }) => [job.run_after] }, (context) =>
      fail(context, id, failure),
    );
  }

  /** Gives a job back to the queue, as if it had not been claimed: no attempt is counted. It is delayed until `run_after`;
   *  `pause` pauses its task too. A job whose task finished meanwhile is cancelled.
   *  @throws GateError unknown_job, lease_lost, invalid_request; with `pause` task_terminal, layer_disabled */
  release(caller: Caller, id: number, input: Release & DryRun): Promise<ChangedJob> {
    const due = ({ job }: ChangedJob) => [job.run_after, input.pause?.until];
    const operation = { caller, about: { job: id }, dryRun: input.dry_run, due, decides: true };
    return this.#run(operation, (context) => release(context, id, withStorablePause(input)));
  }

  /** Takes a running job from its worker, or from another program that left it running, and gives it back to the queue: no
   *  attempt is counted, and the lease's token is worthless from then on.
   *  @throws GateError unknown_job, job_not_running, invalid_request */
  releaseByForce(caller: Caller, { id, dry_run: dryRun }: ById, note: ForcedRelease): Promise<ChangedJob> {
    return this.#decide({ caller, about: { job: id }, dryRun }, note, (context, said) =>
      releaseByForce(context, id, said),
    );
  }

  // --- Operators

  /** Pauses a task, so that later tasks of its repository may start. Pausing again keeps the first time.
   *  @param note.until ISO 8601; the task resumes by itself then
   *  @throws GateError unknown_task, unknown_work_item, ambiguous_work_item, task_terminal, layer_disabled, invalid_request */
  pause(caller: Caller, query: OneTaskQuery & DryRun, note: PauseNote): Promise<PauseState> {
    const operation = { caller, dryRun: query.dry_run, due: () => [note.until] };
    return this.#decide(operation, note, (context, said) => pause(context, selectorOf(query), said));
  }

  /** Pauses every unfinished task of a repository that is not paused yet.
   *  @param note.until ISO 8601; the tasks resume by themselves then
   *  @throws GateError layer_disabled, invalid_request */
  pauseLane(caller: Caller, query: ByRepo, note: PauseNote): Promise<LanePauseState> {
    return this.#changeLane(caller, query, {
      repo: query.repo,
      verb: "pause",
      note: withStorableReason(note),
    });
  }

  /** Takes a paused task back into its lane, also while the pause is switched off. Resuming again changes nothing.
   *  @param note.answer handed out with every claim of the task, until a job that was claimed with it completes; a later
   *    answer takes its place
   *  @throws GateError unknown_task, unknown_work_item, ambiguous_work_item, invalid_request, task_terminal for an answer */
  resume(caller: Caller, query: OneTaskQuery & DryRun, note: ResumeNote = {}): Promise<PauseState> {
    const operation = { caller, dryRun: query.dry_run };
    return this.#decide(operation, withStorableAnswer(note), (context, said) =>
      resume(context, selectorOf(query), said),
    );
  }

  /** Resumes the tasks that `pauseLane` paused; a task that was paused by itself stays paused.
   *  @throws GateError invalid_request */
  resumeLane(caller: Caller, query: ByRepo, note: ResumeNote = {}): Promise<LanePauseState> {
    const said = withStorableReason(withStorableAnswer(note));
    return this.#changeLane(caller, query, { repo: query.repo, verb: "resume", note: said });
  }

  /** Changes a short lane at once, and a long one in steps. */
  async #changeLane(
    caller: Caller,
    { dry_run: dryRun }: ByRepo,
    change: LaneChange,
  ): Promise<LanePauseState> {
    const { repo } = change;
    const until = change.verb === "pause" ? change.note.until : undefined;
    const operation = { caller, about: { repo }, dryRun, due: () => [until], decides: true };
    const { limits } = this.#laneChanges;
    for (;;) {
      const tried = await this.#run<LanePauseState | LongLane>(operation, (context) =>
        changeAtOnce(context, change, limits),
      );
      if (!(tried instanceof LongLane)) return tried;
      if (dryRun) return this.#run(operation, (context) => tryChange(context, change));
      const made = await this.#laneChanges.make(caller, change);
      if (!made) continue;
      if (until !== undefined) this.#maintenance.scheduleAt(Date.parse(until));
      return withinReach(reachOf(caller), made);
    }
  }

  /** Freezes a repository: no entry job of it starts until an operator unfreezes it. Each call is a freeze of its own.
   *  @returns `in_force: false` while it holds nothing, and `known: false` with near names for a name that nothing has
   *  @throws GateError layer_disabled, repo_looks_alike, invalid_request */
  freeze(caller: Caller, { repo, dry_run: dryRun }: ByRepo, note: FreezeNote): Promise<FreezeState> {
    return this.#decide({ caller, about: { repo }, dryRun }, note, (context, said) =>
      freeze(context, repo, said),
    );
  }

  /** Clears the freezes of a repository, or one of them, also while the freeze is switched off.
   *  @returns how many were cleared: 0 where there was none
   *  @throws GateError invalid_request */
  unfreeze(caller: Caller, query: UnfreezeQuery, note: Note = {}): Promise<Unfrozen> {
    const operation = { caller, about: { repo: query.repo }, dryRun: query.dry_run };
    return this.#decide(operation, note, (context, said) => unfreeze(context, query, said));
  }

  // --- Reads

  /** Shows every lane at one instant: its active task, its waiting jobs and why each waits.
   *  @param repos the only repositories to show; all by default
   *  @param signal aborted when nobody wants the answer any more */
  async queue(repos: readonly string[] | undefined, reach: Reach, signal?: AbortSignal): Promise<Queue> {
    const { value, degraded } = await this.#pipeline.read(
      (context) => snapshot(context, this.#projects, repos),
      reach,
      signal,
    );
    return { ...value, degraded };
  }

  /** The same as text, for many callers: the texts of lanes that did not change are kept. `lanes` is taken once.
   *  @param repos the only repositories to show; all by default
   *  @param signal aborted when nobody wants the answer any more */
  async queueTexts(
    repos: readonly string[] | undefined,
    reach: Reach,
    signal?: AbortSignal,
  ): Promise<QueueTexts & { readonly degraded: boolean }> {
    const { value, degraded } = await this.#pipeline.read(
      (context) => queueTexts(context, this.#projects, repos, this.#keeping),
      reach,
      signal,
    );
    return { ...value, degraded };
  }

  /** Tells whether `queue` changed: the same text while its answer is the same but for the time. Asked before the queue,
   *  it is never newer than the answer.
   *  @returns undefined while a part of the database cannot be read, and for a caller that may not know all repositories:
   *    the tag changes with any of them */
  async queueTag(repos: readonly string[] | undefined, reach: Reach): Promise<string | undefined> {
    return reach === EVERYWHERE ? this.queueState(repos) : undefined;
  }

  /** The tag of the queue whoever asks: for answers that are shared by callers of one reach, never to be told to a caller
   *  that may not know all repositories.
   *  @returns undefined while a part of the database cannot be read */
  async queueState(repos?: readonly string[]): Promise<string | undefined> {
    await this.#maintenance.runIfDue();
    return this.#degradedMode.isHealthy ? this.#queueVersion.tag(repos ?? []) : undefined;
  }

  /** Reads the number of jobs in each status. It costs the same for any number of jobs. */
  jobCounts(): Promise<Record<JobStatus, number>> {
    return this.#store.read(jobCounts);
  }

  /** Counts the waiting jobs by reason, and what is frozen, paused and stuck, from the lanes that are kept. Where lanes are
   *  too deep to be listed whole it looks at every waiting job. It yields to everything else.
   *  @param signal aborted when nobody wants the counts any more */
  async stateCounts(signal?: AbortSignal): Promise<StateCounts & { readonly degraded: boolean }> {
    const { value, degraded } = await this.#pipeline.read(
      (context) => countsFromKept(context, this.#projects, this.#keeping),
      EVERYWHERE,
      signal,
    );
    return { ...value, degraded };
  }

  /** Explains why a work item waits: everything that holds it, down to the root, and what would free it. Each remedy is
   *  tried in a dry run; its effect is null when it could not be tried.
   *  @throws GateError unknown_task, unknown_work_item, ambiguous_work_item, invalid_request */
  async explain(query: OneTaskQuery, reach: Reach, signal?: AbortSignal): Promise<Explanation> {
    const selector = selectorOf(query);
    const { value, degraded } = await this.#pipeline.read(
      (context) => explain(context, selector),
      reach,
      signal,
    );
    return withinReach(reach, { ...(await tryRemedies(this.#pipeline, value, reach)), degraded });
  }

  /** Describes each running job that another program started, in a sentence: the service never gives it back. */
  unleasedJobs(): Promise<string[]> {
    return this.#store.read(unleasedJobs);
  }

  /** Reads a page of the event log. An event shows once every transaction that began before it has ended.
   *  @throws GateError invalid_request; cursor_unknown for an `after` that is not in the log; with `about`
   *    unknown_work_item, ambiguous_work_item */
  async events(query: EventQuery, reach: Reach, bytes?: number): Promise<EventPage> {
    const log = await this.#eventLog(query);
    return withinReach(reach, await this.#store.read(() => history(query, log, reach, bytes)));
  }

  /** Follows the event log from a place on, a few events at a time; an empty list when there were none for a while. A
   *  place that is not in the log gives a reset, then the events from now on.
   *  @param gone aborted when the caller hangs up; that ends the stream, as draining does
   *  @param bytes asked for the size of each page, a number of bytes
   *  @throws GateError draining, invalid_request */
  async follow(
    query: FollowQuery,
    gone: AbortSignal,
    reach: Reach,
    bytes = (_gone: AbortSignal): number | Promise<number> => PAGE_BYTES,
  ): Promise<AsyncGenerator<Followed>> {
    this.#refuseWhileDraining();
    return this.#events.follow(query, gone, {
      page: async (place) => this.events(place, reach, await bytes(gone)),
      placeBefore: async (place) => {
        const log = await this.#eventLog(place);
        return this.#store.read(() => placeBefore(place, log, reach));
      },
    });
  }

  async #eventLog({ after = 0 }: EventQuery): Promise<EventLog> {
    const completeUpTo = await this.#store.completeUpTo(EVENTS);
    // Another node may have told an id up to which the log is not complete here yet.
    return { completeUpTo, lastId: after > completeUpTo ? await this.#store.lastId(EVENTS) : completeUpTo };
  }

  // --- The service itself

  /** Installs the ready index for this gate's policy and brings it up to date, folds the names of new lanes, and logs
   *  names that look alike: see `ReadyIndexKeeper.adopt`.
   *  @param isAuditBehind true to return before the flags of an index that is there are compared */
  async adopt(isAuditBehind = false): Promise<boolean> {
    const made = await this.#readyIndex.adopt(isAuditBehind);
    while (await this.#store.write(foldLanes));
    const configured = { policy: this.#policy, projects: this.#projects };
    const warnings = await this.#store.read(() => nameWarnings(configured)).catch(ignoreUnreadable);
    for (const warning of warnings) this.#log.warn({}, warning);
    return made;
  }

  /** Compares the ready flag of every queued job with the rule and repairs wrong ones: see `ReadyIndexKeeper.audit`. */
  audit(report?: (wrong: WrongFlag) => void, repair = true): ReturnType<ReadyIndexKeeper["audit"]> {
    return this.#readyIndex.audit(report, repair);
  }

  /** Resolves when no audit of `adopt` runs behind any more. */
  get isAudited(): Promise<void> {
    return this.#readyIndex.isAudited;
  }

  /** How many ready flags the audits of this gate found wrong, and repaired. */
  get audited(): ReadyIndexKeeper["audited"] {
    return this.#readyIndex.audited;
  }

  /** How many times of jobs and tasks, written by another program, are no time: nothing falls due by them. As of the last
   *  maintenance, which runs every second. */
  get unreadableTimes(): number {
    return this.#maintenance.unreadable;
  }

  /** Describes those times, a sentence each, at most `limit` of each table. */
  async describeUnreadableTimes(limit = 1_000): Promise<string[]> {
    return (await this.#store.read(() => unreadableTimes(limit))).map(sentenceOf);
  }

  /** Forgets the oldest answers that are kept under a caller's keys as far as they take more than `most` bytes; none that
   *  is younger than `KEPT_AT_LEAST_MS`.
   *  @returns the bytes that are left */
  async trimAnswers(actor: string, most: number): Promise<number> {
    for (;;) {
      const { bytes, isMore } = await this.#store.write(() => trimAnswers(actor, most));
      if (!isMore) return bytes;
    }
  }

  /** Starts the timer of the maintenance. */
  start(): void {
    this.#maintenance.scheduleAt(0);
  }

  /** Returns when the gate takes claims and its database takes work: see `Readiness`.
   *  @throws GateError draining
   *  @throws StoreFault when the database does not answer, or did not take the last write and takes none of the gate's own */
  async ready(): Promise<void> {
    this.#refuseWhileDraining();
    await this.#readiness.check();
  }

  /** Hands out no more jobs; waiting callers are answered with nothing. */
  drain(): void {
    this.#isDraining = true;
    this.#maintenance.stop();
    this.#retention.stop();
    this.#laneChanges.stop();
    this.#readyIndex.stop();
    this.#claims.close();
    this.#completions.close();
    this.#events.close();
  }

  #refuseWhileDraining(): void {
    if (this.#isDraining) throw new GateError("draining", "The service is shutting down.");
  }

  /** Runs a change, behind one of its whole lane that goes on. The answer of a dry run says so. */
  async #run<T>(operation: Operation<T>, command: (context: Context) => Tx<T>): Promise<T> {
    for (;;) {
      const { value }: { readonly value: T | BusyLane } = await this.#pipeline.run(operation, command);
      if (value instanceof BusyLane) {
        await this.#laneChanges.finish(value.repo);
        continue;
      }
      if (value instanceof LongLane) return value;
      const answer = withinReach(reachOf(operation.caller), value);
      return operation.dryRun ? { ...answer, dry_run: true } : answer;
    }
  }

  /** Runs a change that comes with a note and is decided by the rule: the command gets the note with its reason made
   *  storable. */
  #decide<N extends Pick<Note, "reason">, T>(
    operation: Omit<Operation<T>, "decides">,
    note: N,
    command: (context: Context, said: N) => Tx<T>,
  ): Promise<T> {
    const said = withStorableReason(note);
    return this.#run({ ...operation, decides: true }, (context) => command(context, said));
  }

  /** The agents that a claim asks for; those of the caller for a claim that names none.
   *  @throws GateError forbidden */
  #agentsOf(caller: Caller, { agents }: ClaimRequest, pointer = "/agents"): ClaimRequest["agents"] {
    const own = agentsOf(caller);
    if (own === null) return agents;
    const other = agents?.find((agent) => !own.includes(agent));
    if (other === undefined) return agents ?? [...own];
    throw new GateError("forbidden", `The token may claim jobs of ${own.join(", ")} only, not of ${other}.`, {
      faults: [{ in: "body", pointer, detail: "must be agents of the token" }],
    });
  }

  /** @throws GateError invalid_request, forbidden */
  #nextClaim(caller: Caller, { claim }: Completion): Pick<Completion, "claim"> {
    if (!claim) return {};
    if (claim.wait_ms > 0)
      throw new GateError("invalid_request", "A completion does not wait for a job.", {
        hint: "Claim with wait_ms after a completion that brought no job.",
        faults: [{ in: "body", pointer: "/claim/wait_ms", detail: "must be 0" }],
      });
    return { claim: { ...claim, agents: this.#agentsOf(caller, claim, "/claim/agents") } };
  }

  #notify(audience: Audience): void {
    if (audience === "nobody") return;
    if (audience === "everyone") this.#claims.notify();
    this.#events.notify();
  }

  #afterMaintenance(done: number): void {
    if (done > 0) this.#notify("everyone");
    if (this.#isDraining) return;
    if (!this.#readiness.isGreen) void this.#readiness.check().catch(() => undefined);
    void this.#retention.tend();
    void this.#laneChanges.tend();
    if (this.#degradedMode.isHealthy) void this.#readyIndex.tend();
  }
}
