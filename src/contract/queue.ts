/** The whole state: what `GET /queue` answers. */

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
  "A queued entry job. Its reason is null when a claim would hand it out now.",
  z.strictObject({
    job_id: Id,
    task_id: Id.nullable(),
    work_item_id: z.string().nullable(),
    stage: z.string().nullable(),
    reason: Reason.nullable(),
    position: Id.meta({
      description: "Its place among the lane's waiting jobs, from 1, by the order of their tasks.",
    }),
  }),
);

const PausedTask = model(
  "PausedTask",
  "An unfinished task that does not hold its lane.",
  z.strictObject({
    task_id: Id,
    work_item_id: z.string().nullable(),
    stage: z.string(),
    paused_at: time("When the task was parked."),
    paused_by: z.string().nullable(),
    pause_reason: z.string().nullable(),
  }),
);

const StuckTask = model(
  "StuckTask",
  "A task that cannot go on by itself, and why.",
  z.strictObject({
    task_id: Id,
    work_item_id: z.string().nullable(),
    because: z.string().meta({ examples: ["its job 12 (developer) failed: tests are red"] }),
  }),
);

export const Lane = model(
  "Lane",
  "A repository's serial line.",
  z.strictObject({
    active_task: ActiveTask.nullable(),
    waiting: z.array(WaitingJob),
    paused: z.array(PausedTask),
    frozen: z.boolean(),
    frozen_reason: z.string().nullable(),
    frozen_at: time("When the newest freeze that no one cleared began.").nullable(),
    stuck: z.array(StuckTask).meta({
      description: "Tasks that nothing moves without a person. What waits behind them waits as long.",
    }),
  }),
);
export type Lane = z.output<typeof Lane>;

export const Queue = model(
  "Queue",
  "The whole state, on one instant of the database.",
  z.strictObject({
    revision: Count.meta({ description: "Moves with every change of what is shown." }),
    generated_at: time("When the answer was made."),
    degraded: z.boolean().meta({
      description: "A part of the gate could not be read: what is not known counts as frozen.",
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
      repos: z.string().meta({ description: "SERIAL_GATE_REPOS as it applies; empty for all." }),
      per_repo: z.record(z.string(), Lane),
    }),
  }),
);
export type Queue = z.output<typeof Queue>;

export const QueueQuery = z.strictObject({
  repo: z.array(RepoLookup).max(1_000).optional().meta({ description: "Only these repositories." }),
});
