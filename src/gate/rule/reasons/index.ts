/** The reasons, in the order in which the rule asks them. */

import { REASONS, type Reason } from "../../../contract/vocabulary.ts";
import type { HoldReason } from "../hold-reason.ts";
import { activeTask } from "./active-task.ts";
import { dependency } from "./dependency.ts";
import { finished } from "./finished.ts";
import { freeze } from "./freeze.ts";
import { paused } from "./paused.ts";

const MODULES: Readonly<Record<Reason, HoldReason>> = {
  paused,
  finished,
  freeze,
  dependency,
  "active-task": activeTask,
};

export const HOLD_REASONS: readonly HoldReason[] = REASONS.map((name) => MODULES[name]);
