/** Tasks: the requests and the answers. */

import * as z from "zod";
import { Effect } from "./effect.ts";
import {
  Count,
  Cursor,
  Id,
  MaxAttempts,
  NewRepo,
  Payload,
  RepoLookup,
  Stage,
  WorkItemId,
  WorkItemLookup,
  lookup,
  model,
  text,
  time,
  tried,
  why,
} from "./scalars.ts";
import { JOB_STATUSES } from "./vocabulary.ts";

const Dependency = model(
  "Dependency",
  "A task that must finish first.",
  z.strictObject({
    task_id: Id,
    repo: z.string(),
    work_item_id: z.string().nullable(),
    stage: z.string(),
  }),
);

export const Task = model(
  "Task",
  "One piece of work on a repository.",
  z.strictObject({
    id: Id,
    repo: z.string(),
    work_item_id: z.string().nullable(),
    title: z.string().nullable(),
    stage: z.string(),
    depends_on: z.array(Dependency),
    paused_at: time("When the task was paused; null while it is not paused.").nullable(),
    paused_by: z.string().nullable(),
    pause_reason: z.string().nullable(),
    pause_until: time("When the task resumes by itself.").nullable(),
    cancelled_at: time("When the task was cancelled.").nullable(),
    created_at: time("When the task was created.").nullable(),
    updated_at: time("When the task last changed.").nullable(),
  }),
);
export type Task = z.output<typeof Task>;

const DependencyName = z.union([
  WorkItemLookup,
  z.strictObject({ repo: RepoLookup, work_item_id: WorkItemLookup }),
]);
export type DependencyName = z.output<typeof DependencyName>;

const DependencyNames = z
  .array(DependencyName)
  .max(1_000)
  .meta({ description: "Work items whose tasks must finish first, of this repository or of another." });

export const NewTask = model(
  "NewTask",
  "A task to create, by default with its entry job.",
  z.strictObject({
    repo: NewRepo,
    work_item_id: WorkItemId,
    title: text("A title, for people.").optional(),
    stage: Stage.default("analysis"),
    depends_on: DependencyNames.optional(),
    entry_job: z
      .union([
        z.boolean(),
        z.strictObject({
          payload: Payload.optional(),
          max_attempts: MaxAttempts.optional(),
        }),
      ])
      .optional()
      .meta({
        description: "Whether to enqueue the task's entry job. Default: true, unless `stage` is terminal.",
      }),
  }),
);
export type NewTask = z.output<typeof NewTask>;

export const StageChange = model(
  "StageChange",
  "The new stage, with the actor and reason.",
  z.strictObject({
    stage: Stage,
    cancel_jobs: z.boolean().optional().meta({
      description:
        "With `done`: cancel every queued and delayed job of the task, not only its entry jobs. `cancelled` always does.",
    }),
    ...why,
  }),
);
export type StageChange = z.output<typeof StageChange>;

export const TaskChange = model(
  "TaskChange",
  "The new stage, the new set of dependencies, or both, with the actor and reason.",
  z
    .strictObject({
      ...StageChange.shape,
      stage: Stage.optional(),
      depends_on: DependencyNames.optional(),
    })
    .meta({ minProperties: 1 }),
);
export type TaskChange = z.output<typeof TaskChange>;

export const TaskQuery = z.strictObject({
  repo: RepoLookup.optional(),
  stage: lookup("A stage.").optional(),
  paused: z.boolean().optional(),
  finished: z.boolean().optional(),
  work_item: WorkItemLookup.optional(),
  limit: z.int().min(1).max(500).default(100),
  cursor: Cursor,
});
export type TaskQuery = z.output<typeof TaskQuery>;

export const OneTask = z.strictObject({ task: Task });
export const TaskPage = z.strictObject({ tasks: z.array(Task), next_cursor: z.string().nullable() });
export type TaskPage = z.output<typeof TaskPage>;

const TaskJob = model(
  "TaskJob",
  "A job of a task that had not started when the task finished.",
  z.strictObject({ job_id: Id, agent: z.string(), status: z.enum(JOB_STATUSES) }),
);

/** The jobs of a task that had not started when it finished; both lists are empty while it goes on. */
export const endedJobs = {
  cancelled_jobs: z
    .array(TaskJob)
    .meta({ description: "Jobs that were cancelled because the task finished." }),
  left_jobs: z
    .array(TaskJob)
    .meta({ description: "Queued and delayed jobs that start although the task finished." }),
  unlisted_jobs: Count.optional().meta({
    description:
      "How many further jobs are left out, where a list has its first 1,000; `GET /jobs` lists them.",
  }),
};
export type EndedJobs = z.output<z.ZodObject<typeof endedJobs>>;

export const ChangedTask = z.strictObject({
  task: Task,
  effect: Effect,
  started: z.boolean().optional().meta({
    description:
      "With new dependencies: a job of the task has begun already, so that they hold no more than its queued entry jobs.",
  }),
  ...endedJobs,
  ...tried,
});
export type ChangedTask = z.output<typeof ChangedTask>;
