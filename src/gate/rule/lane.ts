/** A lane in SQL: which tasks are in it, and which of them hold it against the tasks behind them. */

import { LANE_STATE, TERMINAL_STAGES } from "../../contract/vocabulary.ts";
import { one, type Tx } from "../../store/port.ts";
import { inlineInteger, raw, sql, when, type Statement } from "../../store/sql.ts";
import type { Policy } from "./policy.ts";

const TERMINAL_SQL = `('${TERMINAL_STAGES.join("', '")}')`;

/** True for a task that is not finished. */
export const unfinished = (task: string): Statement => raw(`${task}.stage NOT IN ${TERMINAL_SQL}`);

/** True for a task that holds its lane against the tasks behind it. */
export const holdsLane = (policy: Policy, task: string): Statement =>
  sql`${unfinished(task)}${when(policy.pause, raw(` AND ${task}.paused_at IS NULL`))}`;

/** The phase of a verb for a whole lane, in which its tasks count as not paused. */
export const COUNTING = 1;

/** FROM and WHERE of the verb for a whole lane that is changing a task that is paused together with its lane, `s`. */
const verbOf = (task: string): string =>
  `gate_lane_steps s WHERE s.repo = ${task}.repo AND s.phase = ${COUNTING} AND ${task}.paused_together = 1`;

/** True for a paused task. While a verb for its whole lane goes on in steps, the tasks that are paused already, or not resumed
 *  yet, count as not paused: all of them turn at one commit (commands/whole-lane/steps.ts). */
export const isPaused = (task: string): Statement =>
  raw(`${task}.paused_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ${verbOf(task)}
      AND (s.verb = 'resume' OR s.at = ${task}.paused_at))`);

/** True for a task that counts as not paused because its lane is being resumed, and whose turn is still to come. */
export const isBeingResumed = (task: string): Statement =>
  raw(`${task}.paused_at IS NOT NULL AND EXISTS (SELECT 1 FROM ${verbOf(task)} AND s.verb = 'resume')`);

/** Greater than any id. */
export const NO_END = Number.MAX_SAFE_INTEGER;

/** The part of its lane that a task is in: 0 with the tasks that are not paused, 1 with those that are, NULL once it is
 *  finished. Spelled as the index of a lane is, so that the planner takes it. */
const partOf = (task: string): string =>
  `CASE WHEN ${task}.stage IN ${TERMINAL_SQL} THEN NULL WHEN ${task}.paused_at IS NULL THEN 0 ELSE 1 END`;

/** The same as `unfinished`, for a look-up among all tasks of a lane. */
export const unfinishedInLane = (task: string): Statement => raw(`${partOf(task)} IS NOT NULL`);

/** The unfinished tasks that are paused, or are not, for a look-up by id. */
export const unfinishedInPart = (task: string, part: "paused" | "not paused"): Statement =>
  raw(`${partOf(task)} = ${part === "paused" ? 1 : 0}`);

/** The same as `holdsLane`, for a look-up by id among the tasks of a lane. */
export const holdsLaneById = (policy: Policy, task: string): Statement =>
  policy.pause
    ? unfinishedInPart(task, "not paused")
    : raw(`${partOf(task)} IN (0, 1) AND ${partOf(task)} IS NOT NULL`);

/** The id of the first task of a repository that holds its lane.
 *  @param narrowed a further condition on the task `t`, with its AND */
export const headOf = (policy: Policy, repo: Statement, narrowed: Statement = raw("")): Statement => {
  const firstOf = (part: "paused" | "not paused"): Statement =>
    sql`SELECT MIN(t.id) AS id FROM tasks t WHERE t.repo = ${repo}${narrowed} AND ${unfinishedInPart("t", part)}`;
  if (policy.pause) return sql`(${firstOf("not paused")})`;
  return sql`(SELECT MIN(head.id) FROM (${firstOf("not paused")} UNION ALL ${firstOf("paused")}) AS head)`;
};

/** A lane whose head was read already, for a decision about many of its jobs. On PostgreSQL a look for the head walks past
 *  every task that the transaction has paused, so that a look for each job would be quadratic. */
export interface KnownLane {
  /** An id, or a subquery that does not depend on the job. */
  readonly head: number | null | Statement;
}

/** Reads the head of a lane. */
export function* readLane(policy: Policy, repo: string): Tx<KnownLane> {
  return yield* one<{ head: number | null }>(sql`SELECT ${headOf(policy, sql`${repo}`)} AS head`);
}

/** True for a task of which a job was claimed. Spelled as the partial index is, so that the planner takes it. */
const started = (task: string): string => `${task}.lane_state <> ${LANE_STATE.none}`;

/** True for a task that acquired its lane and has not been paused since. */
export const acquired = (task: string): Statement =>
  raw(`${started(task)} AND ${task}.lane_state = ${LANE_STATE.acquired}`);

/** True for a task that acquired its lane and lost it by a pause. */
export const lost = (task: string): Statement =>
  raw(`${started(task)} AND ${task}.lane_state = ${LANE_STATE.lost}`);

/** The same for finished tasks too. Spelled as another partial index is. */
export const lostAtAnyStage = (task: string): Statement => raw(`${task}.lane_state = ${LANE_STATE.lost}`);

/** FROM and WHERE of the holders of a lane, `h`: the tasks that make progress in it now. A task that lost the lane counts
 *  while a job of it still runs.
 *  @param narrowed a further condition, with its AND */
const holders = (policy: Policy, repo: Statement, narrowed: Statement): Statement =>
  sql`tasks h WHERE h.repo = ${repo} AND ${holdsLane(policy, "h")} AND ${raw(started("h"))}${narrowed}
      AND (h.lane_state = ${inlineInteger(LANE_STATE.acquired)}
        OR EXISTS (SELECT 1 FROM jobs r WHERE r.task_id = h.id AND r.status = 'running'))`;

/** FROM and WHERE of the holders of a lane, `h`, except for one task. */
export const otherHolders = (policy: Policy, repo: Statement, task: Statement): Statement =>
  holders(policy, repo, sql` AND h.id <> ${task}`);

/** The id of the task that has a lane: with strict lanes the holder, before a task that lost the lane and still runs;
 *  without a holder the head. */
export const activeTaskOf = (policy: Policy, repo: Statement): Statement =>
  policy.strictLanes
    ? sql`COALESCE((SELECT h.id FROM ${holders(policy, repo, raw(""))}
      ORDER BY CASE h.lane_state WHEN ${inlineInteger(LANE_STATE.acquired)} THEN 0 ELSE 1 END, h.id LIMIT 1), ${headOf(policy, repo)})`
    : headOf(policy, repo);
