/** The building blocks of the contract's shapes: names, ids, times and texts, each with its limits. */

import * as z from "zod";
import { PEOPLE_TEXT_LENGTH } from "./people-text.ts";
import { REASONS } from "./vocabulary.ts";

const NAME_LENGTH = 200;

export const model = <T extends z.ZodType>(id: string, description: string, shape: T): T =>
  shape.meta({ id, description });

/** A name to look up. Other programs may have created it, so its form is not restricted beyond control characters. */
export const lookup = (description: string) =>
  z
    .string()
    .min(1)
    .max(NAME_LENGTH)
    .regex(/^[^\p{Cc}\p{Cs}]+$/u)
    .meta({ description });
/** Text that only people read: any is taken, and made storable by people-text.ts. */
export const text = (description: string, length = PEOPLE_TEXT_LENGTH) =>
  z.string().meta({
    description: `${description} Cut at ${length.toLocaleString("en")} characters; U+FFFD stands for NUL and for half of a surrogate pair.`,
  });
export const time = (description: string) =>
  z.string().meta({ format: "date-time", description, examples: ["2026-06-15T18:06:00.000Z"] });
export const instant = (description: string) => z.iso.datetime({ offset: true }).meta({ description });
export const anyJson = (description: string) => z.unknown().meta({ description });
export const Payload = anyJson("Input for the worker, any JSON.");
export const milliseconds = (least: number, most: number, description: string) =>
  z.int().min(least).max(most).meta({ description });

export const Id = z.int().min(1);
export const Count = z.int().min(0);
export const Cursor = z
  .string()
  .regex(/^\d{1,16}$/)
  .optional()
  .meta({ description: "`next_cursor` of the previous page." });
/** No id has an invisible character: two ids that look the same are one task. Adopted rows may, and stay readable. */
export const WorkItemId = z
  .string()
  .max(NAME_LENGTH)
  .regex(/^(?!-)(?!\p{Z})[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]+(?<!\p{Z})$/u)
  .meta({
    description:
      "A work item id, such as ORCH-124: visible characters, and spaces between them; no dash at the beginning.",
    examples: ["WEB-8"],
  });
export const Agent = z
  .string()
  .max(NAME_LENGTH)
  .regex(/^[A-Za-z0-9._:-]+$/)
  .meta({
    description: "A kind of worker, such as analyst: letters, digits, `.`, `_`, `:` and `-`.",
    examples: ["analyst"],
  });
export const Stage = z
  .string()
  .max(64)
  .regex(/^[a-z0-9][a-z0-9._-]*$/)
  .meta({
    description:
      "A stage, such as development: lower-case letters, digits, `.`, `_` and `-`. A task in `done` or `cancelled` is finished.",
    examples: ["development"],
  });
export const LeaseMs = milliseconds(1_000, 86_400_000, "Duration of the lease, in milliseconds.");
export const MaxAttempts = z
  .int()
  .min(1)
  .max(1_000)
  .meta({ description: "Number of attempts before the job fails for good." });
export const LeaseToken = lookup("The lease token from the claim.");
export const RepoLookup = lookup("A repository name, such as owner/name.");
/** The repository of something to create. Its form depends on the known names: gate/commands/lookup/repo.ts. */
export const NewRepo = lookup(
  "A repository name: letters, digits, `.`, `_`, `~`, `+` and `-`, in parts joined by `/`, with no dash at the beginning and no `.git` at the end. A repository that is known is taken as it is spelled; a name that differs from it only by case, spaces, slashes or `.git` is refused.",
);
export const WorkItemLookup = lookup("A work item id, such as ORCH-124.");

export const Reason = model("Reason", "The reason that holds a queued entry job.", z.enum(REASONS));
export type Reason = z.output<typeof Reason>;

export const why = {
  reason: text("The reason, for people.").optional(),
  by: lookup("The actor's name. With tokens it is the token's name, and may be left out.").optional(),
};

export const Note = model("Note", "The actor and reason of a change.", z.strictObject(why));
export type Note = z.output<typeof Note>;

export const WorkItemQuery = z.strictObject({ work_item: WorkItemLookup, repo: RepoLookup.optional() });
export type WorkItemQuery = z.output<typeof WorkItemQuery>;

/** One task: by its work item, or by its id. */
export type TaskSelector = WorkItemQuery | { readonly task_id: number };

export const TaskIdLookup = Id.meta({ description: "A task id, in the place of `work_item` and `repo`." });

/** A query that names one task; `selectorOf` in the gate reads it. */
export const OneTaskQuery = z.strictObject({
  work_item: WorkItemLookup.optional(),
  repo: RepoLookup.optional(),
  task_id: TaskIdLookup.optional(),
});
export type OneTaskQuery = z.output<typeof OneTaskQuery>;

export const trial = {
  dry_run: z.boolean().optional().meta({ description: "Answer with the effect, and change nothing." }),
};
export const TrialQuery = z.strictObject(trial);
/** Part of the answer of every call that takes `dry_run`. */
export const tried = {
  dry_run: z.literal(true).optional().meta({
    description: "Present in a dry run: nothing was changed, and ids of new rows are provisional.",
  }),
};
export const IdParams = z.strictObject({ id: Id });
