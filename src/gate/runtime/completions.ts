/** Completions: those that come together share a transaction. A completion that must wait for a lane, or whose verdict
 *  depends on another one, runs alone (docs/adr/0009). */

import type { Completed, Completion } from "../../contract/jobs.ts";
import { complete, completeTogether } from "../commands/complete.ts";
import { actorOf, reachOf, type Caller } from "../commands/idempotency.ts";
import type { Result } from "../commands/outcome.ts";
import { Batcher } from "./batcher.ts";
import type { Pipeline } from "./pipeline.ts";

interface CompletionCall {
  readonly caller: Caller;
  readonly id: number;
  readonly input: Completion;
}

/** The pause of a task may end by itself. */
const OPTIONS = { due: ({ task }: Completed) => [task?.pause_until] } as const;

export class Completions {
  readonly #pipeline: Pipeline;
  readonly #batcher: Batcher<CompletionCall, Completed>;

  constructor(pipeline: Pipeline) {
    this.#pipeline = pipeline;
    this.#batcher = new Batcher({
      keyOf: () => "",
      sizeOf: () => 1,
      together: (calls) => this.#together(calls),
      alone: (call) => this.#alone(call),
    });
  }

  /** @throws GateError unknown_job, lease_lost, task_cancelled, task_terminal, layer_disabled, invalid_request */
  complete(caller: Caller, id: number, input: Completion): Promise<Completed> {
    return this.#batcher.submit({ caller, id, input });
  }

  async #together(requests: readonly CompletionCall[]): Promise<Result<Completed>[]> {
    const { value } = await this.#pipeline.runBatch({ ...OPTIONS, requests }, (context, fresh) =>
      completeTogether(
        context,
        fresh.map(({ caller, id, input }) => ({ actor: actorOf(caller), reach: reachOf(caller), id, input })),
      ),
    );
    return value;
  }

  async #alone({ caller, id, input }: CompletionCall): Promise<Completed> {
    const { value } = await this.#pipeline.run({ ...OPTIONS, caller, about: { job: id } }, (context) =>
      complete(context, id, input),
    );
    return value;
  }
}
