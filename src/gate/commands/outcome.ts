/** What came of one of many that are done together: one that is refused takes nothing from the others. */

import { GateError } from "../../contract/errors.ts";

export type Outcome<T> = { readonly value: T } | { readonly error: GateError };

/** What a function gives, or the GateError that it throws. */
export const outcomeOf = <T>(give: () => T): Outcome<T> => {
  try {
    return { value: give() };
  } catch (error) {
    if (error instanceof GateError) return { error };
    throw error;
  }
};

/** @throws GateError when it was refused */
export const valueOf = <T>(outcome: Outcome<T>): T => {
  if ("error" in outcome) throw outcome.error;
  return outcome.value;
};

/** What the outcomes gave, without those that were refused or are open. */
export const valuesOf = <T>(outcomes: readonly (Outcome<T> | undefined)[]): T[] =>
  outcomes.flatMap((outcome) => (outcome && "value" in outcome ? [outcome.value] : []));
