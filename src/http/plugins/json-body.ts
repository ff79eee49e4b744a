/** Request bodies: JSON of a limited size and depth whose numbers keep their value, or none. An empty body is none,
 *  whatever its content type; any other body that is not JSON gets 415. The shape of a body is the schema's business. */

import type { FastifyInstance } from "fastify";
import { invalidInput } from "../input-faults.ts";
import { numberFaults } from "../number-faults.ts";
import { EdgeError, UNSUPPORTED_MEDIA_TYPE } from "../problem.ts";

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
      if (error) done(invalidJson("The body is not valid JSON."));
      else if (isTooDeep(value)) done(invalidJson(`The body is nested deeper than ${DEPTH_LIMIT} levels.`));
      else {
        const faults = numberFaults(body as string);
        if (faults.length > 0) done(invalidInput(faults));
        else done(null, value);
      }
    });
  });
  // A form without fields (`curl -d ''`) has nothing to parse. Fastify would refuse its type, or take it for malformed.
  app.addHook("onRequest", ({ raw: { headers } }, _reply, done) => {
    if (headers["content-length"] === "0" && headers["transfer-encoding"] === undefined)
      delete headers["content-type"];
    done();
  });
  // A chunked body shows only when it is read whether it is empty.
  app.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => {
    if (body === "") done(null, undefined);
    else done(new EdgeError(UNSUPPORTED_MEDIA_TYPE));
  });
};
