/** Keeps `tasks.lane_state`: a task acquires its lane when a job of it begins to run, and loses it when it is paused after
 *  that, whichever program writes. Strict lanes decide by it (gate/rule/lane.ts); without them it is kept all the same, so
 *  that they can be switched on at any time. */

import { LANE_STATE } from "../../contract/vocabulary.ts";
import type { Trigger } from "../port.ts";
import { raw } from "../sql.ts";

const acquire = raw(
  `UPDATE tasks SET lane_state = ${LANE_STATE.acquired} WHERE id = NEW.task_id AND lane_state <> ${LANE_STATE.acquired}`,
);

export const LANE_STATES: readonly Trigger[] = [
  {
    name: "gate_state_jobs_inserted",
    table: "jobs",
    after: "INSERT",
    when: raw("NEW.status = 'running' AND NEW.task_id IS NOT NULL"),
    body: [acquire],
  },
  {
    name: "gate_state_jobs_claimed",
    table: "jobs",
    after: "UPDATE OF status",
    when: raw("NEW.status = 'running' AND OLD.status <> 'running' AND NEW.task_id IS NOT NULL"),
    body: [acquire],
  },
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
