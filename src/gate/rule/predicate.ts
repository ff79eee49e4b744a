/** Decides whether a queued entry job may start: THE rule.
 *  One expression serves the claim, the snapshot and everything that explains or indexes them, so that
 *  "claimable" and "reason is null" cannot drift apart. Portable SQL: no dialect, no driver. */

import { TERMINAL_STAGES } from "../../contract/vocabulary.ts";
import { list, raw, sql, when, type Statement } from "../../store/sql.ts";
import type { Reason } from "../../contract/scalars.ts";
import type { Policy } from "./policy.ts";
import { EVERYTHING_READABLE, type Visibility } from "./visibility.ts";

const TERMINAL_SQL = `('${TERMINAL_STAGES.join("', '")}')`;

/** The task is not finished. */
export const unfinished = (task: string): Statement => raw(`${task}.stage NOT IN ${TERMINAL_SQL}`);

/** The task holds its lane against the tasks behind it. */
export const holdsLane = (policy: Policy, task: string): Statement =>
  sql`${unfinished(task)}${when(policy.pause, raw(` AND ${task}.paused_at IS NULL`))}`;

/** What holds a job, as the rows that are there while it does: FROM and WHERE, for an EXISTS here and for whoever
 *  tells what they say. */

/** The freezes of a repository that no one cleared. */
export const activeFreezes = (repo: Statement): Statement =>
  sql`repo_freeze f WHERE f.repo = ${repo} AND f.cleared_at IS NULL`;

/** The declared dependencies of a task that are unfinished. They never read the pause: a paused one blocks. */
export const unfinishedDependencies = (task: Statement): Statement =>
  sql`job_deps d JOIN tasks needed ON needed.id = d.depends_on_task_id
      WHERE d.task_id = ${task} AND ${unfinished("needed")}`;

/** The tasks that hold a lane and have a LOWER id than the task. Not "another" task: a batch of fresh ones would
 *  block each other for ever, and a rework entry job would block itself. */
export const tasksAhead = (policy: Policy, repo: Statement, task: Statement): Statement =>
  sql`tasks ahead
      WHERE ahead.repo = ${repo} AND ahead.id < ${task} AND ${holdsLane(policy, "ahead")}`;

const exists = (rows: Statement): Statement => sql`EXISTS (SELECT 1 FROM ${rows})`;

const dependent = (task: string, sight: Visibility): Statement => {
  // What cannot be read is not known to be finished.
  if (!sight.dependencies) return raw(`${task} IS NOT NULL`);
  if (!sight.stages) return raw(`EXISTS (SELECT 1 FROM job_deps d WHERE d.task_id = ${task})`);
  return exists(unfinishedDependencies(raw(task)));
};

interface Condition {
  readonly reason: Reason;
  /** True of a job that it holds. */
  readonly holds: Statement;
}

/** All that may hold an entry job (a row of `jobs` under that alias), the first reason first.
 *  What cannot be seen fails closed for the freeze and the dependency, open for the lane. */
export const conditions = (
  policy: Policy,
  sight: Visibility = EVERYTHING_READABLE,
  job = "j",
): readonly Condition[] => {
  const inScope = policy.repos
    ? sql`${raw(job)}.repo IN ${list(policy.repos)}`
    : raw(`${job}.repo IS NOT NULL`);
  const frozen = sight.freezes ? exists(activeFreezes(raw(`${job}.repo`))) : raw("1 = 1");
  const overshadowed = exists(tasksAhead(policy, raw(`${job}.repo`), raw(`${job}.task_id`)));
  const all: (Condition & { applies: boolean })[] = [
    { reason: "freeze", applies: policy.enabled && policy.freeze, holds: sql`${inScope} AND ${frozen}` },
    { reason: "dependency", applies: policy.dependencies, holds: dependent(`${job}.task_id`, sight) },
    {
      reason: "active-task",
      applies: policy.enabled && sight.lanes,
      holds: sql`${inScope} AND ${overshadowed}`,
    },
  ];
  return all.filter(({ applies }) => applies);
};

/** Why the job is held: 'freeze', 'dependency', 'active-task', or NULL when it may start. Jobs of other agents than
 *  the entry agent are never held. */
export const heldReason = (policy: Policy, sight: Visibility = EVERYTHING_READABLE, job = "j"): Statement => {
  const cases = conditions(policy, sight, job).reduce(
    (before, { reason, holds }) => sql`${before}
    WHEN ${holds} THEN ${raw(`'${reason}'`)}`,
    raw(""),
  );
  return sql`CASE
    WHEN ${raw(job)}.agent <> ${policy.entryAgent} THEN NULL${cases}
    END`;
};
