/** What `GET /queue/explain` answers. */

import * as z from "zod";
import { Effect } from "./effect.ts";
import { Job } from "./jobs.ts";
import { Freeze } from "./operations.ts";
import { Id, Reason, model, time } from "./scalars.ts";
import { Task } from "./tasks.ts";
import { JOB_STATUSES } from "./vocabulary.ts";

const Fix = model(
  "Fix",
  "A call that takes the obstacle away, and what would come of it.",
  z.strictObject({
    call: z.string().meta({ examples: ["POST /unfreeze?repo=acme%2Fapi&id=3"] }),
    command: z.string().meta({ examples: ["serial-gate unfreeze --id 3 acme/api"] }),
    effect: Effect.nullable().meta({ description: "Null where it could not be tried." }),
  }),
);
export type Fix = z.output<typeof Fix>;

const Blocker = model(
  "Blocker",
  "What holds a job: a task with its open jobs, a freeze, or the part of the database that cannot be read.",
  z.strictObject({
    kind: z.enum(["task", "freeze", "unreadable"]),
    task: Task.nullable(),
    jobs: z
      .array(Job)
      .meta({ description: "The jobs of the task that are not over, and those that failed." }),
    freeze: Freeze.nullable(),
  }),
);
export type Blocker = z.output<typeof Blocker>;

const Obstacle = model(
  "Obstacle",
  "One thing that holds a job.",
  z.strictObject({
    reason: Reason,
    since: time("Since when it holds the job.").nullable(),
    by: z.string().nullable().meta({ description: "Who brought it about, where that is known." }),
    detail: z.string().meta({ examples: ["API-2 in acme/api is unfinished (analysis)"] }),
    blocker: Blocker,
    fix: z.array(Fix),
  }),
);
export type Obstacle = z.output<typeof Obstacle>;

const Estimate = model(
  "Estimate",
  "When the job may start, from how long the tasks of the repository took that finished last.",
  z.strictObject({
    p50: time("One of two is earlier.").nullable(),
    p90: time("Nine of ten are earlier.").nullable(),
    unavailable: z.string().nullable().meta({ description: "Why there is none." }),
  }),
);
export type Estimate = z.output<typeof Estimate>;

const ExplainedJob = model(
  "ExplainedJob",
  "A job of the task that is not over, or failed.",
  z.strictObject({
    job_id: Id,
    agent: z.string(),
    status: z.enum(JOB_STATUSES),
    reason: Reason.nullable().meta({ description: "As in `GET /queue`; null when nothing holds it." }),
    position: Id.nullable().meta({
      description: "Its place among the lane's waiting jobs; null when it is not one of them.",
    }),
    estimate: Estimate,
    reasons: z.array(Obstacle).meta({ description: "All that holds it, the first reason first." }),
  }),
);
export type ExplainedJob = z.output<typeof ExplainedJob>;

export const Explanation = model(
  "Explanation",
  "Why a work item waits, down to what has to happen first.",
  z.strictObject({
    task: Task,
    stuck: z.boolean().meta({ description: "It waits for something that cannot happen by itself." }),
    stuck_because: z.string().nullable().meta({ description: "What that is, and the way out." }),
    jobs: z.array(ExplainedJob),
    chain: z
      .array(
        z.strictObject({
          work_item_id: z.string().nullable(),
          repo: z.string(),
          reason: z.string().meta({
            description:
              "A reason of the gate, or what the task does: running, delayed, queued, failed, paused, idle.",
          }),
          on: z.string().meta({ description: "What it waits for." }),
        }),
      )
      .meta({ description: "From the work item to the root: each waits for the next." }),
    degraded: z.boolean(),
  }),
);
export type Explanation = z.output<typeof Explanation>;
