/** Counts the changes of all lanes together: every move of a lane's revision draws an id of a table without rows. So the
 *  queue is unchanged while no id is drawn, however many lanes there are; and on PostgreSQL no lane waits for another one to
 *  be counted, as it would for a row that all of them update (docs/adr/0010).
 *  Also moves the revision for columns that the queue shows and that the gate itself never changes: a list of columns of its
 *  own, so that no frequent statement is told of them. */

import type { Trigger } from "../port.ts";
import { raw, sql } from "../sql.ts";
import { changes, laneOf } from "./columns.ts";

/** Draws an id for each change of a lane, and has no rows. */
export const QUEUE_CHANGES = "gate_changes";
/** Each writer that draws one writes to this table first. */
export const CHANGED_TABLE = "gate_lanes";

const onLane = (name: string, after: Trigger["after"], when: string): Trigger => ({
  name: `gate_queue_lanes_${name}`,
  table: CHANGED_TABLE,
  after,
  when: raw(when),
  body: [{ kind: "draw", from: QUEUE_CHANGES }],
});

export const QUEUE_CHANGE_COUNT: readonly Trigger[] = [
  {
    name: "gate_lane_jobs_renamed",
    table: "jobs",
    after: "UPDATE OF id, created_at",
    when: changes("id", "created_at"),
    body: [sql`UPDATE gate_lanes SET revision = revision + 1 WHERE repo = ${laneOf("NEW")}`],
  },
  // A lane without a change is a lock only.
  onLane("inserted", "INSERT", "NEW.revision > 0"),
  onLane("changed", "UPDATE OF revision", "NEW.revision <> OLD.revision"),
];
