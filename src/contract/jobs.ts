/** Jobs, claims and leases: the requests and the answers. */

import * as z from "zod";
import { Effect } from "./effect.ts";
import { ERROR_LENGTH, PROGRESS_LENGTH } from "./people-text.ts";
import {
  Agent,
  Count,
  Id,
  LeaseMs,
  LeaseToken,
  MaxAttempts,
  Payload,
  RepoLookup,
  Stage,
  WorkItemLookup,
  anyJson,
  Cursor,
  instant,
  lookup,
  milliseconds,
  model,
  text,
  time,
  tried,
  trial,
  why,
} from "./scalars.ts";
import { endedJobs, Task } from "./tasks.ts";
import { JOB_STATUSES } from "./vocabulary.ts";

export const Job = model(
  "Job",
  "One piece of a task's work, for one worker.",
  z.strictObject({
    id: Id,
    task_id: Id.nullable(),
    repo: z.string().nullable(),
    work_item_id: z.string().nullable(),
    agent: z.string(),
    status: z.enum(JOB_STATUSES),
    attempt: Count.meta({ description: "0 before the first claim, 1 after it." }),
    max_attempts: Count,
    payload: Payload,
    result: anyJson("The worker's result, any JSON."),
    error: z.string().nullable(),
    progress: z
      .string()
      .nullable()
      .meta({ description: "How far its worker is, in the worker's own words; null unless it runs." }),
    run_after: time("The job does not start before this time.").nullable(),
    lease: z
      .strictObject({
        worker: z.string().nullable(),
        expires_at: time("When the lease expires and the job returns to the queue."),
      })
      .nullable()
      .meta({ description: "The lease of the worker that runs the job; null if there is none." }),
    created_at: time("When the job was created.").nullable(),
    started_at: time("When the job was last claimed.").nullable(),
    finished_at: time("When the job ended.").nullable(),
  }),
);
export type Job = z.output<typeof Job>;

const Lease = model(
  "Lease",
  "The right to run a job until a time.",
  z.strictObject({
    token: z.string(),
    expires_at: time(
      "When the lease expires and the job returns to the queue, unless a heartbeat renews it.",
    ),
  }),
);
export type Lease = z.output<typeof Lease>;

export const ClaimedJob = model(
  "ClaimedJob",
  "A job that the caller has claimed.",
  z.strictObject({
    id: Id,
    task_id: Id.nullable(),
    repo: z.string().nullable(),
    work_item_id: z.string().nullable(),
    agent: z.string(),
    stage: z.string().nullable(),
    payload: Payload,
    attempt: Count,
    max_attempts: Count,
    lease: Lease,
    base: z.strictObject({
      stale: z.boolean().meta({
        description:
          "Other tasks of the repository finished while this one was paused, or ran beside it and finished: rebase before you use its branch.",
      }),
      overtaken_by: z
        .array(z.string())
        .meta({ description: "The work items of the latest 100 of those tasks." }),
    }),
    resumed: z
      .strictObject({
        answer: z.string(),
        by: z.string().nullable(),
        at: time("When the answer was given."),
      })
      .nullable()
      .meta({
        description:
          "A person's answer to the task, which waited for it. Every claim of the task repeats it until a job that was claimed with it completes.",
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
    payload: Payload.optional(),
    max_attempts: MaxAttempts.optional(),
    run_after: instant("The job does not start before this time.").optional(),
  }),
);
export type NewJob = z.output<typeof NewJob>;

export const JobQuery = z.strictObject({
  status: z
    .array(z.enum(JOB_STATUSES))
    .min(1)
    .max(JOB_STATUSES.length)
    .optional()
    .meta({ description: "Only jobs in one of these statuses." }),
  agent: lookup("Only jobs of this agent.").optional(),
  worker: lookup("Only running jobs that this worker has.").optional(),
  repo: RepoLookup.optional(),
  work_item: WorkItemLookup.optional(),
  limit: z.int().min(1).max(500).default(100),
  cursor: Cursor,
});
export type JobQuery = z.output<typeof JobQuery>;

export const ClaimRequest = model(
  "ClaimRequest",
  "The jobs to claim. An empty object claims one job of any agent, without waiting.",
  z.strictObject({
    worker: lookup("The worker's name, for people.").optional(),
    agents: z.array(Agent).min(1).max(100).optional(),
    repos: z.array(RepoLookup).min(1).max(1_000).optional(),
    max: z.int().min(1).max(100).default(1),
    wait_ms: milliseconds(0, 60_000, "How long to wait if no job is ready, in milliseconds.").default(0),
    lease_ms: LeaseMs.optional(),
  }),
);
export type ClaimRequest = z.output<typeof ClaimRequest>;

export const Heartbeat = model(
  "Heartbeat",
  "Renews a lease.",
  z.strictObject({
    lease_token: LeaseToken,
    lease_ms: LeaseMs.optional(),
    progress: text(
      "How far the worker is, for people; kept until the run ends or the next one.",
      PROGRESS_LENGTH,
    ).optional(),
  }),
);
export type Heartbeat = z.output<typeof Heartbeat>;

const WorkerPause = model(
  "WorkerPause",
  "The worker says that its task waits for a person: the task is paused, and its lane is free for others.",
  z.strictObject({
    reason: text("What the task waits for, for people."),
    until: instant("When the task resumes by itself.").optional(),
  }),
);

export const Completion = model(
  "Completion",
  "Completes a job, and optionally moves its task, enqueues its next jobs and claims.",
  z.strictObject({
    lease_token: LeaseToken,
    result: anyJson("The worker's result, any JSON.").optional(),
    stage: Stage.optional(),
    next: z
      .array(z.strictObject({ agent: Agent, payload: Payload.optional() }))
      .max(100)
      .optional(),
    pause: WorkerPause.optional(),
    claim: ClaimRequest.optional().meta({
      description:
        "Claims next in the same transaction: `jobs` in the answer. It does not wait, so `wait_ms` must be 0 or left out.",
    }),
  }),
);
export type Completion = z.output<typeof Completion>;

/** 30 days. */
const LONGEST_RETRY_MS = 2_592_000_000;

export const Failure = model(
  "Failure",
  "Reports that an attempt failed.",
  z.strictObject({
    lease_token: LeaseToken,
    error: text("The error, for people.", ERROR_LENGTH),
    retry: z.boolean().default(true),
    retry_after_ms: milliseconds(
      0,
      LONGEST_RETRY_MS,
      "How long to wait before the next attempt, in milliseconds, in place of the backoff.",
    ).optional(),
  }),
);
export type Failure = z.output<typeof Failure>;

export const Release = z.strictObject({
  lease_token: LeaseToken,
  run_after: instant("The job is delayed: it does not start before this time.").optional(),
  pause: WorkerPause.optional(),
});
export type Release = z.output<typeof Release>;

/** The outcome file of a command that `serial-gate work` runs: the members of a completion, and the delay of a job that the
 *  command defers. */
export const CommandOutcome = z.strictObject({
  ...Completion.pick({ result: true, stage: true, next: true, pause: true }).shape,
  run_after: Release.shape.run_after,
});
export type CommandOutcome = z.input<typeof CommandOutcome>;

export const JobPage = z.strictObject({
  jobs: z.array(Job),
  next_cursor: z.string().nullable().meta({
    description: "Null on the last page. A page that has one may hold fewer jobs than `limit`, even none.",
  }),
});
export type JobPage = z.output<typeof JobPage>;

export const ForcedRelease = z.strictObject({
  ...why,
  reason: text("The reason for taking the job from its worker, for people."),
});
export type ForcedRelease = z.output<typeof ForcedRelease>;

export const ReleaseQuery = z.strictObject({
  force: z
    .boolean()
    .optional()
    .meta({ description: "An operator takes the job from its worker: send `reason`, no `lease_token`." }),
  ...trial,
});
export type ReleaseQuery = z.output<typeof ReleaseQuery>;

/** The body of either release. The route requires the members of the one and refuses those of the other. A schema that said
 *  so, with `anyOf`, would be no type at all to most generators. */
export const ReleaseBody = model(
  "Release",
  "Returns a job to the queue without counting the attempt: by the lease's token, which is required then, or by force with a reason, which is required then.",
  z.strictObject({ ...ForcedRelease.shape, ...Release.shape }).partial(),
);
export type ReleaseBody = z.output<typeof ReleaseBody>;

export const OneJob = z.strictObject({ job: Job });
export const NewJobAnswer = z.strictObject({ job: Job, ...tried });
export const Claim = z.strictObject({
  jobs: z.array(ClaimedJob),
  degraded: z.boolean().meta({
    description: "A part of the database was unreadable, and the claim was decided without it.",
  }),
});
export type Claim = z.output<typeof Claim>;
export const OneLease = z.strictObject({ lease: Lease });
export const Completed = z.strictObject({
  job: Job,
  task: Task.nullable(),
  next: z.array(Job).meta({ description: "The jobs that were enqueued, as they were before the claim." }),
  ...endedJobs,
  jobs: z
    .array(ClaimedJob)
    .optional()
    .meta({ description: "The jobs that were claimed; only with `claim`." }),
  degraded: Claim.shape.degraded.optional(),
});
export type Completed = z.output<typeof Completed>;
export const ChangedJob = z.strictObject({ job: Job, effect: Effect, ...tried });
export type ChangedJob = z.output<typeof ChangedJob>;

export const TaskAndJob = z.strictObject({ task: Task, job: Job.nullable(), ...tried });
export const TaskWithJobs = z.strictObject({
  task: Task,
  jobs: z.array(Job).meta({ description: "The newest 500 at most, and at most 1 MiB of them." }),
  unlisted_jobs: Count.optional().meta({
    description: "How many older jobs are left out; `GET /jobs` lists them.",
  }),
});
