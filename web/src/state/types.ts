/** The API's shapes under short names, from the types that `npm run openapi` makes of openapi.yaml for the client. */

import type { components, operations } from "../../../src/client/schema.ts";

type Schemas = components["schemas"];
type Answer<Operation extends keyof operations> = operations[Operation] extends {
  responses: { 200: { content: { "application/json": infer Body } } };
}
  ? Body
  : never;

export type Queue = Answer<"getQueue">;
export type Lane = Schemas["Lane"];
export type WaitingJob = Lane["waiting"][number];
export type Caller = Answer<"whoAmI">;
export type Explanation = Answer<"explainWorkItem">;
export type EventPage = Answer<"listEvents">;
export type LogEvent = EventPage["events"][number];
export type RowEvent = NonNullable<EventPage["earlier"]>[number];
export type TaskWithJobs = Answer<"getTask">;
export type Task = TaskWithJobs["task"];
export type Job = TaskWithJobs["jobs"][number];
export type JobPage = Answer<"listJobs">;
export type Effect = Schemas["Effect"];
export type Problem = Schemas["Problem"];
