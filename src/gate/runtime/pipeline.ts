/** The pipeline around every operation of the gate, written once and in order. From the outside in:
 *  notification, maintenance, degraded mode, transaction, idempotency, dry run, the operation.
 *  It knows no operation: gate.ts names them, one line each. */

import type { Store, Tx, WriteOptions } from "../../store/port.ts";
import type { BatchContext, Context } from "../commands/context.ts";
import { idempotent, idempotentBatch, reachOf, type Caller } from "../commands/idempotency.ts";
import { RolledBack, rollBack, valuesOf, type Result } from "../commands/outcome.ts";
import { EVERYWHERE, type Reach } from "../../contract/names/repo-pattern.ts";
import { refuseUnseen, type Subject } from "../commands/lookup/subject.ts";
import type { Rules } from "../rule/policy.ts";
import { EVERYTHING_READABLE, type Visibility } from "../rule/visibility.ts";
import type { DegradedMode } from "./degraded-mode.ts";
import type { Maintenance } from "./maintenance.ts";
import type { ReadyIndexKeeper } from "./background/ready-index-keeper.ts";

/** Which waiting callers a commit may concern: claims and followers of the events, the followers alone, or nobody. */
export type Audience = "everyone" | "followers" | "nobody";

/** The settings of the stages for one operation. */
interface Options<T> {
  /** Notified after the commit; everyone by default. */
  readonly notify?: Audience;
  /** The times (ISO 8601) at which something falls due by itself because of the value. */
  readonly due?: (value: T) => readonly (string | null | undefined)[];
  /** Runs due maintenance first, so that the operation does not depend on a timer. */
  readonly maintain?: boolean;
  /** The operation evaluates the rule: where a part of the database cannot be read, it runs again without that part. */
  readonly decides?: boolean;
  /** How the transaction is retried. */
  readonly write?: WriteOptions;
  /** False when nothing came of it: its answer is not stored under a key, and nobody is notified. */
  readonly keepIf?: (value: T) => boolean;
}

export interface Operation<T> extends Options<T> {
  readonly caller: Caller;
  /** The thing that the operation is about. A caller that may not know it is refused before anything is looked at. */
  readonly about?: Subject | undefined;
  /** Runs the operation and takes it back: the value tells what would come of it. */
  readonly dryRun?: boolean | undefined;
}

interface Batch<Request, T> extends Options<T> {
  readonly requests: readonly Request[];
}

interface Done<T> {
  readonly value: T;
  /** False when the transaction was rolled back once it had its value. */
  readonly isCommitted: boolean;
}

/** A value, and whether a part of the database could not be read for it. */
export interface Decision<T> {
  readonly value: T;
  readonly degraded: boolean;
}

interface Parts {
  readonly store: Store;
  readonly rules: Rules;
  readonly maintenance: Maintenance;
  readonly degradedMode: DegradedMode;
  readonly readyIndex: ReadyIndexKeeper;
  readonly notify: (audience: Audience) => void;
  /** Told of each error of an operation that changes rows. */
  readonly onFailure: (error: unknown) => void;
}

/** Stage 6, inside idempotency: a dry run under a key leaves no answer. */
const dryRun = <T>({ dryRun: isDry = false }: Operation<T>, command: Tx<T>): Tx<T> =>
  isDry ? rollBack(command) : command;

const asOne = <T>(value: T): readonly T[] => [value];

export class Pipeline {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Runs an operation that changes rows. */
  run<T>(operation: Operation<T>, command: (context: Context) => Tx<T>): Promise<Decision<T>> {
    const { caller, about, keepIf } = operation;
    const reach = reachOf(caller);
    return this.#pass(operation, asOne, function* (context) {
      yield* refuseUnseen(reach, about);
      return yield* idempotent(
        caller,
        (actor) => dryRun(operation, command({ ...context, actor, reach })),
        keepIf,
      );
    });
  }

  /** Runs an operation for the requests of a batch, in one transaction.
   *  @param command gets the requests that are to be decided, and gives a result for each */
  runBatch<Request extends { readonly caller: Caller }, T>(
    batch: Batch<Request, T>,
    command: (context: BatchContext, fresh: readonly Request[]) => Tx<readonly Result<T>[]>,
  ): Promise<Decision<Result<T>[]>> {
    const { requests, keepIf } = batch;
    return this.#pass(batch, valuesOf, function* (context) {
      const results = yield* idempotentBatch(requests, (fresh) => command(context, fresh), keepIf);
      // Nothing was written: a commit would only look like news.
      if (keepIf && !valuesOf(results).some(keepIf)) throw new RolledBack(results);
      return results;
    });
  }

  /** Runs an operation that evaluates the rule and changes nothing: a long one, which is abandoned when its caller is gone. */
  read<T>(query: (context: BatchContext) => Tx<T>, reach: Reach, signal?: AbortSignal): Promise<Decision<T>> {
    return this.#maintain({ maintain: true }, () =>
      this.#degrade({ decides: true }, (context) =>
        this.#parts.store.read(() => query({ ...context, reach }), { long: true, signal }),
      ),
    );
  }

  /** A text that is the same while decisions come out the same: no program committed anything meanwhile, and nothing fell
   *  due. Asked before a decision, it is never newer than it.
   *  @returns undefined where that is unknown */
  async version(): Promise<string | undefined> {
    const { store, maintenance, degradedMode, readyIndex } = this.#parts;
    await maintenance.runIfDue();
    if (!degradedMode.isHealthy || !readyIndex.isUsable) return undefined;
    return store.version().catch(() => undefined);
  }

  /** The stages, in order. Idempotency and the dry run are inside the transaction: see `run`. */
  #pass<T, V>(
    options: Options<V>,
    valuesIn: (value: T) => readonly V[],
    command: (context: BatchContext) => Tx<T>,
  ): Promise<Decision<T>> {
    const done = this.#notify(options, valuesIn, () =>
      this.#maintain(options, () =>
        this.#degrade(options, (context) => this.#transact(() => command(context), options.write)),
      ),
    );
    done.catch(this.#parts.onFailure);
    return done;
  }

  /** Stage 1. After a commit: sets the timer for things that will fall due, and notifies waiting callers. */
  async #notify<T, V>(
    { notify = "everyone", due = () => [], keepIf = () => true }: Options<V>,
    valuesIn: (value: T) => readonly V[],
    change: () => Promise<Decision<Done<T>>>,
  ): Promise<Decision<T>> {
    const { value: done, degraded } = await change();
    const news = done.isCommitted ? valuesIn(done.value).filter(keepIf) : [];
    for (const time of news.flatMap(due)) if (time) this.#parts.maintenance.scheduleAt(Date.parse(time));
    if (news.length > 0) this.#parts.notify(notify);
    return { value: done.value, degraded };
  }

  /** Stage 2. Gives back expired leases, queues due jobs and ends pauses before a decision that depends on them. */
  async #maintain<T>({ maintain = false }: Options<never>, decide: () => Promise<T>): Promise<T> {
    if (maintain) await this.#parts.maintenance.runIfDue();
    return decide();
  }

  /** Stage 3. Decides with the parts of the database that can be read. */
  async #degrade<T>(
    { decides = false }: Options<never>,
    decide: (context: BatchContext) => Promise<T>,
  ): Promise<Decision<T>> {
    if (decides) return this.#parts.degradedMode.decide((visible) => decide(this.#context(visible)));
    return { value: await decide(this.#context(EVERYTHING_READABLE)), degraded: false };
  }

  #context(visible: Visibility): BatchContext {
    const { store, rules, readyIndex } = this.#parts;
    const useReadyIndex = readyIndex.isUsable && visible === EVERYTHING_READABLE;
    const isAlone = store.dialect.writerIsAlone;
    return { rules, lookup: { visible, useReadyIndex }, reach: EVERYWHERE, isAlone };
  }

  /** Stage 4. One write transaction. It has a value also when it was rolled back on purpose. */
  async #transact<T>(operation: () => Tx<T>, options?: WriteOptions): Promise<Done<T>> {
    try {
      return { value: await this.#parts.store.write(operation, options), isCommitted: true };
    } catch (error) {
      if (error instanceof RolledBack) return { value: error.value as T, isCommitted: false };
      throw error;
    }
  }
}
