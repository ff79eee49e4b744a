/** Claims: a batch of them costs one transaction, and a caller may wait for a job. A job that is given to a caller that
 *  hung up is taken back. How jobs are chosen is commands/claim.ts. */

import { GateError } from "../../contract/errors.ts";
import type { Claim, ClaimedJob, ClaimRequest } from "../../contract/jobs.ts";
import type { Tx } from "../../store/port.ts";
import { claim, type ClaimAttempt } from "../commands/claim.ts";
import type { BatchContext, Context } from "../commands/context.ts";
import { actorOf, forgetAnswer, isCall, reachOf, type Caller } from "../commands/idempotency.ts";
import { giveBack } from "../commands/lease.ts";
import type { Result } from "../commands/outcome.ts";
import { Batcher } from "./batcher.ts";
import { LongPoll } from "./long-poll.ts";
import type { Pipeline } from "./pipeline.ts";

interface ClaimCall {
  readonly caller: Caller;
  readonly request: ClaimRequest;
  readonly gone: AbortSignal | undefined;
}

/** A claim frees no job for another claim, so that only followers of the event log are notified. */
const OPTIONS = {
  notify: "followers",
  due: (jobs: readonly ClaimedJob[]) => jobs.map(({ lease }) => lease.expires_at),
  maintain: true,
  decides: true,
  keepIf: (jobs: readonly ClaimedJob[]) => jobs.length > 0,
} as const;

/** Claims of one key take the same jobs. */
export const keyOf = (caller: Caller, { agents, repos }: ClaimRequest): string =>
  JSON.stringify([agents, repos, reachOf(caller)]);

/** Kinds of claims of which it is remembered that there was nothing for them. */
const MOST_IDLE = 1_000;

const someOf = (claimed: Claim | undefined): Claim | undefined =>
  claimed && claimed.jobs.length > 0 ? claimed : undefined;

function* claimEach(context: BatchContext, attempts: readonly ClaimAttempt[]): Tx<Result<ClaimedJob[]>[]> {
  const claimed = yield* claim(context, attempts);
  return claimed.map((value) => ({ value }));
}

function* claimOne(context: Context, attempt: ClaimAttempt): Tx<ClaimedJob[]> {
  const [jobs = []] = yield* claim(context, [attempt]);
  return jobs;
}

export class Claims {
  readonly #pipeline: Pipeline;
  readonly #batcher: Batcher<ClaimCall, Claim>;
  readonly #longPoll: LongPoll<Claim>;
  /** The kinds of claims that got nothing last: the version of the database before their last look, where it is known. */
  readonly #idle = new Map<string, string | undefined>();
  #isClosed = false;

  /** @param watch runs a listener after commits of other programs; returns how to stop that */
  constructor(pipeline: Pipeline, watch: (listener: () => void) => () => void) {
    this.#pipeline = pipeline;
    this.#batcher = new Batcher({
      keyOf: ({ caller, request }) => keyOf(caller, request),
      sizeOf: ({ request }) => request.max,
      together: (calls) => this.#together(calls),
      alone: (call) => this.#alone(call),
      // A caller with a key may have a stored answer, even where there are no jobs.
      answersAlso: ({ jobs }, { caller }) => jobs.length === 0 && !isCall(caller),
    });
    this.#longPoll = new LongPoll(watch);
  }

  /** Claims jobs, waiting for one as long as the request allows.
   *  @param gone aborted when the caller hangs up
   *  @returns undefined when there was none */
  async claim(caller: Caller, request: ClaimRequest, gone?: AbortSignal): Promise<Claim | undefined> {
    const call = { caller, request, gone };
    const claimed = await this.#longPoll.wait({
      key: keyOf(caller, request),
      ms: request.wait_ms,
      gone,
      ask: async () =>
        someOf(await (request.wait_ms > 0 ? this.#askAgain(call) : this.#batcher.submit(call))),
      takeBack: ({ jobs }) => this.#takeBack(caller, jobs),
    });
    if (claimed || request.wait_ms > 0 || !isCall(caller)) return claimed;
    // The same call, sent twice, may be under way with the only job. Alone, its key's row comes first and waits.
    return someOf(await this.#alone(call));
  }

  /** Makes waiting callers ask again: a job may have become ready. */
  notify(): void {
    this.#longPoll.notify();
  }

  /** Sends every waiting caller away with nothing. */
  close(): void {
    this.#isClosed = true;
    this.#longPoll.close();
  }

  /** Claims for a caller that waits. While nothing was committed since a claim of its kind got nothing, there is nothing for
   *  it either, and no transaction is needed to know.
   *  @returns undefined then */
  async #askAgain(call: ClaimCall): Promise<Claim | undefined> {
    const { caller, request } = call;
    const key = keyOf(caller, request);
    // A caller with a key may have a stored answer. A kind that got jobs last is not looked up: it most likely gets more.
    const before = this.#idle.has(key) && !isCall(caller) ? await this.#pipeline.version() : undefined;
    if (before !== undefined && before === this.#idle.get(key)) return undefined;
    const claimed = await this.#batcher.submit(call);
    this.#idle.delete(key);
    if (claimed.jobs.length === 0 && !claimed.degraded && this.#isWanted(call)) {
      if (this.#idle.size >= MOST_IDLE) this.#idle.clear();
      this.#idle.set(key, before);
    }
    return claimed;
  }

  async #together(requests: readonly ClaimCall[]): Promise<Result<Claim>[]> {
    const { value: results, degraded } = await this.#pipeline.runBatch(
      { ...OPTIONS, requests },
      (context, fresh) =>
        claimEach(
          context,
          fresh.map((call) => this.#attemptOf(call)),
        ),
    );
    return results.map((result) =>
      "value" in result ? { value: { jobs: result.value, degraded } } : result,
    );
  }

  async #alone(call: ClaimCall): Promise<Claim> {
    const { value: jobs, degraded } = await this.#pipeline.run(
      { ...OPTIONS, caller: call.caller },
      (context) => claimOne(context, this.#attemptOf(call)),
    );
    return { jobs, degraded };
  }

  #isWanted({ gone }: ClaimCall): boolean {
    return !this.#isClosed && gone?.aborted !== true;
  }

  /** A caller that hung up, or that a draining service sends away, takes no job any more. */
  #attemptOf(call: ClaimCall): ClaimAttempt {
    const { caller, request } = call;
    return {
      actor: actorOf(caller),
      reach: reachOf(caller),
      request: this.#isWanted(call) ? request : { ...request, max: 0 },
    };
  }

  /** Releases jobs and forgets the stored answer. Once the caller asked again for that answer, the jobs are its own. */
  async #takeBack(caller: Caller, jobs: readonly ClaimedJob[]): Promise<void> {
    const actor = actorOf(caller);
    await this.#pipeline.run({ caller: null }, function* (context): Tx<void> {
      if (!(yield* forgetAnswer(caller))) return;
      for (const { id, lease } of jobs)
        try {
          yield* giveBack({ ...context, actor }, id, { lease_token: lease.token });
        } catch (error) {
          // The lease ended meanwhile: the job is not the caller's any more.
          if (!(error instanceof GateError)) throw error;
        }
    });
  }
}
