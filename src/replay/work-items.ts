/** Reads a file of work items, one JSON object a line: the repository, the work item, its merge time and its size. */

import * as z from "zod";
import { REPO_FORM, REPO_NAME } from "../contract/names/repo-name.ts";
import { NewTask } from "../contract/tasks.ts";

const Size = z.object({ files: z.int().min(0), lines: z.int().min(0) });
export type Size = z.output<typeof Size>;

const Line = Size.extend({
  /** Seconds since 1970 UTC. */
  at: z.int().min(0),
  // The replay's database is new: it knows no other form of names.
  repo: NewTask.shape.repo.regex(REPO_NAME, REPO_FORM),
  work_item: NewTask.shape.work_item_id,
});
export type WorkItem = z.output<typeof Line>;

/** Lists the invalid lines, at most ten. */
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

/** The work item of a line, or the reason why the line is invalid. */
const readLine = (text: string): WorkItem | string => {
  const value = parseJson(text);
  if (value === undefined) return "is not JSON";
  const { data, error } = Line.safeParse(value);
  if (data) return data;
  return error.issues.map(({ path, message }) => [...path, message].join(" ")).join("; ");
};

/** The work items by time, then in the order of the file.
 *  @param name of the file, for error messages
 *  @throws WorkItemsError for an invalid line, or a file without work items */
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
