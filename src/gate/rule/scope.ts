/** The jobs that the gate stands in front of: entry jobs, of the repositories in its scope. */

import { list, raw, sql, type Statement } from "../../store/sql.ts";
import type { Policy } from "./policy.ts";

/** True for a job of the entry agent. Jobs of other agents flow freely, or no task could advance. */
export const isEntryJob = ({ entryAgent }: Policy, job: string): Statement =>
  sql`${raw(job)}.agent = ${entryAgent}`;

/** True for a job whose repository has lanes and freezes under this policy. */
export const isInScope = ({ repos }: Policy, job: string): Statement =>
  repos ? sql`${raw(job)}.repo IN ${list(repos)}` : raw(`${job}.repo IS NOT NULL`);

/** The same for a repository that is known outside of the database. */
export const hasLane = ({ enabled, repos }: Policy, repo: string): boolean =>
  enabled && (repos?.includes(repo) ?? true);
