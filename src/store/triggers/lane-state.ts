/** Takes the lane from a task that is paused, whichever program pauses it (`tasks.lane_state`). The other half, a task that
 *  acquires its lane when a job of it begins to run, is with the ready index (gate/rule/ready-index.ts): a trigger on jobs
 *  that writes to tasks must be droppable, or no job could be claimed while tasks cannot be read. */

import { LANE_STATE } from "../../contract/vocabulary.ts";
import type { Trigger } from "../port.ts";
import { raw } from "../sql.ts";

export const LANE_STATES: readonly Trigger[] = [
  {
    name: "gate_state_tasks_paused",
    table: "tasks",
    after: "UPDATE OF paused_at",
    when: raw(
      `NEW.paused_at IS NOT NULL AND OLD.paused_at IS NULL AND NEW.lane_state = ${LANE_STATE.acquired}`,
    ),
    body: [raw(`UPDATE tasks SET lane_state = ${LANE_STATE.lost} WHERE id = NEW.id`)],
  },
];
