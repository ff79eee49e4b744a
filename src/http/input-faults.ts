/** Invalid input in words: validation errors become faults, each with its place and a phrase that a person understands.
 *  It knows JSON Schema's keywords, not the contract: the expected form comes from the schema's own description. */

import type { FastifyError } from "fastify";
import { GateError, type InputFault } from "../contract/errors.ts";

const PARTS = { body: "body", querystring: "query", params: "path", headers: "header" } as const;

const UNKNOWN = "is unknown";

/** An error of ajv; `verbose` adds the schema and the value. */
interface ValidationError {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message?: string;
  readonly parentSchema?: { readonly description?: string; readonly format?: string };
  readonly data?: unknown;
}

const NAMES_OF_TYPES: Readonly<Record<string, string>> = {
  array: "an array",
  boolean: "true or false",
  integer: "an integer",
  null: "null",
  number: "a number",
  object: "an object",
  string: "a string",
};

/** A key as a segment of a JSON pointer. */
export const segmentOf = (key: string): string => key.replaceAll("~", "~0").replaceAll("/", "~1");

const typesIn = ({ params: { type } }: ValidationError): string[] =>
  [type].flat().map((name) => NAMES_OF_TYPES[String(name)] ?? String(name));

/** The first sentence of a description as the end of another: "A stage. It …" as "a stage". */
const inSentence = (description: string): string =>
  description.replace(/(\.$|\. |; ).*/s, "").replace(/^[A-Z](?=[a-z]* )/, (letter) => letter.toLowerCase());

/** A pattern that only excludes characters, as that of any text does. */
const EXCLUDES_CHARACTERS = /^\^\[\^[^\]]*\][*+]\$$/;

const counted = (limit: unknown, noun: string): string => `${String(limit)} ${noun}${limit === 1 ? "" : "s"}`;

const phraseFor = (error: ValidationError, part: InputFault["in"]): string => {
  const { keyword, params, message = "is invalid", parentSchema = {}, data } = error;
  const { limit, allowedValues } = params;
  if (keyword === "type" && part === "query" && Array.isArray(data)) return "must not be repeated";
  if (parentSchema.format === "date-time" && (keyword === "format" || keyword === "pattern"))
    return "must be a time in ISO 8601, such as 2026-06-15T18:06:00Z";
  switch (keyword) {
    case "type":
      return `must be ${typesIn(error).join(" or ")}`;
    case "enum":
      return `must be one of: ${[allowedValues].flat().join(", ")}`;
    case "minimum":
      return `must be at least ${String(limit)}`;
    case "maximum":
      return `must be at most ${String(limit)}`;
    case "minLength":
      return limit === 1 ? "must not be empty" : `must have at least ${counted(limit, "character")}`;
    case "maxLength":
      return `must have at most ${counted(limit, "character")}`;
    case "minItems":
      return `must have at least ${counted(limit, "item")}`;
    case "minProperties":
      return "must not be empty";
    case "maxItems":
      return `must have at most ${counted(limit, "item")}`;
    case "pattern":
      if (EXCLUDES_CHARACTERS.test(String(params.pattern)))
        return "contains a character that is not allowed, such as a control character";
      return parentSchema.description === undefined
        ? message
        : `must be ${inSentence(parentSchema.description)}`;
    default:
      return message;
  }
};

const faultOf = (error: ValidationError, part: InputFault["in"]): InputFault => {
  const { instancePath, params } = error;
  const { additionalProperty, missingProperty } = params;
  if (typeof additionalProperty === "string")
    return { in: part, pointer: `${instancePath}/${segmentOf(additionalProperty)}`, detail: UNKNOWN };
  if (typeof missingProperty === "string")
    return { in: part, pointer: `${instancePath}/${segmentOf(missingProperty)}`, detail: "is required" };
  return { in: part, pointer: instancePath, detail: phraseFor(error, part) };
};

/** The errors of a union's branches, without those of branches for another type of value; if every branch is for another
 *  type, one error with all their types. */
const mergeBranches = (errors: readonly ValidationError[]): readonly ValidationError[] => {
  const union = errors.find(({ keyword }) => keyword === "anyOf");
  if (!union) return errors;
  const branches = errors.filter(({ keyword }) => keyword !== "anyOf");
  const ofType = branches.filter(
    ({ keyword, instancePath }) => keyword === "type" && instancePath === union.instancePath,
  );
  const [first] = ofType;
  if (!first || ofType.length < branches.length) return branches.filter((error) => !ofType.includes(error));
  return [{ ...first, params: { type: ofType.flatMap(({ params }) => params.type) } }];
};

/** The faults in an error of Fastify's validation. */
export const inputFaults = ({ validation = [], validationContext = "body" }: FastifyError): InputFault[] =>
  mergeBranches(validation as readonly ValidationError[]).map((error) =>
    faultOf(error, PARTS[validationContext]),
  );

/** `/depends_on/0/repo` as `depends_on[0].repo`. */
const nameOf = (pointer: string): string =>
  pointer
    .split("/")
    .slice(1)
    .map((segment) => segment.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce((name, segment) => {
      if (/^\d+$/.test(segment) && name !== "") return `${name}[${segment}]`;
      return name === "" ? segment : `${name}.${segment}`;
    }, "");

const NOUNS = { body: "member", query: "query parameter", path: "path parameter", header: "header" } as const;

const sentenceFor = ({ in: part, pointer, detail }: InputFault): string => {
  if (pointer === "") return `The ${part} ${detail}.`;
  const name = nameOf(pointer);
  return detail === UNKNOWN ? `Unknown ${NOUNS[part]}: ${name}.` : `${name} ${detail}.`;
};

/** A fault for a key that the route does not know. */
export const unknownKey = (part: InputFault["in"], key: string): InputFault => ({
  in: part,
  pointer: `/${segmentOf(key)}`,
  detail: UNKNOWN,
});

/** @param hint the one obvious next step */
export const invalidInput = (faults: readonly InputFault[], hint?: string): GateError =>
  new GateError("invalid_request", faults.map(sentenceFor).join(" "), {
    faults,
    ...(hint === undefined ? {} : { hint }),
  });
