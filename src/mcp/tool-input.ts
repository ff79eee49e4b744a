/** The contract's shapes as the input of tools. A call is checked by all of a shape; the description that models get leaves
 *  out its patterns: they are of JavaScript's Unicode mode, which clients in other languages cannot compile. */

import type { StandardSchemaWithJSON } from "@modelcontextprotocol/server";
import type * as z from "zod";

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const withoutPatterns = (schema: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(schema)
      .filter(([key, value]) => key !== "pattern" || typeof value !== "string")
      .map(([key, value]) => [key, isObject(value) ? withoutPatterns(value) : value]),
  );

export const toolInput = <Shape extends z.ZodObject>(
  shape: Shape,
): StandardSchemaWithJSON<z.input<Shape>, z.output<Shape>> => {
  const { version, vendor, validate, jsonSchema } = shape["~standard"];
  return {
    "~standard": {
      version,
      vendor,
      validate,
      jsonSchema: {
        input: (options) => withoutPatterns(jsonSchema.input(options)),
        output: (options) => withoutPatterns(jsonSchema.output(options)),
      },
    },
  };
};
