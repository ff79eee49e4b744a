/** The answer of `GET /queue/explain`: a task's jobs, each with its blockers and the calls that remove them. */

import * as z from "zod";
import { Effect } from "./effect.ts";
import { Job } from "./jobs.ts";
import { Freeze } from "./operations.ts";
import { Count, Id, Reason, model, time } from "./scalars.ts";
import { Task } from "./tasks.ts";
import { JOB_STATUSES } from "./vocabulary.ts";

const Fix = model(
  "Fix",
  "A call that removes a blocker, and its effect.",
  z.strictObject({
    call: z.string().meta({ examples: ["POST /unfreeze?repo=acme%2Fapi&id=3"] }),
    command: z.string().meta({ examples: ["serial-gate unfreeze --id 3 acme/api"] }),
    effect: Effect.nullable().meta({ description: "Null if it could not be tried." }),
  }),
);
export type Fix = z.output<typeof Fix>;

const Blocker = model(
  "Blocker",
  "The blocker itself: a task with its open jobs, a freeze, or an unreadable part of the database.",
  z.strictObject({
    kind: z.enum(["task", "freeze", "unreadable"]),
    task: Task.nullable(),
    jobs: z.array(Job).meta({ description: "The blocking task's open and failed jobs." }),
    freeze: Freeze.nullable(),
  }),
);
export type Blocker = z.output<typeof Blocker>;

const Obstacle = model(
  "Obstacle",
  "One reason that holds a job, with its blocker.",
  z.strictObject({
    reason: Reason,
    since: time("When it began to hold the job.").nullable(),
    by: z.string().nullable().meta({ description: "The actor who caused it, if known." }),
    detail: z.string().meta({ examples: ["API-2 in acme/api is unfinished (analysis)"] }),
    blocker: Blocker,
    fix: z.array(Fix),
  }),
);
export type Obstacle = z.output<typeof Obstacle>;

const Estimate = model(
  "Estimate",
  "When the job may start, estimated from the durations of the repository's last finished tasks.",
  z.strictObject({
    p50: time("Median: with a probability of 50 % the job starts earlier.").nullable(),
    p90: time("With a probability of 90 % the job starts earlier.").nullable(),
    unavailable: z.string().nullable().meta({ description: "Why there is no estimate." }),
  }),
);
export type Estimate = z.output<typeof Estimate>;

const ExplainedJob = model(
  "ExplainedJob",
  "An open or failed job of the task.",
  z.strictObject({
    job_id: Id,
    agent: z.string(),
    status: z.enum(JOB_STATUSES),
    reason: Reason.nullable().meta({
      description: "The first reason, as in `GET /queue`; null if nothing holds the job.",
    }),
    position: Id.nullable().meta({
      description: "Its place among the lane's waiting jobs; null if it is not one of them.",
    }),
    estimate: Estimate,
    reasons: z
      .array(Obstacle)
      .meta({ description: "All reasons that hold the job, in the order of the rule." }),
  }),
);
export type ExplainedJob = z.output<typeof ExplainedJob>;

const RootCause = model(
  "RootCause",
  "A place at the end of the chain: what must move before the job can start.",
  z.strictObject({
    reason: z.string().meta({
      description:
        "A reason that holds the job of the task, or the task's state: running, delayed, queued, failed, paused, idle, cycle.",
    }),
    task_id: Id.meta({ description: "The task at the end of the chain." }),
    work_item_id: z.string().nullable(),
    repo: z.string(),
    detail: z.string().meta({
      examples: [
        'acme/api has been frozen since 2026-06-15 18:06 UTC by ann: "error rate 4.1 %" (after API-1)',
      ],
    }),
    since: time("When it began.").nullable(),
    by: z.string().nullable().meta({ description: "The actor who caused it, or the worker, if known." }),
    ended_by: z.enum(["call", "orchestrator", "worker", "clock", "program", "repair"]).meta({
      description:
        "`call`: an operator must call. `orchestrator`: its task needs a job or its end. `worker`: a worker has the job, or must claim it. `clock`: it ends by itself. `program`: another program runs the job without a lease. `repair`: the database cannot be read.",
    }),
  }),
);
export type RootCause = z.output<typeof RootCause>;

const WayOut = model(
  "WayOut",
  "The calls that end the root causes together, and their effect.",
  z.strictObject({
    calls: z.array(z.string()).meta({ examples: [["POST /unfreeze?repo=acme%2Fapi&id=3"]] }),
    commands: z.array(z.string()).meta({ examples: [["serial-gate unfreeze --id 3 acme/api"]] }),
    condition: z
      .string()
      .nullable()
      .meta({ description: "When to use it, such as `that program is gone`; null: nothing else ends it." }),
    effect: Effect.nullable().meta({
      description: "Of all the calls together. Null if they could not be tried.",
    }),
    then: z
      .string()
      .nullable()
      .meta({
        description: "The effect in a sentence.",
        examples: ["Then API-2 in acme/api can start; WEB-8 still waits for API-2 in acme/api (dependency)."],
      }),
  }),
);

const Root = model(
  "Root",
  "The root cause in words: the first lines of `serial-gate explain`.",
  z.strictObject({
    sentence: z.string().meta({ description: "All of it in one text." }),
    headline: z.string().meta({ examples: ["WEB-8 in acme/web waits for API-2 in acme/api (dependency)."] }),
    causes: z.array(RootCause).meta({ description: "All must end before the job can start." }),
    fix: WayOut.nullable().meta({
      description: "Null where no call of an operator is needed, or none helps.",
    }),
    also: z
      .array(z.string())
      .meta({ description: "Further tasks that it waits for, which move by themselves." }),
  }),
);
export type Root = z.output<typeof Root>;

export const Explanation = model(
  "Explanation",
  "Why a work item waits, down to the root cause.",
  z.strictObject({
    task: Task,
    root: Root,
    stuck: z.boolean().meta({
      description:
        "Nothing in the chain can move by itself. Of a lane, the first 10,000 tasks are looked at.",
    }),
    stuck_because: z.string().nullable().meta({ description: "The reason, and a way out." }),
    jobs: z
      .array(ExplainedJob)
      .meta({ description: "The first 50 open jobs of the task, and the last 50 that failed." }),
    unlisted_jobs: Count.optional().meta({
      description: "How many further open and failed jobs are left out; `GET /jobs` lists them.",
    }),
    chain: z
      .array(
        z.strictObject({
          work_item_id: z.string().nullable(),
          repo: z.string(),
          reason: z.string().meta({
            description:
              "A reason that holds its job, or the state of the task: running, delayed, queued, failed, paused, idle.",
          }),
          on: z.string().meta({
            description:
              "The blocker, such as `API-2` or `acme/api frozen since …`; or what the task's job does.",
          }),
        }),
      )
      .meta({ description: "From the work item to the root cause: each waits for the next." }),
    not_in_force: z
      .string()
      .nullable()
      .meta({
        description: "That the repository is frozen and the freeze holds nothing, and why.",
        examples: [
          "acme/web is frozen (freeze 3), but the freeze is not in force: SERIAL_GATE_ENABLED is false.",
        ],
      }),
    degraded: z.boolean(),
  }),
);
export type Explanation = z.output<typeof Explanation>;
