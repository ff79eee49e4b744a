/** Decides whether a queued job is held: THE rule. One expression, folded over the reasons, serves the claim, the queue,
 *  the explanation and the ready index, so that "claimable" and "reason is null" cannot drift apart. */

import type { Reason } from "../../contract/vocabulary.ts";
import { raw, sql, type Statement } from "../../store/sql.ts";
import type { KnownLane } from "./lane.ts";
import type { Policy } from "./policy.ts";
import { HOLD_REASONS } from "./reasons/index.ts";
import { EVERYTHING_READABLE, type Visibility } from "./visibility.ts";

interface Condition {
  readonly reason: Reason;
  /** True for a job that it holds. */
  readonly holds: Statement;
}

/** The conditions that may hold a job under a policy, the first reason first.
 *  @param job the alias of a row of `jobs`
 *  @param lane the lane of every such row, where it was read already */
export const conditions = (
  policy: Policy,
  visible: Visibility = EVERYTHING_READABLE,
  job = "j",
  lane?: KnownLane,
): readonly Condition[] =>
  HOLD_REASONS.filter(({ applies }) => applies(policy)).flatMap(({ name, holds }) => {
    const condition = holds(policy, job, visible, lane);
    return condition ? [{ reason: name, holds: condition }] : [];
  });

/** The name of the first reason that holds the job, or NULL for a job that a claim may hand out. */
export const heldReason = (
  policy: Policy,
  visible: Visibility = EVERYTHING_READABLE,
  job = "j",
  lane?: KnownLane,
): Statement => {
  const [first, ...others] = conditions(policy, visible, job, lane).map(
    ({ reason, holds }) => sql`WHEN ${holds} THEN ${raw(`'${reason}'`)}`,
  );
  if (!first) return raw("NULL");
  return sql`CASE ${others.reduce(
    (before, each) => sql`${before}
    ${each}`,
    first,
  )} END`;
};
