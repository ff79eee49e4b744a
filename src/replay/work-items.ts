/** Reads a file of work items: one JSON object a line, what was merged where, when, and how large it was. */

import * as z from "zod";
import { NewTask } from "../contract/tasks.ts";

const Size = z.object({ files: z.int().min(0), lines: z.int().min(0) });
export type Size = z.output<typeof Size>;

const Line = Size.extend({
  /** Seconds since 1970 UTC. */
  at: z.int().min(0),
  repo: NewTask.shape.repo,
  work_item: NewTask.shape.work_item_id,
});
export type WorkItem = z.output<typeof Line>;

/** Says every line that is at fault, up to a screenful. */
export class WorkItemsError extends Error {
  override readonly name = "WorkItemsError";
}

const SHOWN_FAULTS = 10;

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** What is wrong with a line, or the work item that it is. */
const readLine = (text: string): WorkItem | string => {
  const value = parseJson(text);
  if (value === undefined) return "is not JSON";
  const { data, error } = Line.safeParse(value);
  if (data) return data;
  return error.issues.map(({ path, message }) => [...path, message].join(" ")).join("; ");
};

/** The work items in time order; those of one instant in the file's order.
 *  @param name the file's, for what is said of it
 *  @throws WorkItemsError when any line is no work item, or there is none */
export const parseWorkItems = (text: string, name: string): WorkItem[] => {
  const items: WorkItem[] = [];
  const faults: string[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const item = readLine(line);
    if (typeof item === "string") faults.push(`${name}:${index + 1}: ${item}`);
    else items.push(item);
  }
  if (faults.length > SHOWN_FAULTS)
    faults.splice(SHOWN_FAULTS, Infinity, `… and ${faults.length - SHOWN_FAULTS} more lines`);
  if (faults.length > 0) throw new WorkItemsError(faults.join("\n"));
  if (items.length === 0) throw new WorkItemsError(`${name}: has no work item`);
  return items.sort((one, other) => one.at - other.at);
};
