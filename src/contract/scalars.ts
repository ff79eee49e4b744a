/** The parts that every shape of the contract is made of: names, ids, times and texts, each with its limits. */

import * as z from "zod";
import { REASONS } from "./vocabulary.ts";

const NAME_LENGTH = 200;
const TEXT_LENGTH = 100_000;

export const model = <T extends z.ZodType>(id: string, description: string, shape: T): T =>
  shape.meta({ id, description });

// Names that a caller only looks up are taken as they are: other programs wrote them.
export const lookup = (description: string) =>
  z
    .string()
    .min(1)
    .max(NAME_LENGTH)
    .regex(/^[^\p{Cc}\p{Cs}]+$/u)
    .meta({ description });
export const text = (description: string) =>
  z
    .string()
    .max(TEXT_LENGTH)
    .regex(/^[^\u0000\p{Cs}]*$/u)
    .meta({ description });
export const time = (description: string) =>
  z.string().meta({ format: "date-time", description, examples: ["2026-06-15T18:06:00.000Z"] });
export const instant = (description: string) => z.iso.datetime({ offset: true }).meta({ description });
export const anyJson = (description: string) => z.unknown().meta({ description });
export const milliseconds = (least: number, most: number, description: string) =>
  z.int().min(least).max(most).meta({ description });

/** Segments of letters, digits, dots, dashes and underscores, joined by slashes. Two spellings of one
 *  repository would be two lanes, so a name that looks alike but for spaces is refused where it is made. */
export const REPO_NAME = /^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/;

export const Id = z.int().min(1);
export const Count = z.int().min(0);
/** A name to create: none that a shell would take for an option. Names already in the database are looked up as they
 *  are. */
export const RepoName = z
  .string()
  .max(NAME_LENGTH)
  .regex(/^[A-Za-z0-9._][A-Za-z0-9._-]*(\/[A-Za-z0-9._-]+)*$/)
  .meta({ description: "A repository, such as owner/name.", examples: ["acme/web"] });
export const WorkItemId = z
  .string()
  .max(NAME_LENGTH)
  .regex(/^[^\p{Cc}\p{Cs}\p{Z}-]([^\p{Cc}\p{Cs}]*[^\p{Cc}\p{Cs}\p{Z}])?$/u)
  .meta({ description: "The work item's own id, such as ORCH-124.", examples: ["WEB-8"] });
export const Agent = z
  .string()
  .max(NAME_LENGTH)
  .regex(/^[A-Za-z0-9._:-]+$/)
  .meta({ description: "The kind of worker that a job is for.", examples: ["analyst"] });
export const Stage = z
  .string()
  .max(64)
  .regex(/^[a-z0-9][a-z0-9._-]*$/)
  .meta({
    description: "Where a task stands. It is finished in done and cancelled.",
    examples: ["development"],
  });
export const LeaseMs = milliseconds(1_000, 86_400_000, "How long the lease holds, in milliseconds.");
export const MaxAttempts = z
  .int()
  .min(1)
  .max(1_000)
  .meta({ description: "How often the job is tried before it is failed." });
export const LeaseToken = lookup("The token that the claim gave.");
export const RepoLookup = lookup("A repository, such as owner/name.");
export const WorkItemLookup = lookup("A work item's id, such as ORCH-124.");

export const Reason = model("Reason", "Why a queued entry job is held.", z.enum(REASONS));
export type Reason = z.output<typeof Reason>;

export const why = {
  reason: text("Why, for people to read.").optional(),
  by: lookup("Who, where the service asks for no token; else it is the token's name.").optional(),
};

export const Note = model("Note", "Who does it, and why.", z.strictObject(why));
export type Note = z.output<typeof Note>;

export const WorkItemQuery = z.strictObject({ work_item: WorkItemLookup, repo: RepoLookup.optional() });
export type WorkItemQuery = z.output<typeof WorkItemQuery>;

export const trial = {
  dry_run: z.boolean().optional().meta({ description: "Answer what would come of it, and change nothing." }),
};
export const TrialQuery = z.strictObject(trial);
export const IdParams = z.strictObject({ id: Id });
