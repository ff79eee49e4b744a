/** Degraded mode: when a part of the database cannot be read, the same decision runs again without that part.
 *  The rule decides what to assume about the rest; this module finds the readable parts and logs the change. */

import { run, StoreFault, type Store } from "../../store/port.ts";
import type { Log } from "./log.ts";
import { PROBES } from "../rule/probes.ts";
import { EVERYTHING_READABLE, type Visibility } from "../rule/visibility.ts";

const HEALTHY = JSON.stringify(EVERYTHING_READABLE);

const isUnreadable = (error: unknown): boolean => error instanceof StoreFault && error.kind === "unreadable";

interface PartialDecision<T> {
  readonly value: T;
  readonly visible: Visibility;
}

/** The ready index, which is wrong or in the way while the database is damaged. */
interface Dependent {
  /** The readable parts became others. */
  distrust(): void;
  /** Nothing could be decided at all: removes triggers that may stand in the way; false when there are none. */
  drop(): Promise<boolean>;
}

export class DegradedMode {
  readonly #store: Store;
  readonly #log: Log;
  readonly #readyIndex: Dependent;
  #visible = HEALTHY;

  constructor(store: Store, log: Log, readyIndex: Dependent) {
    this.#store = store;
    this.#log = log;
    this.#readyIndex = readyIndex;
  }

  /** True when the last decision could read everything that it needed. */
  get isHealthy(): boolean {
    return this.#visible === HEALTHY;
  }

  /** Decides with everything or, where a part of the database is damaged, with the parts that can be read.
   *  @throws StoreFault when nothing can be decided at all */
  async decide<T>(decide: (visible: Visibility) => Promise<T>): Promise<{ value: T; degraded: boolean }> {
    let fault: unknown;
    try {
      const value = await decide(EVERYTHING_READABLE);
      this.#remember(EVERYTHING_READABLE);
      return { value, degraded: false };
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      fault = error;
    }
    const partial =
      (await this.#decideWithLess(decide)) ??
      ((await this.#readyIndex.drop()) ? await this.#decideWithLess(decide) : undefined);
    if (!partial) throw fault;
    this.#remember(partial.visible, fault);
    return { value: partial.value, degraded: true };
  }

  async #decideWithLess<T>(
    decide: (visible: Visibility) => Promise<T>,
  ): Promise<PartialDecision<T> | undefined> {
    for (const visible of await this.#lesser()) {
      try {
        return { value: await decide(visible), visible };
      } catch (error) {
        if (!isUnreadable(error)) throw error;
      }
    }
    return undefined;
  }

  /** From the parts that the probes can read down to none: a damaged page may let a probe pass and a decision fail. */
  async #lesser(): Promise<Visibility[]> {
    const canRead = async (part: keyof Visibility): Promise<boolean> => {
      try {
        await this.#store.read(() => run(PROBES[part]));
        return true;
      } catch (error) {
        if (isUnreadable(error)) return false;
        throw error;
      }
    };
    const probed: Visibility = {
      freezes: await canRead("freezes"),
      dependencies: await canRead("dependencies"),
      stages: await canRead("stages"),
      lanes: await canRead("lanes"),
    };
    const withoutTasks = { ...probed, stages: false, lanes: false };
    return [probed, withoutTasks, { ...withoutTasks, freezes: false, dependencies: false }];
  }

  /** Logs once that the gate became degraded, and once that it is healthy again. */
  #remember(visible: Visibility, fault?: unknown): void {
    const text = JSON.stringify(visible);
    if (text === this.#visible) return;
    this.#visible = text;
    this.#readyIndex.distrust();
    if (fault === undefined) this.#log.info({}, "The gate reads all of its database again.");
    else
      this.#log.error(
        { err: fault, visible },
        "The gate is degraded: what it cannot read counts as frozen, or as no one ahead in the lane.",
      );
  }
}
