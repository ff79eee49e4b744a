/** Remembers which tasks finish in a lane while another of its tasks is paused: the paused task's base is stale then.
 *  A trigger sees every finish, also one that another program writes. */

import { TERMINAL_STAGES } from "../../contract/vocabulary.ts";
import type { Trigger } from "../port.ts";
import { list, sql } from "../sql.ts";

const TERMINAL = list(TERMINAL_STAGES);

export const OVERTAKES: readonly Trigger[] = [
  {
    name: "gate_overtakes_tasks_finished",
    table: "tasks",
    after: "UPDATE OF stage",
    when: sql`NEW.stage IN ${TERMINAL} AND OLD.stage NOT IN ${TERMINAL}`,
    body: [
      sql`INSERT INTO gate_overtakes(task_id, overtaken_by)
    SELECT paused.id, NEW.id FROM tasks paused
    WHERE paused.repo = NEW.repo AND paused.id <> NEW.id
      AND paused.paused_at IS NOT NULL AND paused.stage NOT IN ${TERMINAL}`,
    ],
  },
];
