/** Runs what falls due by itself: delayed jobs, expired leases, pauses that end. It runs before a claim or a snapshot
 *  decides, and by a timer for callers that wait. The timer's time is a hint; the rows say what is due. */

import { first, type Clock, type Store, type Tx } from "../../store/port.ts";
import { sql } from "../../store/sql.ts";
import { queueDue, reapExpired } from "../commands/lease.ts";
import type { Policy } from "../rule/policy.ts";
import type { Log } from "./log.ts";
import { resumeExpired } from "../commands/pause.ts";
import { sentenceOf, UNREADABLE_TIMES, unreadableTimes } from "../queries/unreadable.ts";

/** The longest time between two looks: another program may have written a time. */
const EVERY_MS = 1_000;
const AT_ONCE = 500;

/** Each is a transaction of its own, so that one that fails leaves the others. */
const TASKS: readonly ((limit: number, policy: Policy) => Tx<number>)[] = [
  queueDue,
  reapExpired,
  resumeExpired,
];

/** When the next thing falls due, in milliseconds since 1970, and how many texts are no time. */
const NEXT_DUE = sql`SELECT MIN(due) AS due, ${UNREADABLE_TIMES} AS unreadable FROM (
  SELECT MIN(due_ms) AS due FROM jobs WHERE status = 'delayed' AND due_ms IS NOT NULL
  UNION ALL SELECT MIN(due_ms) FROM jobs WHERE status = 'running' AND due_ms IS NOT NULL
  UNION ALL SELECT MIN(resume_ms) FROM tasks WHERE resume_ms IS NOT NULL AND paused_at IS NOT NULL) AS dues`;

/** Unreadable times that the log names; the metric counts all. */
const NAMED = 100;

export class Maintenance {
  readonly #store: Store;
  readonly #log: Log;
  readonly #policy: Policy;
  readonly #clock: Clock;
  readonly #after: (done: number) => void;
  #next = 0;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  #unreadable = 0;
  /** The unreadable times that the log has named and that are still there. */
  #named: ReadonlySet<string> = new Set();

  /** @param after is told after each round how many things were done */
  constructor(
    { store, policy, log, clock }: { store: Store; policy: Policy; log: Log; clock: Clock },
    after: (done: number) => void,
  ) {
    this.#store = store;
    this.#policy = policy;
    this.#log = log;
    this.#clock = clock;
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

  /** Runs due work before a decision, so that no answer depends on a timer. */
  async runIfDue(): Promise<void> {
    if (this.#running || this.#clock() >= this.#next) await this.#run();
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
    let done = 0;
    let due = await this.#findNext();
    const looked = this.#clock();
    if (due <= looked) {
      for (const chore of TASKS) done += await this.#runOne(chore);
      if (done > 0) due = await this.#findNext();
    }
    // Work that stays due although it was tried waits for the next round.
    this.scheduleAt(Math.min(due > looked ? due : Infinity, this.#clock() + EVERY_MS));
    this.#after(done);
  }

  async #runOne(chore: (typeof TASKS)[number]): Promise<number> {
    let done = 0;
    try {
      for (let many = AT_ONCE; many === AT_ONCE; done += many)
        many = await this.#store.write(() => chore(AT_ONCE, this.#policy));
    } catch (err) {
      this.#log.warn({ err, chore: chore.name }, "What is due could not be done; it is tried again.");
    }
    return done;
  }

  /** Milliseconds since 1970 UTC; 0 when it cannot be read, so that each chore finds out for itself. */
  async #findNext(): Promise<number> {
    try {
      const row = await this.#store.read(() => first<{ due: number | null; unreadable: number }>(NEXT_DUE));
      await this.#nameUnreadable(row?.unreadable ?? 0);
      return row?.due ?? Infinity;
    } catch {
      return 0;
    }
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
