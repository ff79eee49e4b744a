/** The event log, by the page or as a stream. */

import * as z from "zod";
import { Id, RepoLookup, WorkItemLookup, anyJson, model, time } from "./scalars.ts";

export const HistoryEvent = model(
  "Event",
  "A change: what, when, to what, by whom and why.",
  z.strictObject({
    id: Id,
    at: time("When it was made."),
    kind: z.string().meta({
      description: "What changed, such as task.created, task.stage, task.paused, job.claimed or repo.frozen.",
      examples: ["task.paused"],
    }),
    repo: z.string().nullable(),
    task_id: Id.nullable(),
    work_item_id: z.string().nullable(),
    job_id: Id.nullable(),
    actor: z.string().nullable().meta({
      description:
        "Whose token it was; serial-gate for what the gate does by itself; null where there are no tokens, and for another program.",
    }),
    reason: z.string().nullable(),
    detail: anyJson("What else there is to say, by kind."),
  }),
);
export type HistoryEvent = z.output<typeof HistoryEvent>;

const Position = z.int().min(0);
const ofWhat = {
  repo: RepoLookup.optional().meta({
    description: "Only what happened in this repository; with `about`, the repository of the work item.",
  }),
  work_item: WorkItemLookup.optional().meta({ description: "Only what happened to this work item." }),
};
const newest = z.int().min(0).max(1_000);

export const EventQuery = z.strictObject({
  after: Position.optional().meta({
    description: "The id of the last event seen, or next_cursor: what came behind it, oldest first.",
  }),
  before: Position.optional().meta({ description: "The id of the oldest event seen: what came before it." }),
  last: newest.optional().meta({ description: "The newest events, this many. Go on with next_cursor." }),
  limit: z
    .int()
    .min(1)
    .max(1_000)
    .default(100)
    .meta({ description: "How many at most, from `after` or `before`." }),
  ...ofWhat,
  about: WorkItemLookup.optional().meta({
    description: [
      "The life of this work item's task, since its creation: its own events, those of the tasks it depends on,",
      "pauses, resumes and cancellations of earlier tasks in its repository, and freezes of all these repositories.",
      "Not together with `work_item`.",
    ].join(" "),
  }),
});
export type EventQuery = z.output<typeof EventQuery>;

export const FollowQuery = EventQuery.pick({ after: true, last: true, repo: true, work_item: true });
export type FollowQuery = z.output<typeof FollowQuery>;
export const EventPage = z.strictObject({
  events: z.array(HistoryEvent).meta({ description: "By id, oldest first, wherever the page begins." }),
  next_cursor: z
    .int()
    .min(0)
    .meta({ description: "What to send as `after` to go on from here, also where there is nothing yet." }),
});
export type EventPage = z.output<typeof EventPage>;
