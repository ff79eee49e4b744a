/** The answer of `GET /queue`: every lane with its active, waiting, paused and stuck tasks. */

import * as z from "zod";
import { Count, Id, Reason, RepoLookup, model, time } from "./scalars.ts";
import { JOB_STATUSES } from "./vocabulary.ts";

const ActiveTask = model(
  "ActiveTask",
  "The head of a lane: its oldest task that is unfinished and not paused.",
  z.strictObject({ task_id: Id, work_item_id: z.string().nullable(), stage: z.string() }),
);

export const WaitingJob = model(
  "WaitingJob",
  "A queued entry job. Its reason is null if a claim would hand it out now.",
  z.strictObject({
    job_id: Id,
    task_id: Id.nullable(),
    work_item_id: z.string().nullable(),
    stage: z.string().nullable(),
    reason: Reason.nullable(),
    position: Id.meta({
      description: "Its place among the lane's waiting jobs, from 1, in the order of their tasks.",
    }),
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

export const Lane = model(
  "Lane",
  "The lane of a repository: its tasks run one at a time.",
  z.strictObject({
    active_task: ActiveTask.nullable(),
    waiting: z.array(WaitingJob),
    paused: z.array(PausedTask),
    frozen: z.boolean(),
    frozen_reason: z.string().nullable(),
    frozen_at: time("When the newest active freeze began.").nullable(),
    stuck: z.array(StuckTask).meta({
      description: "Tasks that cannot proceed without a person. Tasks behind them wait as long.",
    }),
  }),
);
export type Lane = z.output<typeof Lane>;

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
      repos: z.string().meta({ description: "SERIAL_GATE_REPOS as applied; empty for all repositories." }),
      per_repo: z.record(z.string(), Lane),
    }),
  }),
);
export type Queue = z.output<typeof Queue>;

export const QueueQuery = z.strictObject({
  repo: z.array(RepoLookup).max(1_000).optional().meta({ description: "Only these repositories." }),
});
