/** Strict input: nothing is coerced, dropped or ignored. A query or a path is text, so a number or a boolean there is read
 *  from its one canonical spelling; the schema refuses anything else.
 *  The schemas themselves are validated by Fastify's ajv. */

import type { FastifyInstance, FastifyServerOptions } from "fastify";
import type { InputFault } from "../../contract/errors.ts";
import { invalidInput, unknownKey } from "../input-faults.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Whatever the query is: a probe of another system may add one. */
    readonly ignoresQuery?: boolean;
  }
}

type JsonSchema = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** `verbose` adds to each error the schema that it violates, whose description is the expected form. */
export const AJV_OPTIONS: FastifyServerOptions["ajv"] = {
  customOptions: {
    coerceTypes: false,
    removeAdditional: false,
    useDefaults: true,
    allErrors: false,
    allowUnionTypes: true,
    verbose: true,
  },
};

/** Reads a text as its schema's type if it has that type's canonical spelling. */
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

/** For a route without a body or a query.
 *  @throws GateError invalid_request */
const refuseUnexpected = (part: "body" | "query", sent: unknown): void => {
  if (sent === undefined) return;
  const faults: InputFault[] = isObject(sent)
    ? Object.keys(sent).map((key) => unknownKey(part, key))
    : [{ in: part, pointer: "", detail: "must be empty" }];
  if (faults.length > 0) throw invalidInput(faults);
};

/** Fastify's query parser keeps broken percent-encoding as it is, so the query would name something else.
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

export const useStrictInput = (app: FastifyInstance): void => {
  app.addHook("preValidation", (request, _reply, done) => {
    const { schema } = request.routeOptions;
    // Only serial-gate's own routes have an operationId; those of /docs do not.
    if (schema?.operationId === undefined) {
      done();
      return;
    }
    const { ignoresQuery = false } = request.routeOptions.config;
    if (ignoresQuery) {
      done();
      return;
    }
    refuseBadEncoding(request.url);
    if (schema.querystring) request.query = readTexts(schema.querystring, request.query);
    else refuseUnexpected("query", request.query);
    if (schema.params) request.params = readTexts(schema.params, request.params);
    if (!schema.body) refuseUnexpected("body", request.body);
    else if (request.body === undefined) request.body = {};
    done();
  });
};
