/** The effect of an operation on queued entry jobs: the ones it made ready, and the ones it now holds. */

import * as z from "zod";
import { Id, Reason, model } from "./scalars.ts";

/** An answer lists so many jobs, the first ones: all of a long list would not fit into a page. */
export const LISTED = 1_000;

const ChangedVerdict = model(
  "ChangedVerdict",
  "A queued entry job that a change made ready, or now holds.",
  z.strictObject({
    job_id: Id,
    task_id: Id.nullable(),
    repo: z.string(),
    work_item_id: z.string().nullable(),
    reason: Reason.nullable(),
  }),
);
export type ChangedVerdict = z.output<typeof ChangedVerdict>;

export const Effect = model(
  "Effect",
  "The effect of a change on queued entry jobs.",
  z.strictObject({
    now_claimable: z.array(ChangedVerdict).meta({ description: "Jobs that were held and are ready now." }),
    now_held: z.array(ChangedVerdict).meta({ description: "Jobs that were ready and are held now." }),
    cut: z.boolean().optional().meta({ description: "True where a list has the first 1,000 jobs only." }),
  }),
);
export type Effect = z.output<typeof Effect>;
