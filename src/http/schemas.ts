/** The bridge from the zod models to Fastify: JSON Schema for its own ajv and fast-json-stringify, and through
 *  them for openapi.yaml. Nothing is described twice.
 *  Bodies are taken as they are; a query or a path is text, so there a number or a boolean is read from its
 *  one canonical spelling, and anything else is refused by the schema. */

import type { FastifyInstance, FastifySchema, FastifyServerOptions } from "fastify";
import * as z from "zod";
import type { InputFault } from "../contract/errors.ts";
import { escape, invalidInput } from "./problem.ts";

type JsonSchema = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** `{anyOf: [{type: T}, {type: null}]}` as `{type: [T, null]}`: the same, and serialised without trying each. */
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

// Answers have no defaults, so what a caller may send is also what an answer is.
const OPTIONS = { io: "input", target: "draft-7", uri: (id: string) => `${id}#` } as const;

const jsonSchemas = (): Record<string, JsonSchema> =>
  plain(z.toJSONSchema(z.globalRegistry, OPTIONS).schemas) as Record<string, JsonSchema>;

/** zod puts the named parts of a lone schema into definitions of its own; ours are Fastify's. */
const toReferences = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(toReferences);
  if (!isObject(value)) return value;
  const { $ref, definitions: _, ...rest } = value;
  if (typeof $ref === "string") return { $ref: `${$ref.replace("#/definitions/", "")}#` };
  return Object.fromEntries(Object.entries(rest).map(([key, part]) => [key, toReferences(part)]));
};

/** A named model by reference, any other schema as it stands with its named parts by reference. */
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
  /** Answers by status. Problems are added to every route. */
  readonly response: Readonly<
    Record<number, readonly [description: string, schema: z.ZodType, media?: string]>
  >;
  /** Statuses of the problems that this route may answer with, beside those of every route. */
  readonly problems?: readonly number[];
  /** Answers also without a token. */
  readonly open?: boolean;
  /** Has an ETag, and answers 304 to who has its answer already. */
  readonly tagged?: boolean;
}

const UNCHANGED = {
  description: "The answer is what the caller has: its ETag was sent as `If-None-Match`.",
  type: "null",
};

const PROBLEM_NAMES: Readonly<Record<number, string>> = {
  400: "The input is at fault.",
  401: "No valid token.",
  403: "Not from here.",
  404: "There is no such thing.",
  409: "It is not in a state for this.",
  413: "The body is too large.",
  415: "The body is not JSON.",
  422: "The Idempotency-Key was sent with another request before.",
  503: "The database does not answer, or the service is shutting down. Try again.",
};

export const problem = (status: number): [string, unknown] => [
  String(status),
  {
    description: PROBLEM_NAMES[status],
    content: { "application/problem+json": { schema: { $ref: "Problem#" } } },
  },
];

/** A route's schema as Fastify takes it. */
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
  const input = params ?? querystring ?? headers ?? body;
  const statuses = [
    ...(input ? [400] : []),
    ...(open ? [] : [401]),
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

/** The parts of an OpenAPI document that say what a body is. */
interface Described {
  readonly paths?: Readonly<Record<string, Readonly<Record<string, { requestBody?: Body }>>>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, JsonSchema>> };
}

interface Body {
  required?: boolean;
  readonly content: Readonly<Record<string, { readonly schema?: JsonSchema }>>;
}

/** A body of which every member may be left out may be left out itself; the plugin calls each one required. */
export const withOptionalBodies = <Document extends object>(document: Document): Document => {
  const { paths = {}, components } = document as Described;
  for (const { requestBody } of Object.values(paths).flatMap((path) => Object.values(path))) {
    const model = String(requestBody?.content["application/json"]?.schema?.$ref).split("/").at(-1) ?? "";
    if (requestBody && components?.schemas?.[model]?.required === undefined) requestBody.required = false;
  }
  return document;
};

// --- Text that comes as text: paths and queries

/** Reads a text as the type that its schema names, if it is that type's canonical spelling. */
const readText = (schema: JsonSchema, text: unknown): unknown => {
  if (schema.type === "array") return Array.isArray(text) ? text : [text];
  if (typeof text !== "string") return text;
  if (schema.type === "integer" && /^(0|[1-9]\d{0,15})$/.test(text)) return Number(text);
  if (schema.type === "boolean" && /^(true|false)$/.test(text)) return text === "true";
  return text;
};

const readTexts = (schema: unknown, texts: unknown): unknown => {
  if (!isObject(schema) || !isObject(schema.properties) || typeof texts !== "object" || texts === null)
    return texts;
  const { properties } = schema;
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => {
      const property = properties[name];
      return [name, isObject(property) ? readText(property, text) : text];
    }),
  );
};

/** What is sent to a route that takes nothing there.
 *  @throws GateError invalid_request */
const refuseUnheeded = (part: "body" | "query", sent: unknown): void => {
  if (sent === undefined) return;
  const faults: InputFault[] =
    typeof sent === "object" && sent !== null && !Array.isArray(sent)
      ? Object.keys(sent).map((key) => ({
          in: part,
          pointer: `/${escape(key)}`,
          detail: "is not known here",
        }))
      : [{ in: part, pointer: "", detail: "must be left out" }];
  if (faults.length > 0) throw invalidInput(faults);
};

/** A query whose percent-encoding is broken would be taken for another one.
 *  @throws GateError invalid_request */
const refuseBadEncoding = (url: string): void => {
  const start = url.indexOf("?");
  if (start < 0 || !url.includes("%", start)) return;
  try {
    decodeURIComponent(url.slice(start));
  } catch {
    throw invalidInput([{ in: "query", pointer: "", detail: "is not percent-encoded UTF-8" }]);
  }
};

/** How Fastify's ajv is to validate: nothing is converted, nothing is dropped. */
export const AJV_OPTIONS: FastifyServerOptions["ajv"] = {
  customOptions: {
    coerceTypes: false,
    removeAdditional: false,
    useDefaults: true,
    allErrors: false,
    allowUnionTypes: true,
  },
};

/** Teaches a Fastify instance the models, and to read what comes as text. */
export const useModels = (app: FastifyInstance): void => {
  for (const [id, schema] of Object.entries(jsonSchemas())) app.addSchema({ ...schema, $id: id });
  app.addHook("preValidation", (request, _reply, done) => {
    const { schema } = request.routeOptions;
    // The routes of the documentation's own pages are not ours.
    if (schema?.operationId === undefined) {
      done();
      return;
    }
    refuseBadEncoding(request.url);
    if (schema.querystring) request.query = readTexts(schema.querystring, request.query);
    else refuseUnheeded("query", request.query);
    if (schema.params) request.params = readTexts(schema.params, request.params);
    if (!schema.body) refuseUnheeded("body", request.body);
    else if (request.body === undefined) request.body = {};
    done();
  });
};
