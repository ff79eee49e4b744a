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

/** Segments of letters, digits, dots, dashes and underscores, joined by slashes. Two spellings of one repository would be
 *  two lanes, so spaces and other look-alikes are refused when a name is created. */
export const REPO_NAME = /^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/;

export const Id = z.int().min(1);
export const Count = z.int().min(0);
/** A name to create: none that a shell would take for an option. Names already in the database are looked up as they
 *  are. */
export const RepoName = z
  .string()
  .max(NAME_LENGTH)
  .regex(/^[A-Za-z0-9._][A-Za-z0-9._-]*(\/[A-Za-z0-9._-]+)*$/)
  .meta({
    description:
      "A repository name, such as owner/name: letters, digits, `.`, `_` and `-`, in segments joined by `/`, and no dash at the beginning.",
    examples: ["acme/web"],
  });
export const WorkItemId = z
  .string()
  .max(NAME_LENGTH)
  .regex(/^[^\p{Cc}\p{Cs}\p{Z}-]([^\p{Cc}\p{Cs}]*[^\p{Cc}\p{Cs}\p{Z}])?$/u)
  .meta({
    description:
      "A work item id, such as ORCH-124: printable characters without a space at either end or a dash at the beginning.",
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

export const trial = {
  dry_run: z.boolean().optional().meta({ description: "Answer with the effect, and change nothing." }),
};
export const TrialQuery = z.strictObject(trial);
export const IdParams = z.strictObject({ id: Id });
