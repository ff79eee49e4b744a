/** Times that callers send: ISO 8601, read by the one reader of stored times, in the years that can be stored. */

import { GateError } from "../contract/errors.ts";
import { fromStored } from "../store/timestamps.ts";

/** Milliseconds since 1970 UTC of a time in a body.
 *  @param pointer where it is, for the error
 *  @throws GateError invalid_request for a time outside of the years 1 to 9999 UTC */
export const instantIn = (text: string, pointer: string): number => {
  const ms = fromStored(text);
  if (!Number.isNaN(ms)) return ms;
  throw new GateError("invalid_request", `The time ${text} is not one of the years 1 to 9999 (UTC).`, {
    faults: [{ in: "body", pointer, detail: "must be a time in the years 1 to 9999 (UTC)" }],
  });
};
