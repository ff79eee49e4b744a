/** Keeps the ready index over a service's life: builds it at start-up, audits it slowly, distrusts it while it may be wrong,
 *  and rebuilds it once the database can be read again. What the index is: rule/ready-index.ts. */

import type { Store } from "../../../store/port.ts";
import { MigrationError } from "../../../store/schema-rights.ts";
import {
  auditReadyFlags,
  dropReadyIndex,
  installReadyIndex,
  isReadyIndexOurs,
  repairReadyFlags,
  type Audited,
  type WrongFlag,
} from "../../rule/ready-index.ts";
import type { Log } from "../log.ts";
import type { Policy } from "../../rule/policy.ts";
import { restAfter } from "./rest.ts";
import { Rounds } from "./rounds.ts";

/** How many jobs one step of the audit compares: few while the service answers, many before it does. */
const STEP = { running: 500, starting: 5_000 } as const;

/** The slow audit compares some jobs every half minute, in steps; the callers come in between. */
const SLOW_AUDIT = { everyMs: 30_000, steps: 10 } as const;

/** A step is made so many times where others have locked a lane of wrong flags. */
const TRIES = 5;

/** Wrong flags that a line of the log shows. */
const SHOWN = 10;

/** Between two steps of an audit beside callers, it rests for so many times as long as the step took. */
const REST = 4;

/** The state of the index. `none`: this gate keeps none. `kept`: by our policy, and right but for what the audit finds.
 *  `doubtful`: something may have been missed. `dropped`: its triggers stood in the way. `foreign`: its triggers are not of
 *  our policy, or lost, and not ours to make. */
type State = "none" | "kept" | "doubtful" | "dropped" | "foreign";

interface ReadyIndexKeeperParts {
  readonly store: Store;
  readonly policy: Policy;
  readonly log: Log;
  /** Milliseconds of a clock that never jumps. */
  readonly monotonic: () => number;
  /** Told when an audit beside callers repaired flags: a waiting claim may find a job. */
  readonly onRepair: () => void;
}

export class ReadyIndexKeeper {
  readonly #store: Store;
  readonly #policy: Policy;
  readonly #log: Log;
  readonly #monotonic: () => number;
  readonly #onRepair: () => void;
  readonly #isOurs: () => Promise<boolean>;
  #state: State = "none";
  #auditedTo = 0;
  #wrong = 0;
  #repaired = 0;
  readonly #rounds: Rounds;
  /** Milliseconds of the clock that never jumps: the next steps of the slow audit are due then. */
  #auditDue = 0;
  #audited: Promise<void> = Promise.resolve();
  #isAuditing = false;

  constructor({ store, policy, log, monotonic, onRepair }: ReadyIndexKeeperParts) {
    this.#store = store;
    this.#policy = policy;
    this.#log = log;
    this.#monotonic = monotonic;
    this.#onRepair = onRepair;
    this.#rounds = new Rounds(log, "The ready index could not be audited. The next round tries again.");
    const isOurs = isReadyIndexOurs(policy, store.dialect);
    this.#isOurs = (): Promise<boolean> => store.read(isOurs);
  }

  /** True when a claim may go by the index. */
  get isUsable(): boolean {
    return this.#state === "kept";
  }

  /** How many flags were found wrong, and repaired, since the service started. */
  get audited(): { wrong: number; mended: number } {
    return { wrong: this.#wrong, mended: this.#repaired };
  }

  /** Has the database keep the index by our policy, and brings it up to date.
   *  @param isAuditBehind true to return before the flags are compared, where the database kept the index already: its triggers saw
   *    every change, and the rule decides again whatever a flag says. `isAudited` resolves when it is over.
   *  @returns false when the database kept it so already
   *  @throws MigrationError when our role may not install its triggers */
  async adopt(isAuditBehind = false): Promise<boolean> {
    const made = await this.#store.write(() => installReadyIndex(this.#policy, this.#store.dialect));
    if (isAuditBehind && !made) {
      this.#state = "kept";
      this.#audited = this.#auditBehind();
      return made;
    }
    this.#state = "doubtful";
    const { compared, wrong } = await this.audit();
    if (made) this.#log.info({ queued: compared }, "The ready index is built for the queued jobs.");
    else if (wrong > 0)
      this.#log.info({ repaired: wrong }, "The ready index missed changes; it is right again.");
    this.#state = "kept";
    return made;
  }

  /** Resolves when no audit runs behind any more. It never rejects. */
  get isAudited(): Promise<void> {
    return this.#audited;
  }

  /** Compares every flag while the service answers. */
  async #auditBehind(): Promise<void> {
    this.#isAuditing = true;
    try {
      this.#log.info({}, "The database kept the ready index; its audit runs beside the callers.");
      const { compared, wrong } = await this.#auditInSteps(0, Infinity);
      if (this.#rounds.isStopped) return;
      this.#log.info({ queued: compared, wrong }, "The audit of the ready index is over.");
    } catch (err) {
      if (!this.#rounds.isStopped)
        this.#log.warn({ err }, "The audit of the ready index stopped. The slow audit goes on.");
    } finally {
      this.#isAuditing = false;
    }
  }

  /** Compares flags beside callers, which come first.
   *  @param from continues after the job of this id */
  async #auditInSteps(
    from: number,
    steps: number,
  ): Promise<{ compared: number; wrong: number; next: number | null }> {
    const sum = { compared: 0, wrong: 0, next: from as number | null };
    let left = 0;
    for (let made = 0; made < steps && sum.next !== null && !this.#rounds.isStopped; made += 1) {
      const began = performance.now();
      const { compared, wrong, mended, next } = await this.#step(sum.next, STEP.running);
      left = mended < wrong.length ? left + 1 : 0;
      const isAgain = left > 0 && left < TRIES;
      if (!isAgain) {
        sum.compared += compared;
        sum.wrong += wrong.length;
        sum.next = next;
      }
      if (wrong.length > 0)
        this.#log.warn(
          { wrong: wrong.length, mended, some: wrong.slice(0, SHOWN) },
          "The ready index was wrong for some jobs; a claim may have come late.",
        );
      if (mended > 0) this.#onRepair();
      if (sum.next !== null) await restAfter(began, REST);
    }
    return sum;
  }

  /** Compares every flag with the rule and repairs wrong ones, a batch at a time.
   *  @param tell is told of each wrong one
   *  @param repair false to leave them wrong
   *  @returns how many were compared, were wrong and are repaired; one in a lane that others hold stays for later */
  async audit(
    tell?: (wrong: WrongFlag) => void,
    repair = true,
  ): Promise<{ compared: number; wrong: number; mended: number }> {
    const sum = { compared: 0, wrong: 0, mended: 0 };
    for (let after: number | null = 0; after !== null;) {
      const step = await this.#step(after, STEP.starting, repair);
      step.wrong.forEach((each) => tell?.(each));
      sum.compared += step.compared;
      sum.wrong += step.wrong.length;
      sum.mended += step.mended;
      after = step.next;
    }
    return sum;
  }

  /** Part of the database was damaged or away: the index may have missed something. */
  distrust(): void {
    if (this.#state === "kept") this.#state = "doubtful";
  }

  /** Takes the triggers out of the way: they read what the decision reads, and over a damaged table they make every write fail.
   *  @returns false when there were none */
  async drop(): Promise<boolean> {
    if (this.#state === "none" || this.#state === "dropped") return false;
    await this.#store.write(() => dropReadyIndex(this.#store.dialect));
    this.#state = "dropped";
    return true;
  }

  /** The database closes under a round that is under way: its failure is none. */
  stop(): void {
    this.#rounds.stop();
  }

  /** Adopts the index again where it is doubtful, and makes some steps of the slow audit where they are due. */
  tend(): Promise<void> {
    return this.#rounds.run(() => this.#tend());
  }

  async #tend(): Promise<void> {
    if (this.#state === "foreign" && (await this.#isOurs())) this.#state = "doubtful";
    if (this.#state === "doubtful" || this.#state === "dropped") await this.#adoptAgain();
    if (this.#state !== "kept") return;
    if (!(await this.#isOurs())) {
      this.#state = "foreign";
      this.#log.warn({}, "Another node runs under another policy: claims look at every queued job.");
      return;
    }
    if (this.#isAuditing || this.#monotonic() < this.#auditDue) return;
    this.#auditDue = this.#monotonic() + SLOW_AUDIT.everyMs;
    this.#auditedTo = (await this.#auditInSteps(this.#auditedTo, SLOW_AUDIT.steps)).next ?? 0;
  }

  async #adoptAgain(): Promise<void> {
    try {
      await this.adopt();
    } catch (error) {
      if (!(error instanceof MigrationError)) throw error;
      this.#state = "foreign";
      this.#log.error({}, `${error.message} Until then claims look at every queued job.`);
    }
  }

  async #step(after: number, limit: number, repair = true): Promise<Audited & { mended: number }> {
    const audited = await this.#store.read(() => auditReadyFlags(this.#policy, after, limit));
    const { wrong } = audited;
    const mended =
      repair && wrong.length > 0 ? await this.#store.write(() => repairReadyFlags(this.#policy, wrong)) : 0;
    this.#wrong += wrong.length;
    this.#repaired += mended;
    return { ...audited, mended };
  }
}
