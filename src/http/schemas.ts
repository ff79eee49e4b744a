/** The bridge from the contract's zod models to Fastify: JSON Schema for its ajv, its serialiser and openapi.yaml, so that
 *  no shape is described twice. It describes routes; validation itself is Fastify's. */

import type { FastifyInstance, FastifySchema } from "fastify";
import * as z from "zod";

type JsonSchema = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** `{anyOf: [{type: T}, {type: null}]}` as the equivalent `{type: [T, null]}`, which is serialised without trying each. */
const withNull = (schema: JsonSchema): JsonSchema | undefined => {
  const { anyOf, ...rest } = schema;
  if (!Array.isArray(anyOf) || anyOf.length !== 2) return undefined;
  const [value, none] = anyOf as JsonSchema[];
  if (none?.type !== "null" || typeof value?.type !== "string" || "enum" in value) return undefined;
  return { ...value, type: [value.type, "null"], ...rest };
};

const plain = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(plain);
  if (!isObject(value)) return value;
  const { $schema: _, ...schema } = value;
  const mapped = Object.fromEntries(Object.entries(schema).map(([key, part]) => [key, plain(part)]));
  return withNull(mapped) ?? mapped;
};

// `io: input` also describes the answers, because answers have no defaults.
const OPTIONS = { io: "input", target: "draft-7", uri: (id: string) => `${id}#` } as const;

const jsonSchemas = (): Record<string, JsonSchema> =>
  plain(z.toJSONSchema(z.globalRegistry, OPTIONS).schemas) as Record<string, JsonSchema>;

/** Turns zod's local definitions into references to the models that Fastify has. */
const toReferences = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(toReferences);
  if (!isObject(value)) return value;
  const { $ref, definitions: _, ...rest } = value;
  if (typeof $ref === "string") return { $ref: `${$ref.replace("#/definitions/", "")}#` };
  return Object.fromEntries(Object.entries(rest).map(([key, part]) => [key, toReferences(part)]));
};

/** A named model by reference; any other schema inline, with its named parts by reference. */
const reference = (schema: z.ZodType): JsonSchema => {
  const id = z.globalRegistry.get(schema)?.id;
  if (id !== undefined) return { $ref: `${id}#` };
  return toReferences(plain(z.toJSONSchema(schema, OPTIONS))) as JsonSchema;
};

export interface RouteShape {
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly [string];
  readonly operationId: string;
  readonly params?: z.ZodType;
  readonly querystring?: z.ZodType;
  readonly headers?: z.ZodType;
  readonly body?: z.ZodType;
  /** Success answers by status. */
  readonly response: Readonly<
    Record<number, readonly [description: string, schema: z.ZodType, media?: string]>
  >;
  /** Problem statuses of this route, beside those that routeSchema adds to each. */
  readonly problems?: readonly number[];
  /** The route answers without a token. */
  readonly open?: boolean;
  /** The answer has an ETag, and 304 is possible. */
  readonly tagged?: boolean;
}

const UNCHANGED = {
  description: "Unchanged: `If-None-Match` has the current ETag.",
  type: "null",
};

const PROBLEM_NAMES: Readonly<Record<number, string>> = {
  400: "Invalid input.",
  401: "Missing or invalid token.",
  403: "The token's role does not have the right, or a cross-origin request.",
  404: "Not found.",
  409: "The current state does not allow this.",
  410: "The event log does not contain the cursor.",
  413: "The body is larger than 1 MiB.",
  415: "Content-Type is not application/json.",
  429: "The address has sent too many wrong tokens.",
  422: "The Idempotency-Key was used for another request.",
  503: "The database does not answer, or the service is shutting down. Retry later.",
};

export const problem = (status: number): [string, unknown] => [
  String(status),
  {
    description: PROBLEM_NAMES[status],
    content: { "application/problem+json": { schema: { $ref: "Problem#" } } },
  },
];

/** A route's schema for Fastify, with the problems that every such route may answer. */
export const routeSchema = (shape: RouteShape): FastifySchema => {
  const {
    params,
    querystring,
    headers,
    body,
    response,
    problems = [],
    open = false,
    tagged,
    ...words
  } = shape;
  const statuses = [
    // A call that has no input refuses a query all the same; the probes ignore it.
    ...(open ? [] : [400, 401, 403, 429]),
    ...(body ? [413, 415] : []),
    ...problems,
    503,
  ];
  const answers = Object.entries(response).map(
    ([status, [description, schema, media = "application/json"]]): [string, unknown] => [
      status,
      { description, content: { [media]: { schema: reference(schema) } } },
    ],
  );
  return {
    ...words,
    ...(open ? { security: [] } : {}),
    ...(params ? { params: reference(params) } : {}),
    ...(querystring ? { querystring: reference(querystring) } : {}),
    ...(headers ? { headers: reference(headers) } : {}),
    ...(body ? { body: reference(body) } : {}),
    response: Object.fromEntries([
      ...answers,
      ...(tagged ? [["304", UNCHANGED]] : []),
      ...[...new Set(statuses)].sort().map(problem),
    ]),
  };
};

/** Registers the models under their names, for the routes' references. */
export const addModels = (app: FastifyInstance): void => {
  for (const [id, schema] of Object.entries(jsonSchemas())) app.addSchema({ ...schema, $id: id });
};
