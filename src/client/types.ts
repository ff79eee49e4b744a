/** The API's types by their names. They come from openapi.yaml (schema.ts is generated), and need no other package. */

import type { components, operations } from "./schema.ts";

type Schemas = components["schemas"];

export type Task = Schemas["Task"];
export type Job = Schemas["Job"];
export type ClaimedJob = Schemas["ClaimedJob"];
export type Lease = Schemas["Lease"];
export type Effect = Schemas["Effect"];
export type Queue = Schemas["Queue"];
export type Explanation = Schemas["Explanation"];
export type Event = Schemas["Event"];
export type EventRange = Schemas["EventRange"];

type Operation = keyof operations;

type JsonIn<Content> = Content extends { content: { "application/json": infer Body } } ? Body : never;

/** The body of a call, by its operationId. */
export type Body<Name extends Operation> = operations[Name] extends { requestBody?: infer Sent }
  ? JsonIn<NonNullable<Sent>>
  : never;

/** The query of a call, by its operationId. */
export type Query<Name extends Operation> = NonNullable<operations[Name]["parameters"]["query"]>;

/** The answer to a call, by its operationId. */
export type Answer<Name extends Operation> = operations[Name]["responses"] extends infer Responses
  ? JsonIn<Responses[keyof Responses & (200 | 201)]>
  : never;

/** A task by its work item, with the repository if several have it, or by its id. */
export type OneTask = Query<"explainWorkItem">;
