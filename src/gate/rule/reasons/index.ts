/** The reasons, in the order in which the rule asks them. */

import { REASONS, type Reason } from "../../../contract/vocabulary.ts";
import type { HoldReason } from "../hold-reason.ts";
import { activeTask } from "./active-task.ts";
import { dependency } from "./dependency.ts";
import { freeze } from "./freeze.ts";

const MODULES: Readonly<Record<Reason, HoldReason>> = { freeze, dependency, "active-task": activeTask };

export const HOLD_REASONS: readonly HoldReason[] = REASONS.map((name) => MODULES[name]);
