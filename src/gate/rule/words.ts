/** Clauses about tasks, jobs and freezes for people: the explanation and the stuck list say the same words. No clause ends
 *  with a full stop. */

import type { Freeze } from "../../contract/operations.ts";
import type { Job } from "../../contract/jobs.ts";
import { labelOf } from "../../contract/names/label.ts";
import { lengthOf } from "../../contract/people-text.ts";
import type { Task } from "../../contract/tasks.ts";

/** Characters of other programs' or people's text in a sentence. */
const TEXT_SHOWN = 200;

/** A task that the caller may not know. */
export const ANOTHERS_TASK = "a task of another repository";

/** Other people's text on one line, cut. */
export const shortText = (text: string): string => {
  const characters = Array.from(text.replace(/\s+/g, " ").trim());
  return characters.length > TEXT_SHOWN
    ? `${characters.slice(0, TEXT_SHOWN - 1).join("")}…`
    : characters.join("");
};

/** `2026-06-15 18:06 UTC`; text of another program that is no time stays as it is. */
export const minute = (iso: string): string =>
  /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}.*Z$/.test(iso) ? `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC` : iso;

const part = (before: string, value: string | null): string => (value === null ? "" : `${before}${value}`);

const since = (time: string | null): string => part(" since ", time === null ? null : minute(time));

const because = (reason: string | null): string =>
  part(": ", reason === null || reason.trim() === "" ? null : `"${shortText(reason)}"`);

const frozenAs = ({ frozen_at, frozen_by, reason, work_item_id }: Freeze): string =>
  `${since(frozen_at)}${part(" by ", frozen_by)}${because(reason)}${work_item_id === null ? "" : ` (after ${work_item_id})`}`;

/** `acme/api has been frozen since 2026-06-15 18:06 UTC by ann: "error rate 4.1 %" (after API-1)` */
export const freezeClause = (freeze: Freeze): string =>
  `${freeze.repo} ${freeze.frozen_at === null ? "is" : "has been"} frozen${frozenAs(freeze)}`;

/** The same as a noun, behind "on". */
export const freezeNoun = (freeze: Freeze): string => `${freeze.repo} frozen${frozenAs(freeze)}`;

const pausedAs = ({ paused_at, paused_by, pause_until, pause_reason }: Task): string =>
  `${since(paused_at)}${part(" by ", paused_by)}${part(", until ", pause_until === null ? null : minute(pause_until))}${because(pause_reason)}`;

export const pauseClause = (task: Task): string => `${labelOf(task)} has been paused${pausedAs(task)}`;

export const pauseNoun = (task: Task): string => `its pause${pausedAs(task)}`;

/** True for a job that another program runs: it has no lease, so that the service never takes it back. */
export const runsWithoutLease = ({ status, lease }: Job): boolean => status === "running" && lease === null;

const WITHOUT_LEASE = "started by another program, no lease: the service will not give it back";

const errorOf = ({ error }: Job): string => (error === null ? "" : `: ${shortText(error)}`);

const later = (a: string | null, b: string | null): string | null => (a === null || (b ?? "") > a ? b : a);

/** How long no worker has claimed a job. A job that started before waits for its next run. */
const unclaimed = (job: Job, at: number): string => {
  if (job.started_at !== null) return " again";
  const from = Date.parse(later(job.created_at, job.run_after) ?? "");
  return Number.isNaN(from) || at - from < 1_000 ? "" : ` for ${lengthOf(at - from)}`;
};

/** A job's state, as it is now: an error is told only while it is the last thing that happened to it.
 *  @param name `job 4 (analyst)` by default
 *  @param at now, in milliseconds since 1970 UTC */
export const jobClause = (job: Job, at: number, name = `job ${job.id} (${job.agent})`): string => {
  switch (job.status) {
    case "running":
      return runsWithoutLease(job)
        ? `${name} has been running${since(job.started_at)}: ${WITHOUT_LEASE}`
        : `${name} has been running on ${job.lease?.worker ?? "an unnamed worker"}${since(job.started_at)}`;
    case "delayed":
      return job.error === null
        ? `${name} is delayed until ${job.run_after === null ? "an unknown time" : minute(job.run_after)}`
        : `${name} failed and will be retried at ${job.run_after === null ? "an unknown time" : minute(job.run_after)}${errorOf(job)}`;
    case "queued":
      return `${name} can start; no worker has claimed it${unclaimed(job, at)}`;
    case "failed":
      return `${name} failed and will not be retried automatically${errorOf(job)}`;
    default:
      return `${name} is ${job.status}`;
  }
};

/** `WEB-7 can start; no worker has claimed its job 4 (analyst) for 163 d` */
export const readyClause = (task: Task, job: Job, at: number): string =>
  `${labelOf(task)} can start; no worker has claimed its job ${job.id} (${job.agent})${unclaimed(job, at)}`;

export const NO_JOB = "has no job: the orchestrator must add one or finish the task";

/** `A, B and C` */
export const listOf = (names: readonly string[]): string =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1) ?? ""}`;
