/** The end of a task for its jobs: finished is finished, whoever moved the task (docs/adr/0017). It decides on rows that the
 *  caller read under the lane's lock; the commands change them. */

import { isTerminal } from "../../contract/vocabulary.ts";
import type { Policy } from "./policy.ts";

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
