/** The result of one request of a batch. A request that is refused takes nothing from its neighbours.
 *  The batched commands, their idempotency and the batcher speak this one type. */

import { GateError } from "../../contract/errors.ts";
import type { Tx } from "../../store/port.ts";

export type Result<T> =
  | { readonly value: T }
  | { readonly error: GateError }
  /** Nothing was decided: the request must run in a transaction of its own. */
  | { readonly alone: true };

export const ALONE = { alone: true } as const;

/** The value of a function, or the GateError that it throws. */
export const resultOf = <T>(decide: () => T): Result<T> => {
  try {
    return { value: decide() };
  } catch (error) {
    if (error instanceof GateError) return { error };
    throw error;
  }
};

/** The values among some results, in their order. */
export const valuesOf = <T>(results: readonly Result<T>[]): T[] =>
  results.flatMap((result) => ("value" in result ? [result.value] : []));

/** Thrown to undo a transaction whose answer was all that was wanted. */
export class RolledBack extends Error {
  override readonly name = "RolledBack";
  readonly value: unknown;

  constructor(value: unknown) {
    // It is no failure: every claim that got nothing would pay for a stack.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super("The change was rolled back.");
    Error.stackTraceLimit = stackTraceLimit;
    this.value = value;
  }
}

/** Makes a change and rolls it back.
 *  @throws RolledBack with the answer */
export function* rollBack(change: Tx<unknown>): Tx<never> {
  throw new RolledBack(yield* change);
}
