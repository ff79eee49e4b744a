/** The outcome that a command writes for `serial-gate work`: a JSON object in the file $SERIAL_GATE_OUTCOME. */

import { readFileSync } from "node:fs";
import type { CommandOutcome } from "../../../contract/jobs.ts";

/** A sentence about an outcome that is none. */
export class OutcomeError extends Error {
  override readonly name = "OutcomeError";
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    throw new OutcomeError("The command's outcome file is not JSON.");
  }
};

/** Reads the file; an empty object when the command wrote none.
 *  @throws OutcomeError */
export const readOutcome = async (path: string): Promise<CommandOutcome> => {
  const text = readText(path);
  if (text.trim() === "") return {};
  const value = parse(text);
  // Read late: no other verb needs the schemas.
  const contract = await import("../../../contract/jobs.ts");
  const { error } = contract.CommandOutcome.safeParse(value);
  if (!error) return value as CommandOutcome;
  const [issue] = error.issues;
  const where = issue?.path.join("/") ?? "";
  throw new OutcomeError(
    `The command's outcome file is not an outcome: ${where === "" ? "" : `/${where} `}${issue?.message ?? ""}`,
  );
};

/** The text of a file; empty when there is none. */
export const readText = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};
