/** A statement for each part of the database that decisions read. It fails while that part is unreadable, whatever the
 *  rows say. */

import { sql, type Statement } from "../../store/sql.ts";
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
