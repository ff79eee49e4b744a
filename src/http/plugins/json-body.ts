/** Request bodies: JSON of a limited size and depth, or none. Any other content type gets 415.
 *  The shape of a body is the schema's business. */

import type { FastifyInstance } from "fastify";
import { EdgeError } from "../problem.ts";

/** In bytes. */
export const BODY_LIMIT = 1024 * 1024;

/** JSON.stringify recurses, so deeper values could overflow the stack when they are written out again. */
const DEPTH_LIMIT = 64;

const isTooDeep = (value: unknown, levels = DEPTH_LIMIT): boolean =>
  typeof value === "object" &&
  value !== null &&
  (levels === 0 || Object.values(value).some((part) => isTooDeep(part, levels - 1)));

const invalidJson = (detail: string): EdgeError => new EdgeError({ code: "invalid_json", detail });

export const useJsonBody = (app: FastifyInstance): void => {
  const parse = app.getDefaultJsonParser("error", "error");
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
    if (body === "") {
      done(null, undefined);
      return;
    }
    void parse(request, body as string, (error, value: unknown) => {
      if (error) done(invalidJson(`The body is not valid JSON: ${error.message}.`));
      else if (isTooDeep(value)) done(invalidJson(`The body is nested deeper than ${DEPTH_LIMIT} levels.`));
      else done(null, value);
    });
  });
};
