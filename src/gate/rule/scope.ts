/** The jobs that the gate stands in front of: entry jobs, of the repositories in its scope. */

import { list, raw, sql, type Statement } from "../../store/sql.ts";
import type { Policy } from "./policy.ts";

/** True for a job of the entry agent. Jobs of other agents flow freely, or no task could advance. */
export const isEntryJob = ({ entryAgent }: Policy, job: string): Statement =>
  sql`${raw(job)}.agent = ${entryAgent}`;

/** True for a job whose repository has lanes and freezes under this policy. */
export const isInScope = ({ repos }: Policy, job: string): Statement =>
  repos ? sql`${raw(job)}.repo IN ${list(repos)}` : raw(`${job}.repo IS NOT NULL`);

/** Why freezes and lanes hold nothing of a repository; null where they do. */
export const notInForceBecause = ({ enabled, repos }: Policy, repo: string): string | null => {
  if (!enabled) return "SERIAL_GATE_ENABLED is false";
  return repos?.includes(repo) === false ? `SERIAL_GATE_REPOS does not include ${repo}` : null;
};

/** The same as two members of an answer. */
export const forceOf = (
  policy: Policy,
  repo: string,
): { readonly in_force: boolean; readonly not_in_force_because: string | null } => {
  const because = notInForceBecause(policy, repo);
  return { in_force: because === null, not_in_force_because: because };
};

/** True for a repository that has lanes and freezes. */
export const hasLane = (policy: Policy, repo: string): boolean => notInForceBecause(policy, repo) === null;
