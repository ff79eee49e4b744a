/** The operators' calls (pause, resume, freeze and unfreeze): the requests and the answers. */

import * as z from "zod";
import { Effect } from "./effect.ts";
import {
  Count,
  Id,
  NewRepo,
  RepoLookup,
  TaskIdLookup,
  WorkItemLookup,
  instant,
  model,
  text,
  time,
  trial,
  tried,
  why,
} from "./scalars.ts";

export const PauseNote = model(
  "PauseNote",
  "The actor and reason of a pause, and its end.",
  z.strictObject({ ...why, until: instant("When the task resumes by itself.").optional() }),
);
export type PauseNote = z.output<typeof PauseNote>;

export const ResumeNote = model(
  "ResumeNote",
  "The actor and reason of a resume, and the answer that the task waited for.",
  z.strictObject({
    ...why,
    answer: text(
      "A person's answer. Every claim of the task hands it out as `resumed`, until a job that was claimed with it completes.",
    ).optional(),
  }),
);
export type ResumeNote = z.output<typeof ResumeNote>;

export const FreezeNote = model(
  "FreezeNote",
  "The actor and reason of a freeze.",
  z.strictObject({
    ...why,
    work_item_id: WorkItemLookup.optional().meta({ description: "The work item whose deploy caused it." }),
  }),
);
export type FreezeNote = z.output<typeof FreezeNote>;

/** One task, by work item or id, or all tasks of a repository. */
export const PauseQuery = z.strictObject({
  work_item: WorkItemLookup.optional(),
  repo: RepoLookup.optional(),
  task_id: TaskIdLookup.optional(),
  all: z.boolean().optional().meta({ description: "With `repo` alone: all of its tasks." }),
  ...trial,
});
export type PauseQuery = z.output<typeof PauseQuery>;

export const FreezeQuery = z.strictObject({ repo: NewRepo, ...trial });
export type FreezeQuery = z.output<typeof FreezeQuery>;
export const UnfreezeQuery = z.strictObject({
  repo: RepoLookup,
  id: Id.optional().meta({ description: "Clear this freeze only." }),
  ...trial,
});
export type UnfreezeQuery = z.output<typeof UnfreezeQuery>;

/** Whether the gate acts on it at all. */
const force = {
  in_force: z.boolean().meta({
    description:
      "False while the gate is switched off or its scope leaves the repository out: it is recorded and holds nothing.",
  }),
  not_in_force_because: z
    .string()
    .nullable()
    .meta({ examples: ["SERIAL_GATE_REPOS does not include acme/web"] }),
};

/** Whether anything has the repository. */
const familiarity = {
  known: z.boolean().meta({ description: "A task, a job or a configured project has the repository." }),
  near: z.array(z.string()).meta({ description: "Known repositories whose names are near an unknown one." }),
};

const paused_at = time("When the task was paused.").nullable();

export const PauseState = model(
  "PauseState",
  "The state of a task's pause.",
  z.strictObject({
    work_item_id: z.string().nullable(),
    repo: z.string(),
    stage: z.string(),
    paused: z.boolean(),
    paused_at,
    changed: z.boolean().meta({ description: "False if the task already was in this state." }),
    task_id: Id,
    still_claimable: z.boolean().meta({
      description: "Paused, and a queued entry job of it can still be claimed: lanes are not strict.",
    }),
    ...force,
    effect: Effect,
    ...tried,
  }),
);
export type PauseState = z.output<typeof PauseState>;

export const LanePauseState = model(
  "LanePauseState",
  "The result of pausing or resuming all tasks of a repository.",
  z.strictObject({
    repo: z.string(),
    paused: z.boolean(),
    changed: Count.meta({ description: "Number of tasks that were paused or resumed." }),
    tasks: z.array(
      z.strictObject({
        task_id: Id,
        work_item_id: z.string().nullable(),
        stage: z.string(),
        paused_at,
      }),
    ),
    cut: z.boolean().optional().meta({
      description:
        "True for a long repository: `tasks` and `effect` list the first 1,000 only, and `changed` counts all.",
    }),
    ...force,
    ...familiarity,
    effect: Effect,
    ...tried,
  }),
);
export type LanePauseState = z.output<typeof LanePauseState>;

export const PauseAnswer = z.union([PauseState, LanePauseState]);

export const FreezeState = z.strictObject({
  repo: z.string(),
  frozen: z.boolean(),
  frozen_at: time("When the freeze began."),
  frozen_reason: z.string().nullable(),
  freeze_id: Id,
  ...force,
  ...familiarity,
  effect: Effect,
  ...tried,
});
export type FreezeState = z.output<typeof FreezeState>;

export const Freeze = model(
  "Freeze",
  "A freeze of a repository.",
  z.strictObject({
    freeze_id: Id,
    repo: z.string(),
    frozen_at: time("When the freeze began.").nullable(),
    frozen_by: z.string().nullable(),
    reason: z.string().nullable(),
    work_item_id: z.string().nullable().meta({ description: "The work item whose deploy caused it." }),
  }),
);
export type Freeze = z.output<typeof Freeze>;

export const Unfrozen = z.strictObject({
  repo: z.string(),
  frozen: z.boolean().meta({ description: "True if another freeze remains." }),
  cleared: Count.meta({ description: "Number of freezes that were cleared." }),
  freezes: z.array(Freeze).meta({ description: "The freezes that were cleared." }),
  ...familiarity,
  effect: Effect,
  ...tried,
});
export type Unfrozen = z.output<typeof Unfrozen>;
