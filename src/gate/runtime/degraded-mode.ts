/** What is decided when a part of the database cannot be read: the same decision with less sight.
 *  What is then assumed is `heldReason`'s; here is only how the sight is found, and that people are told. */

import { run, StoreFault, type Store } from "../../store/port.ts";
import type { Log } from "./log.ts";
import { PROBES } from "../rule/probes.ts";
import { EVERYTHING_READABLE, type Visibility } from "../rule/visibility.ts";

const WHOLE = JSON.stringify(EVERYTHING_READABLE);

const isUnreadable = (error: unknown): boolean => error instanceof StoreFault && error.kind === "unreadable";

interface Seen<T> {
  readonly value: T;
  readonly sight: Visibility;
}

/** What else the fault asks for. */
interface Damage {
  /** The sight became another. */
  readonly changed: () => void;
  /** Nothing could be decided at all: takes away what may stand in the way; false when there is nothing. */
  readonly clear: () => Promise<boolean>;
}

export class DegradedMode {
  readonly #store: Store;
  readonly #log: Log;
  readonly #damage: Damage;
  #sight = WHOLE;

  constructor(store: Store, log: Log, damage: Damage) {
    this.#store = store;
    this.#log = log;
    this.#damage = damage;
  }

  /** The last decision saw all that it needed. */
  get isHealthy(): boolean {
    return this.#sight === WHOLE;
  }

  /** Decides with all that the decision reads or, where a part of it is damaged, with what can be read.
   *  @throws StoreFault when nothing can be decided at all */
  async decide<T>(decide: (sight: Visibility) => Promise<T>): Promise<{ value: T; degraded: boolean }> {
    let fault: unknown;
    try {
      const value = await decide(EVERYTHING_READABLE);
      this.#saw(EVERYTHING_READABLE);
      return { value, degraded: false };
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      fault = error;
    }
    const seen =
      (await this.#decideWithLess(decide)) ??
      ((await this.#damage.clear()) ? await this.#decideWithLess(decide) : undefined);
    if (!seen) throw fault;
    this.#saw(seen.sight, fault);
    return { value: seen.value, degraded: true };
  }

  async #decideWithLess<T>(decide: (sight: Visibility) => Promise<T>): Promise<Seen<T> | undefined> {
    for (const sight of await this.#lesser()) {
      try {
        return { value: await decide(sight), sight };
      } catch (error) {
        if (!isUnreadable(error)) throw error;
      }
    }
    return undefined;
  }

  /** From what the probes find down to nothing: a damaged page may let a probe pass and a decision fail. */
  async #lesser(): Promise<Visibility[]> {
    const sees = async (part: keyof Visibility): Promise<boolean> => {
      try {
        await this.#store.read(() => run(PROBES[part]));
        return true;
      } catch (error) {
        if (isUnreadable(error)) return false;
        throw error;
      }
    };
    const probed: Visibility = {
      freezes: await sees("freezes"),
      dependencies: await sees("dependencies"),
      stages: await sees("stages"),
      lanes: await sees("lanes"),
    };
    const withoutTasks = { ...probed, stages: false, lanes: false };
    return [probed, withoutTasks, { ...withoutTasks, freezes: false, dependencies: false }];
  }

  /** Says once that the gate became degraded, and once that it is whole again. */
  #saw(sight: Visibility, fault?: unknown): void {
    const seen = JSON.stringify(sight);
    if (seen === this.#sight) return;
    this.#sight = seen;
    this.#damage.changed();
    if (fault === undefined) this.#log.info({}, "The gate reads all of its database again.");
    else
      this.#log.error(
        { err: fault, sight },
        "The gate is degraded: what it cannot read counts as frozen, or as no one ahead in the lane.",
      );
  }
}
