/** Every trigger that a database has whatever the policy. The triggers of the ready index depend on the policy: the rule
 *  makes them (gate/rule/ready-index.ts). */

import type { Trigger } from "../port.ts";
import { FOREIGN_EVENTS } from "./foreign-events.ts";
import { LANE_COUNTERS } from "./lane-counters.ts";
import { LANE_STATES } from "./lane-state.ts";
import { OVERTAKES } from "./overtakes.ts";
import { QUEUE_CHANGE_COUNT } from "./queue-changes.ts";
import { RUNS } from "./runs.ts";
import { TIMES } from "./times.ts";

/** The triggers by the module that has them. */
export const MODULES: Readonly<Record<string, readonly Trigger[]>> = {
  "src/store/triggers/lane-counters.ts": LANE_COUNTERS,
  "src/store/triggers/queue-changes.ts": QUEUE_CHANGE_COUNT,
  "src/store/triggers/lane-state.ts": LANE_STATES,
  "src/store/triggers/overtakes.ts": OVERTAKES,
  "src/store/triggers/runs.ts": RUNS,
  "src/store/triggers/foreign-events.ts": FOREIGN_EVENTS,
  "src/store/triggers/times.ts": TIMES,
};

export const CATALOGUE: readonly Trigger[] = Object.values(MODULES).flat();
