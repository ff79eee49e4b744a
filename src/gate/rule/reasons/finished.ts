/** A task that is finished, in strict lanes: an entry job that another program left queued does not start it again. Our
 *  own calls cancel such a job when they finish its task. */

import { TERMINAL_STAGES } from "../../../contract/vocabulary.ts";
import type { Tx } from "../../../store/port.ts";
import { exists, raw, sql, type Statement } from "../../../store/sql.ts";
import type { FoundBlocker, HoldReason } from "../hold-reason.ts";
import { unfinished } from "../lane.ts";
import { isEntryJob, isInScope } from "../scope.ts";

const finishedTask = (task: Statement): Statement =>
  sql`tasks own WHERE own.id = ${task} AND NOT (${unfinished("own")})`;

export const finished: HoldReason = {
  name: "finished",
  applies: (policy) => policy.enabled && policy.strictLanes,
  holds: (policy, job, visible) =>
    visible.lanes
      ? sql`${isEntryJob(policy, job)} AND ${isInScope(policy, job)} AND ${exists(finishedTask(raw(`${job}.task_id`)))}`
      : undefined,
  probes: {},
  reevaluatedBy: () => [
    {
      name: "finished",
      table: "tasks",
      after: "UPDATE OF id, stage",
      when: sql`((${unfinished("OLD")}) <> (${unfinished("NEW")}) OR OLD.id <> NEW.id)`,
      affects: [
        { effect: "either", jobs: raw("task_id = OLD.id") },
        { effect: "either", jobs: raw("task_id = NEW.id") },
      ],
    },
    {
      name: "created",
      table: "tasks",
      after: "INSERT",
      when: sql`NOT (${unfinished("NEW")})`,
      affects: [{ effect: "either", jobs: raw("task_id = NEW.id") }],
    },
    {
      name: "deleted",
      table: "tasks",
      after: "DELETE",
      when: sql`NOT (${unfinished("OLD")})`,
      affects: [{ effect: "either", jobs: raw("task_id = OLD.id") }],
    },
  ],
  *blockers({ task, job }): Tx<FoundBlocker[]> {
    return [
      {
        since: task.stage === TERMINAL_STAGES[1] ? task.cancelled_at : null,
        by: null,
        detail: `its task is ${task.stage}: it would start finished work again`,
        blocker: { kind: "task", task, jobs: [], freeze: null },
        remedies: [{ action: "cancel-job", job_id: job.id }],
      },
    ];
  },
};
