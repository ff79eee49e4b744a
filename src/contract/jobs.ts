/** Jobs, claims and leases, as callers send them and as the service answers. */

import * as z from "zod";
import { Effect } from "./effect.ts";
import {
  Agent,
  Count,
  Id,
  LeaseMs,
  LeaseToken,
  MaxAttempts,
  RepoLookup,
  Stage,
  WorkItemLookup,
  anyJson,
  instant,
  lookup,
  milliseconds,
  model,
  text,
  time,
} from "./scalars.ts";
import { Task } from "./tasks.ts";
import { JOB_STATUSES } from "./vocabulary.ts";

export const Job = model(
  "Job",
  "One thing for one worker to do for a task.",
  z.strictObject({
    id: Id,
    task_id: Id.nullable(),
    repo: z.string().nullable(),
    work_item_id: z.string().nullable(),
    agent: z.string(),
    status: z.enum(JOB_STATUSES),
    attempt: Count.meta({ description: "0 before the first claim, 1 on it." }),
    max_attempts: Count,
    payload: anyJson("What the worker is to do."),
    result: anyJson("What the worker did."),
    error: z.string().nullable(),
    run_after: time("Not to be started before this.").nullable(),
    lease: z
      .strictObject({
        worker: z.string().nullable(),
        expires_at: time("When the job is given back."),
      })
      .nullable()
      .meta({ description: "Who runs the job; null for a job that holds no lease." }),
    created_at: time("When the job was made.").nullable(),
    started_at: time("When the job was last claimed.").nullable(),
    finished_at: time("When the job ended.").nullable(),
  }),
);
export type Job = z.output<typeof Job>;

const Lease = model(
  "Lease",
  "The right to run a job until it expires.",
  z.strictObject({
    token: z.string(),
    expires_at: time("When the job is given back unless a heartbeat comes."),
  }),
);
export type Lease = z.output<typeof Lease>;

export const ClaimedJob = model(
  "ClaimedJob",
  "A job that is now the caller's, until its lease expires.",
  z.strictObject({
    id: Id,
    task_id: Id.nullable(),
    repo: z.string().nullable(),
    work_item_id: z.string().nullable(),
    agent: z.string(),
    stage: z.string().nullable(),
    payload: anyJson("What the worker is to do."),
    attempt: Count,
    max_attempts: Count,
    lease: Lease,
    base: z.strictObject({
      stale: z.boolean().meta({
        description: "Other tasks finished while this one was paused: rebase before trusting its branch.",
      }),
      overtaken_by: z.array(z.string()).meta({ description: "The work items that finished." }),
    }),
  }),
);
export type ClaimedJob = z.output<typeof ClaimedJob>;

export const NewJob = model(
  "NewJob",
  "A job to enqueue for a task.",
  z.strictObject({
    repo: RepoLookup,
    work_item_id: WorkItemLookup,
    agent: Agent,
    payload: anyJson("What the worker is to do.").optional(),
    max_attempts: MaxAttempts.optional(),
    run_after: instant("Not to be started before this.").optional(),
  }),
);
export type NewJob = z.output<typeof NewJob>;

export const ClaimRequest = model(
  "ClaimRequest",
  "Which jobs the caller takes. Empty for one job of any kind, now.",
  z.strictObject({
    worker: lookup("Who claims, for people to read.").optional(),
    agents: z.array(Agent).min(1).max(100).optional(),
    repos: z.array(RepoLookup).min(1).max(1_000).optional(),
    max: z.int().min(1).max(100).default(1),
    wait_ms: milliseconds(0, 60_000, "How long to wait for a job, in milliseconds.").default(0),
    lease_ms: LeaseMs.optional(),
  }),
);
export type ClaimRequest = z.output<typeof ClaimRequest>;

export const Heartbeat = model(
  "Heartbeat",
  "Keeps a lease.",
  z.strictObject({ lease_token: LeaseToken, lease_ms: LeaseMs.optional() }),
);
export type Heartbeat = z.output<typeof Heartbeat>;

export const Completion = model(
  "Completion",
  "The job is done; the task moves on.",
  z.strictObject({
    lease_token: LeaseToken,
    result: anyJson("What the worker did.").optional(),
    stage: Stage.optional(),
    next: z
      .array(z.strictObject({ agent: Agent, payload: anyJson("What the worker is to do.").optional() }))
      .max(100)
      .optional(),
  }),
);
export type Completion = z.output<typeof Completion>;

export const Failure = model(
  "Failure",
  "The job went wrong.",
  z.strictObject({
    lease_token: LeaseToken,
    error: text("What went wrong."),
    retry: z.boolean().default(true),
  }),
);
export type Failure = z.output<typeof Failure>;

export const Release = model(
  "Release",
  "Gives a job back untouched.",
  z.strictObject({ lease_token: LeaseToken }),
);
export type Release = z.output<typeof Release>;
export const OneJob = z.strictObject({ job: Job });
export const Claim = z.strictObject({
  jobs: z.array(ClaimedJob),
  degraded: z.boolean().meta({
    description: "A part of the gate could not be read, and this claim did not wait for it.",
  }),
});
export type Claim = z.output<typeof Claim>;
export const OneLease = z.strictObject({ lease: Lease });
export const Completed = z.strictObject({ job: Job, task: Task.nullable(), next: z.array(Job) });
export type Completed = z.output<typeof Completed>;
export const ChangedJob = z.strictObject({ job: Job, effect: Effect });
export type ChangedJob = z.output<typeof ChangedJob>;

export const TaskAndJob = z.strictObject({ task: Task, job: Job.nullable() });
export const TaskWithJobs = z.strictObject({ task: Task, jobs: z.array(Job) });
