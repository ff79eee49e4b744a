/** Runs what falls due by itself: delayed jobs, expired leases, pauses that end. It runs before a claim or a snapshot
 *  decides, and by a timer for callers that wait. The timer's time is a hint; the rows say what is due. */

import {
  first,
  now,
  StoreFault,
  type Clock,
  type Store,
  type Tx,
  type WriteOptions,
} from "../../store/port.ts";
import { sql } from "../../store/sql.ts";
import { hasLongLeases, queueDue, reapExpired, shortenLeases } from "../commands/due.ts";
import type { LeaseClock } from "../lease-clock.ts";
import type { Policy } from "../rule/policy.ts";
import type { Log } from "./log.ts";
import { resumeExpired } from "../commands/pause.ts";
import { sentenceOf, UNREADABLE_TIMES, unreadableTimes } from "../queries/unreadable.ts";

/** The longest time between two looks: another program may have written a time. */
const EVERY_MS = 1_000;

/** A round does so many things of each chore. When more fall due at once, such as the pauses of a whole lane, a decision waits for
 *  one round, not for all of them: until then the other tasks are paused, their jobs not handed out. */
const AT_ONCE = 500;

/** Another program's lock is waited for so long in all, in milliseconds: claims and reads wait for the round. */
const OPTIONS: WriteOptions = { retryForMs: 200 };

/** True when other work would fail alike: another program holds a lock, or the database is away. */
const isBlocked = (error: unknown): boolean =>
  error instanceof StoreFault && (error.kind === "busy" || error.kind === "unavailable");

type Chore = (limit: number, policy: Policy, leaseClock: LeaseClock) => Tx<number>;

/** Each is a transaction of its own, so that one that fails leaves the others. */
const CHORES: readonly Chore[] = [queueDue, reapExpired, resumeExpired];

/** The result of a round of chores. */
interface Round {
  readonly done: number;
  /** A chore did as much as it may: more is due. */
  readonly isMore: boolean;
}

const NOTHING_DONE: Round = { done: 0, isMore: false };

/** When the next thing falls due, in milliseconds since 1970, and how many texts are no time. */
const NEXT_DUE = sql`SELECT MIN(due) AS due, ${UNREADABLE_TIMES} AS unreadable FROM (
  SELECT MIN(due_ms) AS due FROM jobs WHERE status = 'delayed' AND due_ms IS NOT NULL
  UNION ALL SELECT MIN(due_ms) FROM jobs WHERE status = 'running' AND due_ms IS NOT NULL
  UNION ALL SELECT MIN(resume_ms) FROM tasks WHERE resume_ms IS NOT NULL AND paused_at IS NOT NULL) AS dues`;

/** Unreadable times that the log names; the metric counts all. */
const NAMED = 100;

interface MaintenanceParts {
  readonly store: Store;
  readonly policy: Policy;
  readonly log: Log;
  readonly clock: Clock;
  readonly leaseClock: LeaseClock;
  /** Told of an error for which the database could not be looked at. */
  readonly onFault: (error: unknown) => void;
}

export class Maintenance {
  readonly #store: Store;
  readonly #log: Log;
  readonly #policy: Policy;
  readonly #clock: Clock;
  readonly #leaseClock: LeaseClock;
  readonly #onFault: (error: unknown) => void;
  readonly #after: (done: number) => void;
  #next = 0;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  /** In the last round, another program held a lock or the database was away. */
  #wasBlocked = false;
  /** The last failure that the log has; none after a round without one. */
  #logged: string | undefined;
  #unreadable = 0;
  /** The unreadable times that the log has named and that are still there. */
  #named: ReadonlySet<string> = new Set();

  /** @param after is told after each round how many things were done */
  constructor(
    { store, policy, log, clock, leaseClock, onFault }: MaintenanceParts,
    after: (done: number) => void,
  ) {
    this.#store = store;
    this.#policy = policy;
    this.#log = log;
    this.#clock = clock;
    this.#leaseClock = leaseClock;
    this.#onFault = onFault;
    this.#after = after;
  }

  /** How many times of jobs and tasks were no time when the maintenance last looked. */
  get unreadable(): number {
    return this.#unreadable;
  }

  /** Has the chores done at that time (milliseconds since 1970 UTC), if no earlier time is planned. NaN plans nothing. */
  scheduleAt(due: number): void {
    if (this.#stopped || Number.isNaN(due) || (this.#timer && due >= this.#next)) return;
    clearTimeout(this.#timer);
    this.#next = due;
    const wait = Math.min(Math.max(due - this.#clock(), 0), EVERY_MS);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // Chores that are being done may have looked before this fell due.
      void Promise.resolve(this.#running).then(() => this.#run());
    }, wait);
  }

  /** Runs due work before a decision, so that no answer depends on a timer. While another program holds a lock, the timer
   *  alone tries: nobody waits for it. */
  async runIfDue(): Promise<void> {
    if (!this.#wasBlocked && (this.#running || this.#isDue())) await this.#run();
  }

  /** The next look is never further away: then the clock jumped back. */
  #isDue(): boolean {
    const at = this.#clock();
    return at >= this.#next || this.#next > at + EVERY_MS;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #run(): Promise<void> {
    this.#running ??= this.#runAll().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #runAll(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    let round = NOTHING_DONE;
    let due = await this.#findNext();
    const looked = this.#clock();
    if (due <= looked || this.#leaseClock.wentBack) {
      round = await this.#runChores(this.#leaseClock.wentBack ? [shortenLeases, ...CHORES] : CHORES);
      if (round.done > 0) due = await this.#findNext();
    } else this.#wasBlocked = false;
    // Work that stays due although it was tried waits for the next round.
    const next = due > looked ? due : Infinity;
    this.scheduleAt(round.isMore ? looked : Math.min(next, this.#clock() + EVERY_MS));
    if (!this.#wasBlocked) this.#after(round.done);
  }

  /** Runs chores until one meets another program's lock: the others would wait for the same one. */
  async #runChores(chores: readonly Chore[]): Promise<Round> {
    let done = 0;
    let isMore = false;
    let logged: string | undefined;
    this.#wasBlocked = false;
    for (const chore of chores)
      try {
        const some = await this.#store.write(() => chore(AT_ONCE, this.#policy, this.#leaseClock), OPTIONS);
        done += some;
        if (some === AT_ONCE) isMore = true;
        else if (chore === shortenLeases) this.#leaseClock.settle();
      } catch (err) {
        logged = String(err);
        if (logged !== this.#logged)
          this.#log.warn({ err, chore: chore.name }, "What is due could not be done; it is tried again.");
        this.#wasBlocked = isBlocked(err);
        if (this.#wasBlocked) break;
      }
    this.#logged = logged;
    return { done, isMore };
  }

  /** Milliseconds since 1970 UTC; 0 when it cannot be read, so that each chore finds out for itself. */
  async #findNext(): Promise<number> {
    const started = this.#leaseClock.elapsed;
    try {
      const row = await this.#store.read(() => this.#look(started));
      await this.#nameUnreadable(row?.unreadable ?? 0);
      return row?.due ?? Infinity;
    } catch (error) {
      this.#onFault(error);
      return 0;
    }
  }

  /** Notices a jump of the clock before anything is judged by it. */
  *#look(started: number): Tx<{ due: number | null; unreadable: number } | undefined> {
    this.#leaseClock.observe(yield* now(), started);
    if (this.#leaseClock.wentBack && !(yield* hasLongLeases())) this.#leaseClock.settle();
    return yield* first<{ due: number | null; unreadable: number }>(NEXT_DUE);
  }

  /** Says each unreadable time once in the log. */
  async #nameUnreadable(count: number): Promise<void> {
    if (count === 0 && this.#unreadable === 0) return;
    this.#unreadable = count;
    const times = count > 0 ? await this.#store.read(() => unreadableTimes(NAMED)) : [];
    const sentences = times.map(sentenceOf);
    for (const [index, sentence] of sentences.entries())
      if (!this.#named.has(sentence))
        this.#log.warn({ ...times[index] }, `Unreadable time skipped: ${sentence}`);
    this.#named = new Set(sentences);
  }
}
