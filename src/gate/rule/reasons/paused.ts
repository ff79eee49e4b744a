/** A task that is paused, in strict lanes: none of its queued jobs starts, whatever their agent. A running job runs to
 *  its end. Fails open, as all that strict lanes add. */

import type { Tx } from "../../../store/port.ts";
import { raw, sql, type Statement } from "../../../store/sql.ts";
import type { FoundBlocker, HoldReason } from "../hold-reason.ts";
import { isPaused } from "../lane.ts";
import { ownTaskIs, turnsOf } from "../own-task.ts";
import { resumeRemedy } from "../remedy.ts";
import { isInScope } from "../scope.ts";
import { pauseClause, pauseNoun } from "../words.ts";

/** The same for a row alone: a verb for its whole lane evaluates the jobs itself. */
const hasPause = (task: string): Statement => raw(`${task}.paused_at IS NOT NULL`);

export const paused: HoldReason = {
  name: "paused",
  applies: (policy) => policy.enabled && policy.pause && policy.strictLanes,
  holds: (policy, job, visible) =>
    visible.lanes ? sql`${isInScope(policy, job)} AND ${ownTaskIs(job, isPaused)}` : undefined,
  probes: {},
  reevaluatedBy: () => turnsOf("paused_at", hasPause),
  *blockers({ task }): Tx<FoundBlocker[]> {
    const { paused_at, paused_by, pause_reason, pause_until } = task;
    return [
      {
        since: paused_at,
        by: paused_by,
        detail: `it is paused${pause_reason === null ? "" : `: ${pause_reason}`}${
          pause_until === null ? "" : `, until ${pause_until}`
        }`,
        blocker: { kind: "task", task, jobs: [], freeze: null },
        end: {
          clause: pauseClause(task),
          noun: pauseNoun(task),
          awaits: "its resume",
          ended_by: pause_until === null ? "call" : "clock",
        },
        remedies: [resumeRemedy(task)],
      },
    ];
  },
};
