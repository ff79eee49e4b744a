/** The gate: every operation by name, each in its transaction, with what happens around them:
 *  who is woken, what falls due, and what is still decided when a part of the database cannot be read.
 *  It knows the store's port, no driver, no HTTP, no environment. */

import { randomBytes } from "node:crypto";
import { run, type Clock, type Store, type Tx } from "../store/port.ts";
import { Chores } from "./chores.ts";
import { claim, type Search } from "./claim.ts";
import { Undone, undone } from "./effect.ts";
import { GateError } from "./errors.ts";
import { freeze, unfreeze } from "./freeze.ts";
import { createJob, readJob, retryJob } from "./job.ts";
import { EVENTS, history } from "./history.ts";
import type { WrongMark } from "./lanes.ts";
import { complete, fail, heartbeat, release } from "./lease.ts";
import type { Log } from "./log.ts";
import { Marks } from "./marks.ts";
import type {
  ChangedTask,
  Claim,
  ClaimRequest,
  Completed,
  Completion,
  EventPage,
  EventQuery,
  Failure,
  FreezeNote,
  FreezeState,
  Heartbeat,
  Job,
  LanePauseState,
  Lease,
  NewJob,
  NewTask,
  Note,
  PauseNote,
  PauseState,
  Queue,
  Task,
  TaskPage,
  TaskQuery,
  UnfreezeQuery,
  Unfrozen,
  WorkItemQuery,
} from "./model.ts";
import { pause, pauseLane, resume, resumeLane } from "./pause.ts";
import type { Actor, Defaults, Policy, Rules } from "./policy.ts";
import { FULL_SIGHT, type Sight } from "./predicate.ts";
import { Eyes, PROBES } from "./sight.ts";
import { snapshot } from "./snapshot.ts";
import { createTask, listTasks, setStage, taskWithJobs } from "./task.ts";
import { WaitingRoom } from "./waiting-room.ts";

interface GateParts {
  readonly store: Store;
  readonly policy: Policy;
  readonly defaults: Defaults;
  /** Repositories that `GET /queue` shows also when nothing goes on in them. */
  readonly projects?: readonly string[];
  readonly log: Log;
  /** The same clock as the store's. */
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** A trial answers what would come of a change, and changes nothing. */
interface Trial {
  readonly dry_run?: boolean | undefined;
}

type LaneQuery = Trial & { readonly repo: string };

interface ClaimAttempt {
  readonly actor: Actor;
  readonly request: ClaimRequest;
}

export class Gate {
  readonly #store: Store;
  readonly #rules: Rules;
  readonly #projects: readonly string[];
  readonly #room: WaitingRoom<ClaimAttempt, Claim>;
  readonly #chores: Chores;
  readonly #marks: Marks;
  readonly #eyes: Eyes;
  #draining = false;

  constructor({
    store,
    policy,
    defaults,
    projects = [],
    log,
    clock = Date.now,
    random = Math.random,
  }: GateParts) {
    this.#store = store;
    this.#projects = projects;
    this.#rules = { policy, defaults, random, newToken: () => randomBytes(16).toString("hex") };
    this.#marks = new Marks(store, policy, log);
    this.#eyes = new Eyes(store, log, {
      changed: () => {
        this.#marks.doubt();
      },
      clear: () => this.#marks.drop(),
    });
    this.#chores = new Chores(store, log, clock, (done) => {
      void this.#afterChores(done);
    });
    this.#room = new WaitingRoom({
      keyOf: ({ request: { agents, repos } }) => JSON.stringify([agents, repos]),
      serve: async (attempt) => {
        const claimed = await this.#claimNow(attempt);
        return claimed.jobs.length > 0 ? claimed : undefined;
      },
      takeBack: async ({ jobs }) => {
        for (const { id, lease } of jobs) await this.release(null, id, lease.token);
      },
      occupied: () =>
        store.watch(() => {
          this.#room.ring();
        }),
    });
  }

  /** Has the database mark what may start under this gate's policy, so that a claim need not look at every queued
   *  job. */
  adopt(): Promise<void> {
    return this.#marks.adopt();
  }

  /** Compares every mark with the rule and mends those that are wrong: see `Marks.audit`. */
  audit(tell?: (wrong: WrongMark) => void): ReturnType<Marks["audit"]> {
    return this.#marks.audit(tell);
  }

  /** Begins to look for what falls due. */
  start(): void {
    this.#chores.plan(0);
  }

  // --- Tasks

  createTask(actor: Actor, input: NewTask): Promise<{ created: boolean; task: Task; job: Job | null }> {
    return this.#change(() => createTask(this.#rules, actor, input));
  }

  listTasks(query: TaskQuery): Promise<TaskPage> {
    return this.#store.read(() => listTasks(query));
  }

  task(id: number): Promise<{ task: Task; jobs: Job[] }> {
    return this.#store.read(() => taskWithJobs(id));
  }

  setStage(actor: Actor, id: number, stage: string, note?: Note, trial?: Trial): Promise<ChangedTask> {
    return this.#operate(trial, (search) => setStage(this.#rules, search, actor, id, stage, note));
  }

  cancelTask(actor: Actor, id: number, note?: Note, trial?: Trial): Promise<ChangedTask> {
    return this.setStage(actor, id, "cancelled", note, trial);
  }

  // --- Jobs

  async createJob(actor: Actor, input: NewJob): Promise<{ job: Job }> {
    const created = await this.#change(() => createJob(this.#rules, actor, input));
    this.#fallsDue(created.job.run_after);
    return created;
  }

  async job(id: number): Promise<{ job: Job }> {
    return { job: await this.#store.read(() => readJob(id)) };
  }

  retryJob(actor: Actor, id: number): Promise<{ job: Job }> {
    return this.#change(() => retryJob(this.#rules, actor, id));
  }

  /** Claims the oldest jobs that may start, waiting for one as long as the request allows.
   *  @param gone tells that the caller has hung up: nothing is claimed for it any more.
   *  @throws GateError draining */
  async claim(actor: Actor, request: ClaimRequest, gone?: AbortSignal): Promise<Claim> {
    if (this.#draining)
      throw new GateError("draining", "The service is shutting down and hands out no more jobs.");
    const attempt = { actor, request };
    if (request.wait_ms === 0) return this.#claimNow(attempt);
    const claimed = await this.#room.wait(attempt, request.wait_ms, gone);
    return claimed ?? { jobs: [], degraded: !this.#eyes.whole };
  }

  async heartbeat(id: number, input: Heartbeat): Promise<{ lease: Lease }> {
    const kept = await this.#store.write(() => heartbeat(this.#rules, id, input));
    this.#fallsDue(kept.lease.expires_at);
    return kept;
  }

  complete(actor: Actor, id: number, input: Completion): Promise<Completed> {
    return this.#change(() => complete(this.#rules, actor, id, input));
  }

  async fail(actor: Actor, id: number, input: Failure): Promise<{ job: Job }> {
    const failed = await this.#change(() => fail(this.#rules, actor, id, input));
    this.#fallsDue(failed.job.run_after);
    return failed;
  }

  release(actor: Actor, id: number, token: string): Promise<{ job: Job }> {
    return this.#change(() => release(actor, id, token));
  }

  // --- The operator's

  async pause(actor: Actor, query: WorkItemQuery & Trial, note: PauseNote): Promise<PauseState> {
    const paused = await this.#operate(query, (search) => pause(this.#rules, search, actor, query, note));
    this.#fallsDue(note.until ?? null);
    return paused;
  }

  /** Parks every unfinished task of a repository. */
  async pauseLane(actor: Actor, query: LaneQuery, note: PauseNote): Promise<LanePauseState> {
    const paused = await this.#operate(query, (search) =>
      pauseLane(this.#rules, search, actor, query.repo, note),
    );
    this.#fallsDue(note.until ?? null);
    return paused;
  }

  resume(actor: Actor, query: WorkItemQuery & Trial, note: Note = {}): Promise<PauseState> {
    return this.#operate(query, (search) => resume(this.#rules, search, actor, query, note));
  }

  /** Takes back the tasks that `pauseLane` parked. */
  resumeLane(actor: Actor, query: LaneQuery, note: Note = {}): Promise<LanePauseState> {
    return this.#operate(query, (search) => resumeLane(this.#rules, search, actor, query.repo, note));
  }

  freeze(actor: Actor, repo: string, note: FreezeNote, trial?: Trial): Promise<FreezeState> {
    return this.#operate(trial, (search) => freeze(this.#rules, search, actor, repo, note));
  }

  unfreeze(actor: Actor, query: UnfreezeQuery, note: Note = {}): Promise<Unfrozen> {
    return this.#operate(query, (search) => unfreeze(this.#rules, search, actor, query, note));
  }

  async queue(repos?: readonly string[]): Promise<Queue> {
    await this.#chores.ifDue();
    const { value, degraded } = await this.#eyes.decide((sight) =>
      this.#store.read(() => snapshot(this.#rules.policy, this.#projects, repos, sight)),
    );
    return { ...value, degraded };
  }

  // --- What happened

  /** @throws GateError invalid_request */
  async events(query: EventQuery): Promise<EventPage> {
    const settled = await this.#store.settled(EVENTS);
    return this.#store.read(() => history(query, settled));
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
  }

  /** A change of the rows: those who wait are told once it is committed. */
  async #change<T>(operation: () => Tx<T>): Promise<T> {
    const changed = await this.#store.write(operation);
    this.#room.ring();
    return changed;
  }

  /** A change whose effect is told, or a trial of it; those who wait are told once it is committed. */
  async #operate<T>(trial: Trial = {}, operation: (search: Search) => Tx<T>): Promise<T> {
    try {
      const { value } = await this.#eyes.decide((sight) => {
        const search = this.#search(sight);
        return this.#store.write(() => (trial.dry_run ? undone(operation(search)) : operation(search)));
      });
      this.#room.ring();
      return value;
    } catch (error) {
      if (error instanceof Undone) return error.value as T;
      throw error;
    }
  }

  #search(sight: Sight): Search {
    return { sight, marked: this.#marks.kept && sight === FULL_SIGHT };
  }

  async #claimNow({ actor, request }: ClaimAttempt): Promise<Claim> {
    await this.#chores.ifDue();
    const { value: jobs, degraded } = await this.#eyes.decide((sight) => {
      const search = this.#search(sight);
      return this.#store.write(() => claim(this.#rules, actor, request, search));
    });
    for (const { lease } of jobs) this.#fallsDue(lease.expires_at);
    return { jobs, degraded };
  }

  #fallsDue(iso: string | null): void {
    if (iso !== null) this.#chores.plan(Date.parse(iso));
  }

  /** Those who wait are told of what fell due, and the marks get their share of attention. */
  async #afterChores(done: number): Promise<void> {
    if (done > 0) this.#room.ring();
    if (this.#draining) return;
    if (this.#eyes.whole && (await this.#marks.tend())) this.#room.ring();
  }
}
