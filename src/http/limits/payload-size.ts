/** The size of payloads and results: they are kept with the job and handed out whole, so that each has a limit of its own,
 *  below that of the body. */

import type { FastifyInstance } from "fastify";
import { EdgeError, sizeText } from "../problem.ts";

/** Members of a body that hold a caller's own JSON. */
const CONTENTS: readonly string[] = ["payload", "result"];

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null;

/** The pointer to the first payload or result that is too large. */
const tooLarge = (value: unknown, most: number, pointer = ""): string | undefined => {
  if (!isObject(value)) return undefined;
  for (const [name, part] of Object.entries(value)) {
    const at = `${pointer}/${name}`;
    if (!CONTENTS.includes(name)) {
      const found = tooLarge(part, most, at);
      if (found !== undefined) return found;
    } else if (part !== undefined && Buffer.byteLength(JSON.stringify(part)) > most) return at;
  }
  return undefined;
};

/** @param most bytes of JSON */
export const usePayloadLimit = (app: FastifyInstance, most: number): void => {
  app.addHook("preHandler", ({ body, headers }, _reply, done) => {
    // A small body has no large part.
    if (isObject(body) && !(Number(headers["content-length"]) <= most)) {
      const pointer = tooLarge(body, most);
      if (pointer !== undefined)
        throw new EdgeError({
          code: "payload_too_large",
          detail: `${pointer} is larger than ${sizeText(most)}.`,
          hint: "Store it elsewhere, and send where it is.",
          faults: [{ in: "body", pointer, detail: `must be at most ${sizeText(most)} of JSON` }],
        });
    }
    done();
  });
};
