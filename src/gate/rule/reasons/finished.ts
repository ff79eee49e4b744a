/** Finished is finished, whoever moved the task (docs/adr/0017): the runs and the waiting jobs that end with it. Our own
 *  calls end them; an entry job that another program left queued is held here, in strict lanes, so that it does not start
 *  the task again. */

import { isTerminal, TERMINAL_STAGES } from "../../../contract/vocabulary.ts";
import { labelOf } from "../../../contract/names/label.ts";
import type { Tx } from "../../../store/port.ts";
import { sql, type Statement } from "../../../store/sql.ts";
import type { FoundBlocker, HoldReason } from "../hold-reason.ts";
import { unfinished } from "../lane.ts";
import type { Policy } from "../policy.ts";
import { ownTaskIs, turnsOf } from "../own-task.ts";
import { isEntryJob, isInScope } from "../scope.ts";

/** A job that runs, and its task. */
interface Run {
  /** The task's; null for a job without a task. */
  readonly stage: string | null;
  /** 1 when the task finished after the job was claimed. */
  readonly task_finished: number;
}

/** True for a run that its task's end ends: it may complete, and nothing else comes of it. A run that began after its
 *  task was done lives as any other. */
export const endsWithTask = ({ stage, task_finished }: Run): boolean =>
  stage === "cancelled" || (task_finished === 1 && stage !== null && isTerminal(stage));

/** True for a stage in which no job of the agent may wait: a task that is done is not started again, though it may still
 *  be looked after; for a cancelled task nothing is done any more. */
export const takesNoJob = ({ entryAgent }: Policy, stage: string, agent: string): boolean =>
  stage === "cancelled" || (isTerminal(stage) && agent === entryAgent);

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
