/** Takes the lane from a task that is paused, and notes which finishes in its lane the task must be told of (overtakes.ts).
 *  The triggers do it for other programs; serial-gate's own statements set the same columns. The other half, a task that
 *  acquires its lane when a job of it begins to run, is with the ready index (gate/rule/ready-index.ts): a trigger on jobs
 *  that writes to tasks must be droppable, or no job could be claimed while tasks cannot be read. */

import { LANE_STATE } from "../../contract/vocabulary.ts";
import type { Trigger } from "../port.ts";
import { raw, sql, type Statement } from "../sql.ts";

/** The latest finish in any lane. Those that come later in a lane have a higher id. */
const LATEST = "(SELECT COALESCE(MAX(id), 0) FROM gate_finishes)";

/** FROM and WHERE of the finishes in a task's lane since it was paused. */
const SINCE_PAUSE = "gate_finishes f WHERE f.repo = tasks.repo AND f.id > tasks.paused_from";

/** Part of the UPDATE of a task that starts: from now on its base gets stale. */
export const watchesBase = raw(`base_from = COALESCE(base_from, ${LATEST})`);

/** Part of the UPDATE of a task of which a job begins to run. */
export const acquiresLane = sql`lane_state = ${raw(String(LANE_STATE.acquired))}, ${watchesBase}`;

/** Part of the UPDATE that pauses a task. A pause in which tasks finished, and of which no job was told yet, goes on. */
export const losesLane =
  raw(`lane_state = CASE lane_state WHEN ${LANE_STATE.acquired} THEN ${LANE_STATE.lost} ELSE lane_state END,
      paused_from = CASE WHEN EXISTS (SELECT 1 FROM ${SINCE_PAUSE} AND f.id <= tasks.paused_to) THEN paused_from ELSE ${LATEST} END,
      paused_to = NULL`);

/** Part of the UPDATE that resumes a task. A pause in which no task finished is forgotten. */
export const takesPlaceBack =
  raw(`paused_from = CASE WHEN EXISTS (SELECT 1 FROM ${SINCE_PAUSE}) THEN paused_from END,
      paused_to = ${LATEST}`);

const onPause = (change: string, when: string, set: Statement): Trigger => ({
  name: `gate_state_tasks_${change}`,
  table: "tasks",
  after: "UPDATE OF paused_at",
  when: raw(`${when} AND NEW.gate_writes = OLD.gate_writes`),
  body: [sql`UPDATE tasks SET ${set} WHERE id = NEW.id`],
});

export const LANE_STATES: readonly Trigger[] = [
  onPause("paused", "NEW.paused_at IS NOT NULL AND OLD.paused_at IS NULL", losesLane),
  onPause("resumed", "NEW.paused_at IS NULL AND OLD.paused_at IS NOT NULL", takesPlaceBack),
];
