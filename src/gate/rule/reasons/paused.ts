/** A task that is paused, in strict lanes: none of its queued jobs starts, whatever their agent. A running job runs to
 *  its end. Fails open, as all that strict lanes add. */

import type { Tx } from "../../../store/port.ts";
import { exists, raw, sql } from "../../../store/sql.ts";
import type { Affected, FoundBlocker, HoldReason } from "../hold-reason.ts";
import { pauseRemedy } from "../remedy.ts";
import { isInScope } from "../scope.ts";

const ofTask = (row: "OLD" | "NEW"): Affected => ({ effect: "either", jobs: raw(`task_id = ${row}.id`) });

export const paused: HoldReason = {
  name: "paused",
  applies: (policy) => policy.enabled && policy.pause && policy.strictLanes,
  holds: (policy, job, visible) =>
    visible.lanes
      ? sql`${isInScope(policy, job)} AND ${exists(
          raw(`tasks own WHERE own.id = ${job}.task_id AND own.paused_at IS NOT NULL`),
        )}`
      : undefined,
  probes: {},
  reevaluatedBy: () => [
    {
      name: "changed",
      table: "tasks",
      after: "UPDATE OF id, paused_at",
      when: raw("((OLD.paused_at IS NULL) <> (NEW.paused_at IS NULL) OR OLD.id <> NEW.id)"),
      affects: [ofTask("OLD"), ofTask("NEW")],
    },
    {
      name: "created",
      table: "tasks",
      after: "INSERT",
      when: raw("NEW.paused_at IS NOT NULL"),
      affects: [ofTask("NEW")],
    },
    {
      name: "deleted",
      table: "tasks",
      after: "DELETE",
      when: raw("OLD.paused_at IS NOT NULL"),
      affects: [ofTask("OLD")],
    },
  ],
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
        remedies: pauseRemedy("resume", task),
      },
    ];
  },
};
