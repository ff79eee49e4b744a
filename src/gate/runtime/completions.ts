/** Completions: those that come together share a transaction. A completion that must wait for a lane, or whose verdict
 *  depends on another one, runs alone (docs/adr/0009). One that claims next is decided as a claim is, and shares its
 *  transaction with those that claim the same. */

import type { Completed, Completion } from "../../contract/jobs.ts";
import {
  claimNext,
  complete,
  completeTogether,
  type ClaimingAttempt,
  type CompletionAttempt,
} from "../commands/complete.ts";
import type { BatchContext, Context } from "../commands/context.ts";
import { actorOf, reachOf, type Caller } from "../commands/idempotency.ts";
import type { Result } from "../commands/outcome.ts";
import type { Tx } from "../../store/port.ts";
import { Batcher } from "./batcher.ts";
import { keyOf } from "./claims.ts";
import type { Decision, Pipeline } from "./pipeline.ts";

interface CompletionCall {
  readonly caller: Caller;
  readonly id: number;
  readonly input: Completion;
}

/** The pause of a task may end by itself, and a lease may expire. */
const OPTIONS = {
  due: ({ task, jobs = [] }: Completed) => [task?.pause_until, ...jobs.map(({ lease }) => lease.expires_at)],
} as const;

/** The options of a call: one that claims is decided by the rule. */
const optionsOf = ({ input }: CompletionCall): typeof OPTIONS & { maintain?: true; decides?: true } =>
  input.claim ? { ...OPTIONS, maintain: true, decides: true } : OPTIONS;

const answerOf = (completed: Completed, { degraded }: Decision<unknown>): Completed =>
  completed.jobs ? { ...completed, degraded } : completed;

export class Completions {
  readonly #pipeline: Pipeline;
  readonly #batcher: Batcher<CompletionCall, Completed>;
  #isClosed = false;

  constructor(pipeline: Pipeline) {
    this.#pipeline = pipeline;
    this.#batcher = new Batcher({
      keyOf: ({ caller, input }) => (input.claim ? keyOf(caller, input.claim) : ""),
      sizeOf: ({ input }) => 1 + (input.claim?.max ?? 0),
      together: (calls) => this.#together(calls),
      alone: (call) => this.#alone(call),
    });
  }

  /** @throws GateError unknown_job, lease_lost, task_cancelled, task_terminal, layer_disabled, invalid_request */
  complete(caller: Caller, id: number, input: Completion): Promise<Completed> {
    return this.#batcher.submit({ caller, id, input });
  }

  /** From now on completions claim nothing. */
  close(): void {
    this.#isClosed = true;
  }

  async #together(requests: readonly CompletionCall[]): Promise<Result<Completed>[]> {
    const [first] = requests;
    if (!first) return [];
    const command = (context: BatchContext, fresh: readonly CompletionCall[]): Tx<Result<Completed>[]> =>
      this.#complete(context, fresh);
    const decision = await this.#pipeline.runBatch({ ...optionsOf(first), requests }, command);
    return decision.value.map((result) =>
      "value" in result ? { value: answerOf(result.value, decision) } : result,
    );
  }

  *#complete(context: BatchContext, calls: readonly CompletionCall[]): Tx<Result<Completed>[]> {
    const attempts = calls.map(attemptOf);
    const results = yield* completeTogether(context, attempts);
    const claiming = calls.flatMap((call) => this.#claimingOf(call) ?? []);
    return claiming.length === 0 ? results : yield* claimNext(context, claiming, results);
  }

  async #alone(call: CompletionCall): Promise<Completed> {
    const { caller, id, input } = call;
    const claiming = this.#claimingOf(call);
    const command = function* (context: Context): Tx<Completed> {
      const completed = yield* complete(context, id, input);
      if (!claiming) return completed;
      const [result] = yield* claimNext(context, [claiming], [{ value: completed }]);
      return result && "value" in result ? result.value : completed;
    };
    const decision = await this.#pipeline.run({ ...optionsOf(call), caller, about: { job: id } }, command);
    return answerOf(decision.value, decision);
  }

  /** A call that claims; a service that is shutting down hands out nothing. */
  #claimingOf(call: CompletionCall): ClaimingAttempt | undefined {
    const { claim } = call.input;
    if (!claim) return undefined;
    const request = this.#isClosed ? { ...claim, max: 0 } : claim;
    const { actor, reach } = attemptOf(call);
    return { ...attemptOf(call), claim: { actor, reach: reach ?? null, request } };
  }
}

const attemptOf = ({ caller, id, input }: CompletionCall): CompletionAttempt => ({
  actor: actorOf(caller),
  reach: reachOf(caller),
  id,
  input,
});
