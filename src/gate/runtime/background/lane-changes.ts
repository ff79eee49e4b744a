/** Changes of whole lanes: makes their steps one after the other, with a rest between them, and goes on with a change whose
 *  service ended. What a step is: commands/whole-lane/steps.ts. */

import type { LanePauseState } from "../../../contract/operations.ts";
import { storedCallOf, withoutKey, type Caller } from "../../commands/idempotency.ts";
import type { LaneChange, Limits } from "../../commands/whole-lane/at-once.ts";
import { beginChange, JOBS_A_TASK, standingChanges, stepChange } from "../../commands/whole-lane/steps.ts";
import type { Store } from "../../../store/port.ts";
import type { Log } from "../log.ts";
import type { Pipeline } from "../pipeline.ts";
import { restAfter } from "./rest.ts";
import { Rounds } from "./rounds.ts";

/** Tasks of a step: some milliseconds of the database, and a commit. */
const STEP = 500;

/** Behind a step, others come first for so many times as long as the step took: those of this process come between two steps
 *  anyway. */
const REST = 0.25;

/** A change that has not gone on for so long is nobody's, in milliseconds. */
const STANDING_MS = 3_000;

interface LaneChangesParts {
  readonly pipeline: Pipeline;
  readonly store: Store;
  readonly log: Log;
  /** Verdicts turned. */
  readonly onNews: () => void;
  /** Tasks of a step; for tests. */
  readonly step?: number | undefined;
}

export class LaneChanges {
  readonly #parts: LaneChangesParts;
  readonly #step: number;
  /** The steps under way in this process, by repository. */
  readonly #running = new Map<string, Promise<LanePauseState | undefined>>();
  readonly #rounds: Rounds;

  constructor(parts: LaneChangesParts) {
    this.#parts = parts;
    this.#rounds = new Rounds(parts.log, "The change of a whole repository stopped; it is tried again.");
    this.#step = parts.step ?? STEP;
  }

  /** Up to these limits a change is made at once. */
  get limits(): Limits {
    return { tasks: this.#step, jobs: JOBS_A_TASK * this.#step };
  }

  /** Makes a change in steps. It goes on when its caller hangs up.
   *  @returns undefined where another change went before it, or another service ended it: then the caller asks again
   *  @throws GateError layer_disabled, invalid_request; StoreFault, after which the change goes on by itself */
  async make(caller: Caller, change: LaneChange): Promise<LanePauseState | undefined> {
    const { repo } = change;
    const { value: hasBegun } = await this.#parts.pipeline.run(
      { caller: withoutKey(caller), about: { repo }, decides: true },
      (context) => beginChange(context, change, { size: this.#step, call: storedCallOf(caller) }),
    );
    // The steps of the change before may be about to end.
    await this.#running.get(repo)?.catch(() => undefined);
    const answer = await this.finish(repo);
    return hasBegun ? answer : undefined;
  }

  /** Makes the steps of a lane's change to their end; nothing where there is none. Several services may do so at once.
   *  @throws StoreFault */
  finish(repo: string): Promise<LanePauseState | undefined> {
    const running = this.#running.get(repo) ?? this.#finish(repo);
    this.#running.set(repo, running);
    return running;
  }

  async #finish(repo: string): Promise<LanePauseState | undefined> {
    try {
      for (;;) {
        const began = performance.now();
        const { value } = await this.#parts.pipeline.run(
          { caller: null, decides: true, notify: "followers" },
          (context) => stepChange(context, repo, this.#step),
        );
        if (value.isNews) this.#parts.onNews();
        if (value.isOver) return value.answer;
        await restAfter(began, REST);
      }
    } finally {
      this.#running.delete(repo);
    }
  }

  stop(): void {
    this.#rounds.stop();
  }

  /** Goes on with changes whose service ended in the middle. */
  tend(): Promise<void> {
    return this.#rounds.run(async () => {
      for (const repo of await this.#parts.store.read(() => standingChanges(STANDING_MS))) {
        if (this.#running.has(repo)) continue;
        this.#parts.log.info({ repo }, "Goes on with the change of a whole repository.");
        await this.finish(repo);
      }
    });
  }
}
