/** Decides whether a queued entry job may start: THE rule.
 *  One expression serves the claim, the snapshot and everything that explains or indexes them, so that
 *  "claimable" and "reason is null" cannot drift apart. Portable SQL: no dialect, no driver. */

import { list, raw, sql, when, type Statement } from "../store/sql.ts";
import type { Policy } from "./policy.ts";

/** The stages in which a task is finished. The set is fixed: other programs rely on it. */
export const TERMINAL: readonly string[] = ["done", "cancelled"];

const TERMINAL_SQL = `('${TERMINAL.join("', '")}')`;

/** Which parts of the decision can be evaluated. Less than all only while the database is damaged. */
export interface Sight {
  /** repo_freeze */
  readonly freezes: boolean;
  /** job_deps */
  readonly dependencies: boolean;
  /** tasks: id and stage */
  readonly stages: boolean;
  /** tasks: all that makes a lane */
  readonly lanes: boolean;
}

export const FULL_SIGHT: Sight = { freezes: true, dependencies: true, stages: true, lanes: true };

/** The task is not finished. */
export const unfinished = (task: string): Statement => raw(`${task}.stage NOT IN ${TERMINAL_SQL}`);

/** The task holds its lane against the tasks behind it. */
export const holdsLane = (policy: Policy, task: string): Statement =>
  sql`${unfinished(task)}${when(policy.pause, raw(` AND ${task}.paused_at IS NULL`))}`;

/** The repository has a freeze that no one cleared. */
const frozen = (repo: string): Statement =>
  raw(`EXISTS (SELECT 1 FROM repo_freeze f WHERE f.repo = ${repo} AND f.cleared_at IS NULL)`);

/** A declared dependency of the task is unfinished. It never reads the pause: a paused dependency blocks. */
const dependent = (task: string, sight: Sight): Statement => {
  // What cannot be read is not known to be finished.
  if (!sight.dependencies) return raw(`${task} IS NOT NULL`);
  if (!sight.stages) return raw(`EXISTS (SELECT 1 FROM job_deps d WHERE d.task_id = ${task})`);
  return sql`EXISTS (SELECT 1 FROM job_deps d JOIN tasks needed ON needed.id = d.depends_on_task_id
      WHERE d.task_id = ${raw(task)} AND ${unfinished("needed")})`;
};

/** A task with a LOWER id holds the lane. Not "another" task: a batch of fresh ones would block each
 *  other for ever, and a rework entry job would block itself. */
const overshadowed = (policy: Policy, job: string): Statement =>
  sql`EXISTS (SELECT 1 FROM tasks ahead
      WHERE ahead.repo = ${raw(job)}.repo AND ahead.id < ${raw(job)}.task_id AND ${holdsLane(policy, "ahead")})`;

/** Why the job (a row of `jobs` under that alias) is held: 'freeze', 'dependency', 'active-task', or NULL
 *  when it may start. Jobs of other agents than the entry agent are never held.
 *  What cannot be seen fails closed for the freeze and the dependency, open for the lane. */
export const heldReason = (policy: Policy, sight: Sight = FULL_SIGHT, job = "j"): Statement => {
  const inScope = policy.repos
    ? sql`${raw(job)}.repo IN ${list(policy.repos)}`
    : raw(`${job}.repo IS NOT NULL`);
  return sql`CASE
    WHEN ${raw(job)}.agent <> ${policy.entryAgent} THEN NULL${when(
      policy.enabled && policy.freeze,
      sql`
    WHEN ${inScope} AND ${sight.freezes ? frozen(`${job}.repo`) : raw("1 = 1")} THEN 'freeze'`,
    )}${when(
      policy.dependencies,
      sql`
    WHEN ${dependent(`${job}.task_id`, sight)} THEN 'dependency'`,
    )}${when(
      policy.enabled && sight.lanes,
      sql`
    WHEN ${inScope} AND ${overshadowed(policy, job)} THEN 'active-task'`,
    )}
    END`;
};
