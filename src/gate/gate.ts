/** The gate: every operation by name, each in its transaction, with what happens around them:
 *  who is woken, what falls due, and what is still decided when a part of the database cannot be read.
 *  It knows the store's port, no driver, no HTTP, no environment. */

import { createHash, randomBytes } from "node:crypto";
import { run, StoreFault, type Clock, type Store, type Tx } from "../store/port.ts";
import { Maintenance } from "./runtime/maintenance.ts";
import { claim, claimOne, type ClaimAttempt } from "./commands/claim.ts";
import { type Lookup, EVERYTHING_READABLE, type Visibility } from "./rule/visibility.ts";
import { complete, completeTogether } from "./commands/complete.ts";
import { RolledBack, rollBack } from "./rule/effect.ts";
import { GateError } from "../contract/errors.ts";
import { explain } from "./queries/explain.ts";
import { EventStream } from "./runtime/event-stream.ts";
import { freeze, unfreeze } from "./commands/freeze.ts";
import { createJob, readJob, retryJob } from "./commands/job.ts";
import { EVENTS, history } from "./queries/history.ts";
import {
  actorOf,
  forgetAnswer,
  hasStoredAnswer,
  isCall,
  idempotent,
  idempotentBatch,
  type Caller,
} from "./commands/idempotency.ts";
import type { WrongFlag } from "./rule/ready-index.ts";
import { fail, heartbeat, release } from "./commands/lease.ts";
import type { Log } from "./runtime/log.ts";
import { ReadyIndexKeeper } from "./runtime/ready-index-keeper.ts";
import type { Effect } from "../contract/effect.ts";
import type { EventPage, EventQuery, FollowQuery, HistoryEvent } from "../contract/events.ts";
import type { Explanation, Fix } from "../contract/explanation.ts";
import type {
  ChangedJob,
  Claim,
  ClaimedJob,
  ClaimRequest,
  Completed,
  Completion,
  Failure,
  Heartbeat,
  Job,
  Lease,
  NewJob,
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
import { valueOf, type Outcome } from "./commands/outcome.ts";
import { pause, pauseLane, resume, resumeLane } from "./commands/pause.ts";
import type { Actor, Defaults, Policy, Rules } from "./rule/policy.ts";
import { Retention } from "./runtime/retention.ts";
import { QueueVersion } from "./runtime/queue-version.ts";
import { DegradedMode, PROBES } from "./runtime/degraded-mode.ts";
import { snapshot } from "./queries/queue.ts";
import { createTask, listTasks, setStage, taskOfWorkItem, taskWithJobs } from "./commands/task.ts";
import { WaitingRoom } from "./runtime/batcher.ts";
import { asCommand, type Remedy } from "./queries/remedy.ts";

export { StoreFault };

interface GateParts {
  readonly store: Store;
  readonly policy: Policy;
  readonly defaults: Defaults;
  /** Repositories that `GET /queue` shows also when nothing goes on in them. */
  readonly projects?: readonly string[];
  /** How many days events are kept; 0 for ever. */
  readonly eventsDays?: number;
  readonly log: Log;
  /** The same clock as the store's. */
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** How many ways out an explanation tries. */
const TRIALS = 20;

/** A trial answers what would come of a change, and changes nothing. */
interface Trial {
  readonly dry_run?: boolean | undefined;
}

const asTried =
  <T>({ dry_run }: Trial = {}, operation: (actor: Actor) => Tx<T>) =>
  (actor: Actor): Tx<T> =>
    dry_run ? rollBack(operation(actor)) : operation(actor);

type LaneQuery = Trial & { readonly repo: string };

interface ClaimCall {
  readonly caller: Caller;
  readonly request: ClaimRequest;
}

/** So many events a follower is given at a time: all that is held for one that is slow. */
const FOLLOWED_AT_ONCE = 100;

interface CompletionCall {
  readonly caller: Caller;
  readonly id: number;
  readonly input: Completion;
}

const asClaim = ({ caller, request }: ClaimCall): ClaimAttempt => ({ actor: actorOf(caller), request });

/** Who claimed nothing asks again, also under the same key. */
const isSome = (jobs: readonly ClaimedJob[]): boolean => jobs.length > 0;
const nothing = (error: unknown): ClaimedJob[] => {
  if (error instanceof RolledBack) return [];
  throw error;
};

/** Whether all who are served together would be told of it. */
const isOfAll = (error: unknown): boolean => error instanceof StoreFault && error.kind !== "refused";

/** 16 hexadecimal digits for a value that JSON can write. */
const digest = (value: unknown): string =>
  createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);

export class Gate {
  readonly #store: Store;
  readonly #rules: Rules;
  readonly #projects: readonly string[];
  readonly #room: WaitingRoom<ClaimCall, Outcome<Claim>>;
  /** Those who wait for others to be served, none for a change. Each is given how it learns what came of it. */
  readonly #completions: WaitingRoom<CompletionCall, () => Promise<Completed>>;
  readonly #feed: EventStream;
  readonly #chores: Maintenance;
  readonly #marks: ReadyIndexKeeper;
  readonly #retention: Retention;
  readonly #eyes: DegradedMode;
  readonly #revision: QueueVersion;
  /** What beside the rows makes the queue. */
  readonly #shape: string;
  #draining = false;

  constructor({
    store,
    policy,
    defaults,
    projects = [],
    eventsDays = 0,
    log,
    clock = Date.now,
    random = Math.random,
  }: GateParts) {
    this.#store = store;
    this.#projects = projects;
    this.#rules = { policy, defaults, random, newToken: () => randomBytes(16).toString("hex") };
    this.#revision = new QueueVersion(store);
    this.#shape = digest([policy, projects]);
    this.#marks = new ReadyIndexKeeper(store, policy, log);
    this.#retention = new Retention(store, log, clock, eventsDays);
    this.#eyes = new DegradedMode(store, log, {
      changed: () => {
        this.#marks.distrust();
      },
      clear: () => this.#marks.drop(),
    });
    this.#chores = new Maintenance(store, log, clock, (done) => {
      void this.#afterChores(done);
    });
    this.#feed = new EventStream({
      settled: () => store.completeUpTo(EVENTS),
      occupied: () =>
        store.watch(() => {
          this.#feed.notify();
        }),
    });
    this.#room = new WaitingRoom({
      keyOf: ({ request: { agents, repos } }) => JSON.stringify([agents, repos]),
      sizeOf: ({ request: { max } }) => max,
      serve: (attempts) => this.#claimTogether(attempts),
      isOfAll,
      takeBack: async (claimed, { caller }) => {
        if ("value" in claimed) await this.#takeBack(caller, claimed.value.jobs);
      },
      occupied: () =>
        store.watch(() => {
          this.#room.ring();
        }),
    });
    this.#completions = new WaitingRoom({
      keyOf: () => "",
      sizeOf: () => 1,
      serve: (calls) => this.#completeTogether(calls),
      isOfAll,
      takeBack: () => Promise.resolve(),
      occupied: () => () => undefined,
    });
  }

  /** Has the database mark what may start under this gate's policy, so that a claim need not look at every queued
   *  job. */
  adopt(): Promise<void> {
    return this.#marks.adopt();
  }

  /** Compares every mark with the rule and mends those that are wrong: see `Marks.audit`. */
  audit(tell?: (wrong: WrongFlag) => void): ReturnType<ReadyIndexKeeper["audit"]> {
    return this.#marks.audit(tell);
  }

  /** What the audits of this gate came to: see `Marks.audited`. */
  get audited(): ReadyIndexKeeper["audited"] {
    return this.#marks.audited;
  }

  /** Begins to look for what falls due. */
  start(): void {
    this.#chores.scheduleAt(0);
  }

  // --- Tasks

  createTask(
    caller: Caller,
    input: NewTask,
    trial?: Trial,
  ): Promise<{ created: boolean; task: Task; job: Job | null }> {
    return this.#change(caller, (actor) => createTask(this.#rules, actor, input), trial);
  }

  listTasks(query: TaskQuery): Promise<TaskPage> {
    return this.#store.read(() => listTasks(query));
  }

  task(id: number): Promise<{ task: Task; jobs: Job[] }> {
    return this.#store.read(() => taskWithJobs(id));
  }

  /** The task that a work item stands for: the unfinished one if there is one, else the latest.
   *  @throws GateError unknown_work_item, ambiguous_work_item */
  async resolveTask(query: WorkItemQuery): Promise<{ task: Task }> {
    return { task: await this.#store.read(() => taskOfWorkItem(query)) };
  }

  setStage(caller: Caller, id: number, stage: string, note?: Note, trial?: Trial): Promise<ChangedTask> {
    return this.#operate(caller, trial, (search, actor) =>
      setStage(this.#rules, search, actor, id, stage, note),
    );
  }

  cancelTask(caller: Caller, id: number, note?: Note, trial?: Trial): Promise<ChangedTask> {
    return this.setStage(caller, id, "cancelled", note, trial);
  }

  // --- Jobs

  async createJob(caller: Caller, input: NewJob, trial?: Trial): Promise<{ job: Job }> {
    const created = await this.#change(caller, (actor) => createJob(this.#rules, actor, input), trial);
    this.#fallsDue(created.job.run_after);
    return created;
  }

  async job(id: number): Promise<{ job: Job }> {
    return { job: await this.#store.read(() => readJob(id)) };
  }

  retryJob(caller: Caller, id: number, note?: Note, trial?: Trial): Promise<ChangedJob> {
    return this.#operate(caller, trial, (search, actor) => retryJob(this.#rules, search, actor, id, note));
  }

  /** Claims the oldest jobs that may start, waiting for one as long as the request allows.
   *  @param gone tells that the caller has hung up: nothing is claimed for it any more.
   *  @throws GateError draining */
  async claim(caller: Caller, request: ClaimRequest, gone?: AbortSignal): Promise<Claim> {
    if (this.#draining)
      throw new GateError("draining", "The service is shutting down and hands out no more jobs.");
    const attempt = { caller, request };
    const isPatient = request.wait_ms > 0;
    const claimed =
      isPatient && (await this.#isAnswered(caller))
        ? await this.#claimAlone(attempt)
        : await this.#room.wait(attempt, request.wait_ms, gone);
    // Who stood behind one that got nothing was not looked at: there may be an answer under the key.
    const answer = claimed ?? (isPatient || !isCall(caller) ? undefined : await this.#claimAlone(attempt));
    return answer ? valueOf(answer) : { jobs: [], degraded: !this.#eyes.isHealthy };
  }

  async heartbeat(id: number, input: Heartbeat, caller: Caller = null): Promise<{ lease: Lease }> {
    const kept = await this.#store.write(() => idempotent(caller, () => heartbeat(this.#rules, id, input)));
    this.#fallsDue(kept.lease.expires_at);
    return kept;
  }

  /** @throws GateError unknown_job, lease_lost, task_cancelled, task_terminal, invalid_request */
  async complete(caller: Caller, id: number, input: Completion): Promise<Completed> {
    const call = { caller, id, input };
    const completed = await this.#completions.wait(call, 0);
    return completed ? completed() : this.#completeAlone(call);
  }

  async fail(caller: Caller, id: number, input: Failure): Promise<{ job: Job }> {
    const failed = await this.#change(caller, (actor) => fail(this.#rules, actor, id, input));
    this.#fallsDue(failed.job.run_after);
    return failed;
  }

  release(caller: Caller, id: number, token: string): Promise<{ job: Job }> {
    return this.#change(caller, (actor) => release(actor, id, token));
  }

  // --- The operator's

  async pause(caller: Caller, query: WorkItemQuery & Trial, note: PauseNote): Promise<PauseState> {
    const paused = await this.#operate(caller, query, (search, actor) =>
      pause(this.#rules, search, actor, query, note),
    );
    this.#fallsDue(note.until ?? null);
    return paused;
  }

  /** Parks every unfinished task of a repository. */
  async pauseLane(caller: Caller, query: LaneQuery, note: PauseNote): Promise<LanePauseState> {
    const paused = await this.#operate(caller, query, (search, actor) =>
      pauseLane(this.#rules, search, actor, query.repo, note),
    );
    this.#fallsDue(note.until ?? null);
    return paused;
  }

  resume(caller: Caller, query: WorkItemQuery & Trial, note: Note = {}): Promise<PauseState> {
    return this.#operate(caller, query, (search, actor) => resume(this.#rules, search, actor, query, note));
  }

  /** Takes back the tasks that `pauseLane` parked. */
  resumeLane(caller: Caller, query: LaneQuery, note: Note = {}): Promise<LanePauseState> {
    return this.#operate(caller, query, (search, actor) =>
      resumeLane(this.#rules, search, actor, query.repo, note),
    );
  }

  freeze(caller: Caller, repo: string, note: FreezeNote, trial?: Trial): Promise<FreezeState> {
    return this.#operate(caller, trial, (search, actor) => freeze(this.#rules, search, actor, repo, note));
  }

  unfreeze(caller: Caller, query: UnfreezeQuery, note: Note = {}): Promise<Unfrozen> {
    return this.#operate(caller, query, (search, actor) => unfreeze(this.#rules, search, actor, query, note));
  }

  /** A text that is the same only while `queue` would answer the same but for its time; undefined while a part of the
   *  database cannot be read. Asked before the queue is, it is never newer than the answer. */
  async queueTag(repos: readonly string[] = []): Promise<string | undefined> {
    await this.#chores.runIfDue();
    if (!this.#eyes.isHealthy) return undefined;
    try {
      const revision = await this.#revision.read();
      return repos.length > 0 ? `${revision}-${this.#shape}-${digest(repos)}` : `${revision}-${this.#shape}`;
    } catch (error) {
      if (error instanceof StoreFault && error.kind === "unreadable") return undefined;
      throw error;
    }
  }

  async queue(repos?: readonly string[]): Promise<Queue> {
    await this.#chores.runIfDue();
    const { value, degraded } = await this.#eyes.decide((sight) =>
      this.#store.read(() => snapshot(this.#rules.policy, this.#projects, repos, sight)),
    );
    return { ...value, degraded };
  }

  // --- What happened

  /** @throws GateError invalid_request; with `about` unknown_work_item, ambiguous_work_item */
  async events(query: EventQuery): Promise<EventPage> {
    const settled = await this.#store.completeUpTo(EVENTS);
    return this.#store.read(() => history(query, settled));
  }

  /** The events from a place on, as they come, a few at a time; an empty list when there were none for a while.
   *  It ends when the caller is gone or the service drains.
   *  @throws GateError draining, invalid_request */
  async follow(query: FollowQuery, gone: AbortSignal): Promise<AsyncGenerator<readonly HistoryEvent[]>> {
    if (this.#draining) throw new GateError("draining", "The service is shutting down.");
    const { repo, work_item } = query;
    const begins = query.after === undefined && query.last === undefined ? { ...query, last: 0 } : query;
    const read = (after: number): Promise<EventPage> =>
      this.events({ after, repo, work_item, limit: FOLLOWED_AT_ONCE });
    return this.#feed.follow(await this.events({ ...begins, limit: FOLLOWED_AT_ONCE }), { read }, gone);
  }

  /** Why a work item waits, and what would free it. Each way out is tried, and taken back.
   *  @throws GateError unknown_work_item, ambiguous_work_item */
  async explain(query: WorkItemQuery): Promise<Explanation> {
    await this.#chores.runIfDue();
    const { value, degraded } = await this.#eyes.decide((sight) =>
      this.#store.read(() => explain(this.#rules.policy, sight, query)),
    );
    const effects = new Map<string, Promise<Effect | null>>();
    const fix = async (way: Remedy): Promise<Fix> => {
      const { call, command } = asCommand(way);
      const effect =
        effects.get(command) ?? (effects.size < TRIALS ? this.#tryOut(way) : Promise.resolve(null));
      effects.set(command, effect);
      return { call, command, effect: await effect };
    };
    const jobs = value.jobs.map(async (job) => ({
      ...job,
      reasons: await Promise.all(
        job.reasons.map(async ({ ways, ...obstacle }) => ({
          ...obstacle,
          fix: await Promise.all(ways.map(fix)),
        })),
      ),
    }));
    return { ...value, jobs: await Promise.all(jobs), degraded };
  }

  /** What would come of a way out; null when it cannot be taken. */
  async #tryOut(way: Remedy): Promise<Effect | null> {
    const trial = { dry_run: true };
    try {
      switch (way.to) {
        case "unfreeze":
          return (await this.unfreeze(null, { ...way, ...trial })).effect;
        case "pause":
          return (await this.pause(null, { ...way, ...trial }, {})).effect;
        case "resume":
          return (await this.resume(null, { ...way, ...trial })).effect;
        case "cancel":
          return (await this.cancelTask(null, way.task_id, {}, trial)).effect;
        case "retry":
          return (await this.retryJob(null, way.job_id, {}, trial)).effect;
      }
    } catch (error) {
      if (error instanceof GateError || error instanceof StoreFault) return null;
      throw error;
    }
  }

  // --- The service's own

  /** Whether the gate takes claims and its database answers.
   *  @throws GateError draining
   *  @throws StoreFault when the database does not answer */
  async ready(): Promise<void> {
    if (this.#draining) throw new GateError("draining", "The service is shutting down.");
    await this.#store.read(() => run(PROBES.stages));
  }

  /** Hands out nothing more; those who wait are answered with nothing. */
  drain(): void {
    this.#draining = true;
    this.#chores.stop();
    this.#room.close();
    this.#feed.close();
  }

  #committed(): void {
    this.#room.ring();
    this.#feed.notify();
  }

  /** A change of the rows, or a trial of it. */
  #change<T>(caller: Caller, operation: (actor: Actor) => Tx<T>, trial?: Trial): Promise<T> {
    return this.#told(() => this.#store.write(() => idempotent(caller, asTried(trial, operation))));
  }

  /** A change whose effect is told, or a trial of it. */
  #operate<T>(
    caller: Caller,
    trial: Trial | undefined,
    operation: (search: Lookup, actor: Actor) => Tx<T>,
  ): Promise<T> {
    return this.#told(async () => {
      const { value } = await this.#eyes.decide((sight) => {
        const inSight = (actor: Actor): Tx<T> => operation(this.#search(sight), actor);
        return this.#store.write(() => idempotent(caller, asTried(trial, inSight)));
      });
      return value;
    });
  }

  /** Those who wait are told of a change once it is committed; of a trial there is nothing to tell. */
  async #told<T>(change: () => Promise<T>): Promise<T> {
    try {
      const value = await change();
      this.#committed();
      return value;
    } catch (error) {
      if (error instanceof RolledBack) return error.value as T;
      throw error;
    }
  }

  #search(sight: Visibility): Lookup {
    return { visible: sight, useReadyIndex: this.#marks.isUsable && sight === EVERYTHING_READABLE };
  }

  /** Serves claims that take the same jobs. */
  async #claimTogether(attempts: readonly ClaimCall[]): Promise<(Outcome<Claim> | undefined)[]> {
    const [alone, ...others] = attempts;
    if (alone && others.length === 0) return [await this.#claimAlone(alone)];
    await this.#chores.runIfDue();
    const { value: claimed, degraded } = await this.#eyes.decide((sight) =>
      this.#store.write(() =>
        idempotentBatch(
          attempts,
          (fresh) => claim(this.#rules, fresh.map(asClaim), this.#search(sight)),
          (jobs) => (isSome(jobs) ? jobs : undefined),
        ),
      ),
    );
    return Promise.all(
      attempts.map(async (attempt, index) => {
        const jobs = claimed[index];
        return jobs ? this.#granted(jobs, degraded) : await this.#claimAlone(attempt);
      }),
    );
  }

  async #claimAlone(attempt: ClaimCall): Promise<Outcome<Claim> | undefined> {
    await this.#chores.runIfDue();
    try {
      const { value: jobs, degraded } = await this.#eyes.decide((sight) => {
        const search = this.#search(sight);
        const operation = (): Tx<ClaimedJob[]> => claimOne(this.#rules, asClaim(attempt), search);
        return this.#store.write(() => idempotent(attempt.caller, operation, isSome)).catch(nothing);
      });
      return this.#granted(jobs, degraded);
    } catch (error) {
      if (error instanceof GateError) return { error };
      throw error;
    }
  }

  #granted(jobs: ClaimedJob[], degraded: boolean): Outcome<Claim> | undefined {
    if (!isSome(jobs)) return undefined;
    for (const { lease } of jobs) this.#fallsDue(lease.expires_at);
    this.#feed.notify();
    return { value: { jobs, degraded } };
  }

  /** Completes together what can be; each caller is given how it learns what came of it. */
  async #completeTogether(calls: readonly CompletionCall[]): Promise<(() => Promise<Completed>)[]> {
    const outcomes = await this.#store.write(() =>
      idempotentBatch(
        calls,
        (fresh) =>
          completeTogether(
            this.#rules,
            fresh.map(({ caller, ...asked }) => ({ actor: actorOf(caller), ...asked })),
          ),
        (outcome) => (outcome && "value" in outcome ? outcome.value : undefined),
      ),
    );
    this.#committed();
    return calls.map((call, index) => {
      const outcome = outcomes[index];
      // Who is refused under a key may have sent it twice: the other one may just have ended.
      const isSure = outcome && ("value" in outcome || !isCall(call.caller));
      return isSure ? () => Promise.resolve(outcome).then(valueOf) : () => this.#completeAlone(call);
    });
  }

  #completeAlone({ caller, id, input }: CompletionCall): Promise<Completed> {
    return this.#change(caller, (actor) => complete(this.#rules, { actor, id, input }));
  }

  async #isAnswered(caller: Caller): Promise<boolean> {
    return isCall(caller) && (await this.#store.read(() => hasStoredAnswer(caller)));
  }

  /** A caller that has gone may come again for the answer under its key: then the jobs are its own. */
  #takeBack(caller: Caller, jobs: readonly ClaimedJob[]): Promise<void> {
    return this.#change(null, function* (actor) {
      if (!(yield* forgetAnswer(caller))) return;
      for (const { id, lease } of jobs)
        try {
          yield* release(actor, id, lease.token);
        } catch (error) {
          if (!(error instanceof GateError)) throw error;
          // It is not the caller's any more.
        }
    });
  }

  #fallsDue(iso: string | null): void {
    if (iso !== null) this.#chores.scheduleAt(Date.parse(iso));
  }

  /** Those who wait are told of what fell due, and the marks get their share of attention. */
  async #afterChores(done: number): Promise<void> {
    if (done > 0) this.#committed();
    if (this.#draining) return;
    void this.#retention.tend();
    if (this.#eyes.isHealthy && (await this.#marks.tend())) this.#room.ring();
  }
}
