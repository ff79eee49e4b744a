/** The gate: every operation by name, each in its transaction, with what happens around them:
 *  who is woken, what falls due, and what is still decided when a part of the database cannot be read.
 *  It knows the store's port, no driver, no HTTP, no environment. */

import { randomBytes } from "node:crypto";
import { first, StoreFault, type Clock, type Store, type Tx } from "../store/port.ts";
import { sql } from "../store/sql.ts";
import { claim, probe, PROBES } from "./claim.ts";
import { GateError } from "./errors.ts";
import { freeze, unfreeze } from "./freeze.ts";
import { createJob, readJob, retryJob } from "./job.ts";
import {
  auditMarks,
  dropMarks,
  keepMarks,
  marksAreOurs,
  mendMarks,
  type Audited,
  type WrongMark,
} from "./lanes.ts";
import { complete, fail, heartbeat, queueDue, reapLapsed, release } from "./lease.ts";
import type {
  Claim,
  ClaimRequest,
  Completed,
  Completion,
  Failure,
  FreezeNote,
  FreezeState,
  Heartbeat,
  Job,
  Lease,
  NewJob,
  NewTask,
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
import { pause, resume, resumeDue } from "./pause.ts";
import type { Actor, Defaults, Policy, Rules } from "./policy.ts";
import { FULL_SIGHT, type Sight } from "./predicate.ts";
import { snapshot } from "./snapshot.ts";
import { createTask, listTasks, setStage, taskWithJobs } from "./task.ts";
import { fromStored } from "./time.ts";
import { WaitingRoom } from "./waiting-room.ts";

/** Where the gate says what people should know. */
export interface Log {
  info(what: object, message: string): void;
  warn(what: object, message: string): void;
  error(what: object, message: string): void;
}

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

/** Falling due is looked for at least this often: another program may have written what is due. */
const CHORES_EVERY_MS = 1_000;
const CHORES_AT_ONCE = 500;

/** What falls due by itself. Each is a transaction of its own, so that one that fails leaves the others. */
const CHORES: readonly ((limit: number) => Tx<number>)[] = [queueDue, reapLapsed, resumeDue];

/** When the next thing falls due, as the database's text. */
const NEXT_DUE = sql`SELECT MIN(due) AS due FROM (
  SELECT MIN(run_after) AS due FROM jobs WHERE status = 'delayed'
  UNION ALL SELECT MIN(lease_expires_at) FROM jobs WHERE status = 'running'
  UNION ALL SELECT MIN(pause_until) FROM tasks WHERE pause_until IS NOT NULL) AS dues`;

const WHOLE = JSON.stringify(FULL_SIGHT);

/** How many jobs one step of the audit compares: few while the service runs, many while it starts. */
const AUDIT = { running: 500, starting: 5_000 } as const;

const isUnreadable = (error: unknown): boolean => error instanceof StoreFault && error.kind === "unreadable";

interface ClaimAttempt {
  readonly actor: Actor;
  readonly request: ClaimRequest;
}

export class Gate {
  readonly #store: Store;
  readonly #rules: Rules;
  readonly #projects: readonly string[];
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #room: WaitingRoom<ClaimAttempt, Claim>;
  #draining = false;
  #sight = WHOLE;
  /** When something of ours falls due. A hint for the timer, never a decision. */
  #nextDue = 0;
  #timer: NodeJS.Timeout | undefined;
  #doing: Promise<void> | undefined;
  /** Whether the database keeps the marks by our policy. Without them a claim looks at every queued job. */
  #marked = false;
  #adopted = false;
  #foreign = false;
  #auditedTo = 0;

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
    this.#log = log;
    this.#clock = clock;
    this.#rules = { policy, defaults, random, newToken: () => randomBytes(16).toString("hex") };
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

  /** Has the database mark what may start under this gate's policy, and brings the marks up to date.
   *  Until then, claims look at every queued job. */
  async adopt(): Promise<void> {
    const { policy } = this.#rules;
    const made = await this.#store.write(() => keepMarks(policy, this.#store.dialect));
    const { wrong } = await this.audit();
    if (made || wrong > 0) this.#log.info({ made, wrong }, "The marks of what may start are up to date.");
    this.#adopted = true;
    this.#marked = true;
  }

  /** Begins to look for what falls due. */
  start(): void {
    this.#plan(0);
  }

  /** Compares every mark with the rule and mends those that are wrong, a batch at a time.
   *  @param tell is told of each
   *  @returns how many were compared, were wrong and are mended; one in a lane that others hold stays for later */
  async audit(
    tell?: (wrong: WrongMark) => void,
  ): Promise<{ compared: number; wrong: number; mended: number }> {
    const sum = { compared: 0, wrong: 0, mended: 0 };
    for (let after: number | null = 0; after !== null;) {
      const step = await this.#auditStep(after, AUDIT.starting);
      step.wrong.forEach((each) => tell?.(each));
      sum.compared += step.compared;
      sum.wrong += step.wrong.length;
      sum.mended += step.mended;
      after = step.next;
    }
    return sum;
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

  setStage(actor: Actor, id: number, stage: string): Promise<{ task: Task }> {
    return this.#change(() => setStage(actor, id, stage));
  }

  cancelTask(actor: Actor, id: number): Promise<{ task: Task }> {
    return this.setStage(actor, id, "cancelled");
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
    return claimed ?? { jobs: [], degraded: this.#sight !== WHOLE };
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

  async pause(actor: Actor, query: WorkItemQuery, note: PauseNote): Promise<PauseState> {
    const paused = await this.#change(() => pause(this.#rules, actor, query, note));
    this.#fallsDue(note.until ?? null);
    return paused;
  }

  resume(actor: Actor, query: WorkItemQuery): Promise<PauseState> {
    return this.#change(() => resume(actor, query));
  }

  freeze(actor: Actor, repo: string, note: FreezeNote): Promise<FreezeState> {
    return this.#change(() => freeze(this.#rules, actor, repo, note));
  }

  unfreeze(actor: Actor, query: UnfreezeQuery): Promise<Unfrozen> {
    return this.#change(() => unfreeze(actor, query));
  }

  async queue(repos?: readonly string[]): Promise<Queue> {
    await this.#choresIfDue();
    const { value, degraded } = await this.#asFarAsSeen((sight) =>
      this.#store.read(() => snapshot(this.#rules.policy, this.#projects, repos, sight)),
    );
    return { ...value, degraded };
  }

  // --- The service's own

  /** Whether the gate takes claims and its database answers.
   *  @throws GateError draining
   *  @throws StoreFault when the database does not answer */
  async ready(): Promise<void> {
    if (this.#draining) throw new GateError("draining", "The service is shutting down.");
    await this.#store.read(() => probe(PROBES.stages));
  }

  /** Hands out nothing more; those who wait are answered with nothing. */
  drain(): void {
    this.#draining = true;
    clearTimeout(this.#timer);
    this.#room.close();
  }

  /** A change of the rows: those who wait are told once it is committed. */
  async #change<T>(operation: () => Tx<T>): Promise<T> {
    const changed = await this.#store.write(operation);
    this.#room.ring();
    return changed;
  }

  async #claimNow({ actor, request }: ClaimAttempt): Promise<Claim> {
    await this.#choresIfDue();
    const { value: jobs, degraded } = await this.#asFarAsSeen((sight) =>
      this.#store.write(() =>
        claim(this.#rules, actor, request, { sight, marked: this.#marked && sight === FULL_SIGHT }),
      ),
    );
    for (const { lease } of jobs) this.#fallsDue(lease.expires_at);
    return { jobs, degraded };
  }

  /** Decides with all that the decision reads or, where a part of it is damaged, with what can be read:
   *  see `heldReason` for what is then assumed.
   *  @throws StoreFault when nothing can be decided at all */
  async #asFarAsSeen<T>(decide: (sight: Sight) => Promise<T>): Promise<{ value: T; degraded: boolean }> {
    let fault: unknown;
    try {
      const value = await decide(FULL_SIGHT);
      this.#saw(FULL_SIGHT);
      return { value, degraded: false };
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      fault = error;
    }
    const seen =
      (await this.#asFarAsLesserSeen(decide)) ??
      // The triggers read the same tables; over a damaged one they make every write fail.
      ((await this.#dropMarks()) ? await this.#asFarAsLesserSeen(decide) : undefined);
    if (!seen) throw fault;
    this.#saw(seen.sight, fault);
    return { value: seen.value, degraded: true };
  }

  async #asFarAsLesserSeen<T>(
    decide: (sight: Sight) => Promise<T>,
  ): Promise<{ value: T; sight: Sight } | undefined> {
    for (const sight of await this.#lesserSights()) {
      try {
        return { value: await decide(sight), sight };
      } catch (error) {
        if (!isUnreadable(error)) throw error;
      }
    }
    return undefined;
  }

  /** @returns whether there were any to drop */
  async #dropMarks(): Promise<boolean> {
    if (!this.#marked) return false;
    this.#marked = false;
    await this.#store.write(() => dropMarks(this.#rules.policy, this.#store.dialect));
    return true;
  }

  /** From what the probes find down to nothing: a damaged page may let a probe pass and a decision fail. */
  async #lesserSights(): Promise<Sight[]> {
    const sees = async (part: keyof Sight): Promise<boolean> => {
      try {
        await this.#store.read(() => probe(PROBES[part]));
        return true;
      } catch (error) {
        if (isUnreadable(error)) return false;
        throw error;
      }
    };
    const probed: Sight = {
      freezes: await sees("freezes"),
      dependencies: await sees("dependencies"),
      stages: await sees("stages"),
      lanes: await sees("lanes"),
    };
    const withoutTasks = { ...probed, stages: false, lanes: false };
    return [probed, withoutTasks, { ...withoutTasks, freezes: false, dependencies: false }];
  }

  /** Says once that the gate became degraded, and once that it is whole again. */
  #saw(sight: Sight, fault?: unknown): void {
    const seen = JSON.stringify(sight);
    if (seen === this.#sight) return;
    this.#sight = seen;
    this.#marked = false; // While a table was damaged or away, the marks may have missed something.
    if (fault === undefined) this.#log.info({}, "The gate reads all of its database again.");
    else
      this.#log.error(
        { err: fault, sight },
        "The gate is degraded: what it cannot read counts as frozen, or as no one ahead in the lane.",
      );
  }

  // --- What falls due

  #fallsDue(iso: string | null): void {
    if (iso !== null) this.#plan(Date.parse(iso));
  }

  /** Has the chores done at that time, if no earlier time is planned. */
  #plan(due: number): void {
    if (this.#draining || (this.#timer && due >= this.#nextDue)) return;
    clearTimeout(this.#timer);
    this.#nextDue = due;
    const wait = Math.min(Math.max(due - this.#clock(), 0), CHORES_EVERY_MS);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // Chores that are being done may have looked before this fell due.
      void Promise.resolve(this.#doing).then(() => this.#chores());
    }, wait);
  }

  /** What is due is done before anything is decided, so that no answer depends on a timer. */
  async #choresIfDue(): Promise<void> {
    if (this.#doing || this.#clock() >= this.#nextDue) await this.#chores();
  }

  #chores(): Promise<void> {
    this.#doing ??= this.#doChores().finally(() => (this.#doing = undefined));
    return this.#doing;
  }

  async #doChores(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    let due = await this.#findNextDue();
    const looked = this.#clock();
    if (due <= looked) {
      let done = 0;
      for (const chore of CHORES) {
        try {
          for (let many = CHORES_AT_ONCE; many === CHORES_AT_ONCE; done += many)
            many = await this.#store.write(() => chore(CHORES_AT_ONCE));
        } catch (err) {
          this.#log.warn({ err, chore: chore.name }, "What is due could not be done; it is tried again.");
        }
      }
      if (done > 0) {
        this.#room.ring();
        due = await this.#findNextDue();
      }
    }
    await this.#tendMarks();
    // What stays due although it was tried is tried again with the next round, not at once.
    this.#plan(Math.min(due > looked ? due : Infinity, this.#clock() + CHORES_EVERY_MS));
  }

  // --- The marks

  async #auditStep(after: number, limit: number): Promise<Audited & { mended: number }> {
    const { policy } = this.#rules;
    const audited = await this.#store.read(() => auditMarks(policy, after, limit));
    const mended =
      audited.wrong.length > 0 ? await this.#store.write(() => mendMarks(policy, audited.wrong)) : 0;
    return { ...audited, mended };
  }

  /** A step of the slow audit. Marks that are not by our policy any more are not gone by. */
  async #tendMarks(): Promise<void> {
    if (this.#sight !== WHOLE) return;
    try {
      if (!this.#marked) await this.#regainMarks();
      else if (await this.#store.read(() => marksAreOurs(this.#rules.policy))) {
        const { wrong, mended, next } = await this.#auditStep(this.#auditedTo, AUDIT.running);
        this.#auditedTo = next ?? 0;
        if (wrong.length > 0) this.#log.warn({ wrong, mended }, "Marks of what may start were wrong.");
        if (mended > 0) this.#room.ring();
      } else {
        this.#marked = false;
        this.#foreign = true;
        this.#log.warn({}, "Another node runs under another policy: claims look at every queued job.");
      }
    } catch (err) {
      this.#log.warn({ err }, "The marks of what may start could not be audited; it is tried again.");
    }
  }

  /** After damage the marks are made anew. A policy of another node is left to it. */
  async #regainMarks(): Promise<void> {
    if (this.#adopted && !this.#foreign) await this.adopt();
  }

  /** Milliseconds since 1970 UTC; 0 when it cannot be read, so that each chore finds out for itself. */
  async #findNextDue(): Promise<number> {
    try {
      const row = await this.#store.read(() => first<{ due: string | null }>(NEXT_DUE));
      const due = row?.due ? fromStored(row.due) : Infinity;
      return Number.isNaN(due) ? Infinity : due;
    } catch {
      return 0;
    }
  }
}
