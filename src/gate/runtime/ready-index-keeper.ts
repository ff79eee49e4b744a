/** Keeps the ready index over a service's life: builds it at start-up, audits it slowly, distrusts it while it may be wrong,
 *  and rebuilds it once the database can be read again. What the index is: rule/ready-index.ts. */

import type { Store } from "../../store/port.ts";
import { MigrationError } from "../../store/schema-rights.ts";
import {
  auditReadyFlags,
  dropReadyIndex,
  installReadyIndex,
  isReadyIndexOurs,
  repairReadyFlags,
  type Audited,
  type WrongFlag,
} from "../rule/ready-index.ts";
import type { Log } from "./log.ts";
import type { Policy } from "../rule/policy.ts";

/** How many jobs one step of the audit compares: few while the service runs, many while it starts. */
const STEP = { running: 500, starting: 5_000 } as const;

/** The state of the index. `none`: this gate keeps none. `kept`: by our policy, and right but for what the audit finds.
 *  `doubtful`: something may have been missed. `dropped`: its triggers stood in the way. `foreign`: its triggers are not of
 *  our policy, or lost, and not ours to make. */
type State = "none" | "kept" | "doubtful" | "dropped" | "foreign";

export class ReadyIndexKeeper {
  readonly #store: Store;
  readonly #policy: Policy;
  readonly #log: Log;
  #state: State = "none";
  #auditedTo = 0;
  #wrong = 0;
  #repaired = 0;
  #tending = false;
  #stopped = false;

  constructor(store: Store, policy: Policy, log: Log) {
    this.#store = store;
    this.#policy = policy;
    this.#log = log;
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
   *  @returns false when the database kept it so already
   *  @throws MigrationError when our role may not install its triggers */
  async adopt(): Promise<boolean> {
    const made = await this.#store.write(() => installReadyIndex(this.#policy, this.#store.dialect));
    this.#state = "doubtful";
    const { compared, wrong } = await this.audit();
    if (made) this.#log.info({ queued: compared }, "The ready index is built for the queued jobs.");
    else if (wrong > 0)
      this.#log.info({ repaired: wrong }, "The ready index missed changes; it is right again.");
    this.#state = "kept";
    return made;
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
    this.#stopped = true;
  }

  /** Makes a step of the slow audit, or adopts the index again.
   *  @returns true when flags were repaired: a waiting claim may find a job */
  async tend(): Promise<boolean> {
    if (this.#tending) return false;
    this.#tending = true;
    try {
      return await this.#tend();
    } catch (err) {
      if (!this.#stopped)
        this.#log.warn({ err }, "The ready index could not be audited. The next round tries again.");
      return false;
    } finally {
      this.#tending = false;
    }
  }

  async #tend(): Promise<boolean> {
    if (this.#state === "foreign" && (await this.#isOurs())) this.#state = "doubtful";
    if (this.#state === "doubtful" || this.#state === "dropped") await this.#adoptAgain();
    if (this.#state !== "kept") return false;
    if (!(await this.#isOurs())) {
      this.#state = "foreign";
      this.#log.warn({}, "Another node runs under another policy: claims look at every queued job.");
      return false;
    }
    const { wrong, mended, next } = await this.#step(this.#auditedTo, STEP.running);
    this.#auditedTo = next ?? 0;
    if (wrong.length > 0)
      this.#log.warn(
        { wrong, mended },
        "The ready index was wrong for some jobs; a claim may have come late.",
      );
    return mended > 0;
  }

  #isOurs(): Promise<boolean> {
    return this.#store.read(() => isReadyIndexOurs(this.#policy, this.#store.dialect));
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
