/** The effect of an operation: which entry jobs it made ready, and which it holds. */

import * as z from "zod";
import { Id, Reason, model } from "./scalars.ts";

const ChangedVerdict = model(
  "ChangedVerdict",
  "A queued entry job that a change lets start, or holds.",
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
  "What a change means for the entry jobs that are queued.",
  z.strictObject({
    now_claimable: z.array(ChangedVerdict).meta({ description: "They were held and may start now." }),
    now_held: z.array(ChangedVerdict).meta({ description: "They could start and are held now." }),
  }),
);
export type Effect = z.output<typeof Effect>;
