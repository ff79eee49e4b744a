/** A task that is finished, in strict lanes: an entry job that another program left queued does not start it again. Our
 *  own calls cancel such a job when they finish its task. */

import { TERMINAL_STAGES } from "../../../contract/vocabulary.ts";
import { labelOf } from "../../../contract/label.ts";
import type { Tx } from "../../../store/port.ts";
import { sql, type Statement } from "../../../store/sql.ts";
import type { FoundBlocker, HoldReason } from "../hold-reason.ts";
import { unfinished } from "../lane.ts";
import { ownTaskIs, turnsOf } from "../own-task.ts";
import { isEntryJob, isInScope } from "../scope.ts";

const isFinished = (task: string): Statement => sql`NOT (${unfinished(task)})`;

export const finished: HoldReason = {
  name: "finished",
  applies: (policy) => policy.enabled && policy.strictLanes,
  holds: (policy, job, visible) =>
    visible.lanes
      ? sql`${isEntryJob(policy, job)} AND ${isInScope(policy, job)} AND ${ownTaskIs(job, isFinished)}`
      : undefined,
  probes: {},
  reevaluatedBy: () => turnsOf("stage", isFinished),
  *blockers({ task, job }): Tx<FoundBlocker[]> {
    return [
      {
        since: task.stage === TERMINAL_STAGES[1] ? task.cancelled_at : null,
        by: null,
        detail: `its task is ${task.stage}: it would start finished work again`,
        blocker: { kind: "task", task, jobs: [], freeze: null },
        end: {
          clause: `${labelOf(task)} is ${task.stage}, so its job ${job.id} (${job.agent}) never starts`,
          awaits: "nothing",
          noun: `its own end: it is ${task.stage}`,
          ended_by: "call",
        },
        remedies: [{ action: "cancel-job", job_id: job.id }],
      },
    ];
  },
};
