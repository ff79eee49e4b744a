/** A statement for each part of the database that decisions read. It fails while that part is unreadable, whatever the
 *  rows say. */

import { join, raw, sql, type Statement } from "../../store/sql.ts";
import { CHANGED_TABLE, QUEUE_CHANGES } from "../../store/triggers/queue-changes.ts";
import { HOLD_REASONS } from "./reasons/index.ts";
import { EVERYTHING_READABLE, type Visibility } from "./visibility.ts";

/** Every answer names tasks, whichever reasons there are. */
const TASKS = { stages: sql`SELECT id, work_item_id, stage FROM tasks LIMIT 1` };

const probeOf = (part: keyof Visibility): Statement => {
  for (const probes of [TASKS, ...HOLD_REASONS.map((reason) => reason.probes)] as const) {
    const probe = (probes as Partial<Record<keyof Visibility, Statement>>)[part];
    if (probe) return probe;
  }
  throw new Error(`No reason has a probe for ${part}.`);
};

export const PROBES = Object.fromEntries(
  Object.keys(EVERYTHING_READABLE).map((part) => [part, probeOf(part as keyof Visibility)]),
) as Readonly<Record<keyof Visibility, Statement>>;

/** A statement that fails while one of the parts is unreadable that a decision takes for readable: for an answer that may
 *  come without reading them. */
export const probeAll = (visible: Visibility = EVERYTHING_READABLE): Statement => {
  const parts = Object.entries(PROBES).filter(([part]) => visible[part as keyof Visibility]);
  return sql`SELECT ${join(
    [raw("0"), ...parts.map(([part, probe]) => sql`(SELECT COUNT(*) FROM (${probe}) AS ${raw(part)})`)],
    " + ",
  )} AS readable`;
};

/** The draws that count the changes of all lanes, whichever program makes them. */
export const LANE_CHANGES = { from: QUEUE_CHANGES, by: CHANGED_TABLE } as const;
