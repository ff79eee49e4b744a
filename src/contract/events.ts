/** The event log's shapes: an event, and the queries for pages and the stream. */

import * as z from "zod";
import { Id, RepoLookup, WorkItemLookup, anyJson, model, time } from "./scalars.ts";

export const HistoryEvent = model(
  "Event",
  "A change of a task, a job or a freeze, with its time, actor and reason.",
  z.strictObject({
    id: Id,
    at: time("Time of the change."),
    kind: z.string().meta({
      description:
        "The kind of change, such as task.created, task.stage, task.paused, job.claimed or repo.frozen.",
      examples: ["task.paused"],
    }),
    repo: z.string().nullable(),
    task_id: Id.nullable(),
    work_item_id: z.string().nullable(),
    job_id: Id.nullable(),
    actor: z.string().nullable().meta({
      description:
        "The name of the caller's token; `serial-gate` for changes that the gate makes by itself; null without tokens, and for another program's change.",
    }),
    by_source: z.enum(["token", "claimed"]).nullable().meta({
      description:
        "How the actor is known: by its token, or only because the caller, which had no token, said so; null for no actor, for `serial-gate`, and for events of earlier versions.",
    }),
    reason: z.string().nullable(),
    detail: anyJson("Further members, by kind."),
  }),
);
export type HistoryEvent = z.output<typeof HistoryEvent>;

const Position = z.int().min(0);
const ofWhat = {
  repo: RepoLookup.optional().meta({
    description: "Only events of this repository; with `about`, the repository of the work item.",
  }),
  work_item: WorkItemLookup.optional().meta({ description: "Only events of this work item." }),
};
const newest = z.int().min(0).max(1_000);

export const EventQuery = z.strictObject({
  after: Position.optional().meta({
    description: "An event id or a `next_cursor`: the events after it, oldest first.",
  }),
  before: Position.optional().meta({ description: "An event id: the events before it." }),
  last: newest
    .optional()
    .meta({ description: "This many of the newest events. Continue with `next_cursor`." }),
  limit: z.int().min(1).max(1_000).default(100).meta({ description: "Maximum number of events." }),
  ...ofWhat,
  about: WorkItemLookup.optional().meta({
    description: [
      "The life of this work item's task, since its creation: its own events, those of the tasks it depends on,",
      "pauses, resumes and cancellations of earlier tasks in its repository, the first claim and the end of the tasks that",
      "overtook it, and freezes of all these repositories.",
      "Not together with `work_item`.",
    ].join(" "),
  }),
  about_task: Id.optional().meta({
    description: "The life of the task with this id, in the place of `about` and `repo`.",
  }),
});
export type EventQuery = z.output<typeof EventQuery>;

export const FollowQuery = EventQuery.pick({ after: true, last: true, repo: true, work_item: true });
export type FollowQuery = z.output<typeof FollowQuery>;
export const RowEvent = model(
  "RowEvent",
  "A change from before the event log began, as the orchestrator's rows tell it. It has no id and no actor.",
  HistoryEvent.omit({ id: true, actor: true, by_source: true }).extend({ source: z.literal("rows") }),
);
export type RowEvent = z.output<typeof RowEvent>;

/** The ids of the events that there are. */
export const EventRange = model(
  "EventRange",
  "The oldest event that is kept, null if there is none, and the newest.",
  z.strictObject({ oldest: Id.nullable(), newest: Position }),
);
export type EventRange = z.output<typeof EventRange>;

/** One delivery to a follower: events, none for a heartbeat, or a reset: its place is not in the log, and it goes on with
 *  the events after the newest. */
export type Followed =
  { readonly events: readonly HistoryEvent[]; readonly reset?: undefined } | { readonly reset: EventRange };

export const EventPage = z.strictObject({
  earlier: z.array(RowEvent).optional().meta({
    description: "With `about`, on the first page: the life before the event log began, oldest first.",
  }),
  recording_began: time("When the event log began; with `about`, on the first page.").optional(),
  events: z.array(HistoryEvent).meta({ description: "Ordered by id, oldest first." }),
  next_cursor: z
    .int()
    .min(0)
    .meta({ description: "The next `after`, also if there are no further events yet." }),
});
export type EventPage = z.output<typeof EventPage>;
