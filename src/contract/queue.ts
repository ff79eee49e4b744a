/** The answer of `GET /queue`: every lane with its active, waiting, paused and stuck tasks. */

import * as z from "zod";
import { Count, Id, Reason, RepoLookup, model, time } from "./scalars.ts";
import { FURTHEST_FIRST, JOB_STATUSES } from "./vocabulary.ts";

const worker = z.string().nullable().meta({
  description: "The name that the worker gave; null if it gave none, or if another program runs the job.",
});

const ActiveJob = model(
  "ActiveJob",
  "The job of the active task that is furthest on: a running one, else a ready one, a held one, a delayed one, or its last one if that failed.",
  z.strictObject({
    job_id: Id,
    agent: z.string(),
    status: z.enum(FURTHEST_FIRST),
    attempt: Count,
    max_attempts: Count,
    worker,
    since: time(
      "A running job: its claim. A failed one: its failure. Any other: the latest of its creation, its last claim and the end of its delay.",
    ).nullable(),
    run_after: time("A delayed job: when it is queued again.").nullable(),
    progress: z.string().nullable().meta({ description: "A running job: its worker's last report." }),
    error: z.string().nullable().meta({
      description:
        "Of a failed job, or of a job that is delayed because it failed. Null for a job that was queued again.",
    }),
  }),
);

const ActiveTask = model(
  "ActiveTask",
  "The task that has the lane. In strict lanes the holder; without a holder, and in other lanes, the head: the oldest task that is unfinished and not paused.",
  z.strictObject({
    task_id: Id,
    work_item_id: z.string().nullable(),
    stage: z.string(),
    since: time("When its first job started; null if none has.").nullable(),
    job: ActiveJob.nullable().meta({
      description: "Null if the task has no job that is unfinished, and its last one did not fail.",
    }),
  }),
);

const RunningJob = model(
  "RunningJob",
  "A job that a worker has, or that another program runs without a lease.",
  z.strictObject({
    task_id: Id.nullable(),
    work_item_id: z.string().nullable(),
    job_id: Id,
    agent: z.string(),
    worker,
    since: time("When it was claimed.").nullable(),
    lease_expires_at: time(
      "When the lease expires, as of this answer: a heartbeat extends it and does not move the revision. Null for a job without a lease.",
    ).nullable(),
  }),
);

const ActiveFreeze = model(
  "ActiveFreeze",
  "A freeze that nobody has cleared.",
  z.strictObject({
    freeze_id: Id,
    frozen_at: time("When the freeze began.").nullable(),
    reason: z.string().nullable(),
    by: z.string().nullable(),
    work_item_id: z.string().nullable().meta({ description: "The work item whose deploy caused it." }),
  }),
);
export type ActiveFreeze = z.output<typeof ActiveFreeze>;

export const WaitingJob = model(
  "WaitingJob",
  "A queued entry job, or another queued job that is held. Its reason is null if a claim would hand it out now.",
  z.strictObject({
    job_id: Id,
    task_id: Id.nullable(),
    work_item_id: z.string().nullable(),
    stage: z.string().nullable(),
    agent: z.string(),
    reason: Reason.nullable(),
    position: Id.meta({
      description: "Its place among the lane's waiting jobs, from 1, in the order of their tasks.",
    }),
    since: time("When the job was created.").nullable(),
  }),
);

const PausedTask = model(
  "PausedTask",
  "A paused task: later tasks may overtake it.",
  z.strictObject({
    task_id: Id,
    work_item_id: z.string().nullable(),
    stage: z.string(),
    paused_at: time("When the task was paused."),
    paused_by: z.string().nullable(),
    pause_reason: z.string().nullable(),
  }),
);

const StuckTask = model(
  "StuckTask",
  "A task that cannot proceed without a person, and why.",
  z.strictObject({
    task_id: Id,
    work_item_id: z.string().nullable(),
    because: z.string().meta({ examples: ["its job 12 (developer) failed: tests are red"] }),
  }),
);

const Unlisted = model(
  "Unlisted",
  "How many entries a long list leaves out. `GET /jobs` and `GET /tasks` list all, in pages.",
  z.strictObject({
    waiting: Count.optional().meta({ description: "Queued jobs behind those that are listed." }),
    paused: Count.optional().meta({ description: "Paused tasks behind those that are listed." }),
    freezes: Count.optional().meta({ description: "Active freezes before those that are listed." }),
  }),
);

export const Lane = model(
  "Lane",
  "The lane of a repository: its tasks run one at a time.",
  z.strictObject({
    active_task: ActiveTask.nullable(),
    running: z.array(RunningJob).meta({
      description: "The running jobs of the repository by job id, of any of its tasks.",
    }),
    waiting: z
      .array(WaitingJob)
      .meta({ description: "At most 10,000, in the order of the lane; then by job id." }),
    paused: z.array(PausedTask).meta({ description: "At most 10,000, by task id." }),
    freezes: z.array(ActiveFreeze).meta({
      description:
        "The newest 20 active freezes, oldest first; also those that do nothing because the gate, the freeze or the repository is out of the switches' scope.",
    }),
    unlisted: Unlisted.optional().meta({ description: "Left out while every list is whole." }),
    frozen: z.boolean(),
    frozen_reason: z.string().nullable(),
    frozen_at: time("When the newest active freeze began.").nullable(),
    stuck: z.array(StuckTask).meta({
      description: "Tasks that cannot proceed without a person, by task id. Tasks behind them wait as long.",
    }),
  }),
);
export type Lane = z.output<typeof Lane>;
export type ActiveTask = z.output<typeof ActiveTask>;
export type ActiveJob = z.output<typeof ActiveJob>;
export type RunningJob = z.output<typeof RunningJob>;

export const Queue = model(
  "Queue",
  "The whole state, as one consistent snapshot.",
  z.strictObject({
    revision: Count.meta({ description: "Changes with every change of the shown state." }),
    generated_at: time("Time of the snapshot."),
    degraded: z.boolean().meta({
      description:
        "A part of the database was unreadable: a repository with an unknown freeze state counts as frozen.",
    }),
    jobs: z.strictObject(
      Object.fromEntries(JOB_STATUSES.map((status) => [status, Count])) as Record<
        (typeof JOB_STATUSES)[number],
        z.ZodInt
      >,
    ),
    serial_gate: z.strictObject({
      enabled: z.boolean(),
      freeze_enabled: z.boolean(),
      pause_enabled: z.boolean(),
      strict_lanes: z.boolean().meta({
        description:
          "Strict lanes as applied: SERIAL_GATE_STRICT_LANES, or else true for a database that serial-gate made and false for an adopted one.",
      }),
      repos: z.string().meta({ description: "SERIAL_GATE_REPOS as applied; empty for all repositories." }),
      per_repo: z.record(z.string(), Lane),
    }),
  }),
);
export type Queue = z.output<typeof Queue>;

export const QueueQuery = z.strictObject({
  repo: z.array(RepoLookup).max(1_000).optional().meta({ description: "Only these repositories." }),
});
