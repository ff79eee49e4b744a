/** The effect of an operation on queued entry jobs: the ones it made ready, and the ones it now holds. */

import * as z from "zod";
import { Id, Reason, model } from "./scalars.ts";

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
  }),
);
export type Effect = z.output<typeof Effect>;
