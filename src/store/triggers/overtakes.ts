/** Logs the tasks that finish in a lane while another of its tasks is paused or in progress: the base of the other one may
 *  be stale then. One row a finish, however many tasks it concerns; each task knows from which row on it must be told
 *  (lane-state.ts), and a claim reads its rows (gate/commands/overtakes.ts). */

import { LANE_STATE, TERMINAL_STAGES } from "../../contract/vocabulary.ts";
import type { Trigger } from "../port.ts";
import { list, raw, sql, type Statement } from "../sql.ts";

const TERMINAL = list(TERMINAL_STAGES);

/** True where the lane has another unfinished task that meets the condition. The conditions are spelled as the partial
 *  indexes are, so that the planner takes them. */
const another = (condition: string): Statement =>
  sql`EXISTS (SELECT 1 FROM tasks o WHERE o.repo = NEW.repo AND ${raw(condition)} AND o.stage NOT IN ${TERMINAL} AND o.id <> NEW.id)`;

const PAUSED = another("o.paused_from IS NOT NULL");
const STARTED = another(`o.lane_state <> ${LANE_STATE.none}`);

export const OVERTAKES: readonly Trigger[] = [
  {
    name: "gate_overtakes_tasks_finished",
    table: "tasks",
    after: "UPDATE OF stage",
    when: sql`NEW.stage IN ${TERMINAL} AND OLD.stage NOT IN ${TERMINAL}`,
    body: [
      sql`INSERT INTO gate_finishes(repo, task_id, started)
    SELECT NEW.repo, NEW.id, CASE NEW.lane_state WHEN ${raw(String(LANE_STATE.none))} THEN 0 ELSE 1 END
    WHERE ${PAUSED} OR (NEW.lane_state <> ${raw(String(LANE_STATE.none))} AND ${STARTED})`,
      {
        kind: "if any",
        row: raw("gate_finishes WHERE repo = NEW.repo"),
        change: sql`DELETE FROM gate_finishes WHERE repo = NEW.repo AND NOT ${PAUSED} AND NOT ${STARTED}`,
      },
    ],
  },
];
