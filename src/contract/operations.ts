/** The operators' calls (pause, resume, freeze and unfreeze): the requests and the answers. */

import * as z from "zod";
import { Effect } from "./effect.ts";
import { Count, Id, RepoLookup, WorkItemLookup, instant, model, text, time, trial, why } from "./scalars.ts";

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

/** One work item, or all tasks of a repository. */
export const PauseQuery = z.strictObject({
  work_item: WorkItemLookup.optional(),
  repo: RepoLookup.optional(),
  ...trial,
});
export type PauseQuery = z.output<typeof PauseQuery>;

export const FreezeQuery = z.strictObject({ repo: RepoLookup, ...trial });
export type FreezeQuery = z.output<typeof FreezeQuery>;
export const UnfreezeQuery = z.strictObject({
  repo: RepoLookup,
  id: Id.optional().meta({ description: "Clear this freeze only." }),
  ...trial,
});
export type UnfreezeQuery = z.output<typeof UnfreezeQuery>;

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
    effect: Effect,
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
    effect: Effect,
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
  effect: Effect,
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
  effect: Effect,
});
export type Unfrozen = z.output<typeof Unfrozen>;
