/** The surroundings of a command: its second half beside the input. The pipeline makes one for every run. */

import type { Reach } from "../../contract/names/repo-pattern.ts";
import type { Actor, Rules } from "../rule/policy.ts";
import type { Lookup } from "../rule/visibility.ts";

/** For a batch, whose requests have an actor each. */
export interface BatchContext {
  readonly rules: Rules;
  /** How jobs are looked for: which parts of the database can be read, and whether by the ready index. */
  readonly lookup: Lookup;
  /** The repositories that the caller may know; those of a batch are in its requests. */
  readonly reach: Reach;
  /** True where a writer is alone (`Dialect.writerIsAlone`): what the transaction read stays true until it writes. */
  readonly isAlone: boolean;
}

export interface Context extends BatchContext {
  readonly actor: Actor;
}
