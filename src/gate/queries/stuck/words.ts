/** Tells people of a cause: a clause, and the calls that end it. A cause in a repository that the caller may not know is told
 *  without names and without calls. */

import { labelOf } from "../../../contract/names/label.ts";
import { EVERYWHERE, sees, type Reach } from "../../../contract/names/repo-pattern.ts";
import { cancelRemedy, pauseRemedy, resumeRemedy, type Remedy } from "../../rule/remedy.ts";
import { ANOTHERS_TASK, NO_JOB, shortText } from "../../rule/words.ts";
import type { BlockedTask } from "./blocked.ts";
import type { Cause } from "./causes.ts";

interface NamedTask {
  readonly id: number;
  readonly repo: string;
  readonly work_item_id: string | null;
}

const label = ({ task_id: id, work_item_id, repo }: BlockedTask, among: string): string =>
  labelOf({ id, work_item_id, repo }, among);

/** True for a cause whose tasks are all in repositories that the caller may know. */
export const isSeen = (cause: Cause, reach: Reach): boolean => {
  const others = cause.kind === "cycle" ? cause.path : cause.kind === "paused" ? [cause.needed] : [];
  return [cause.task, ...others].every(({ repo }) => sees(reach, repo));
};

/** Describes a cause in a clause about the task itself, for people. */
export const describeCause = (cause: Cause, reach: Reach = EVERYWHERE): string => {
  const { repo } = cause.task;
  if (!isSeen(cause, reach)) return `it waits for ${ANOTHERS_TASK}, which cannot move by itself`;
  switch (cause.kind) {
    case "failed": {
      const { job_id = 0, agent = "", error = null } = cause.task.failed ?? {};
      return `its job ${job_id} (${agent}) failed${error === null ? "" : `: ${shortText(error)}`}`;
    }
    case "idle":
      return `it ${NO_JOB}`;
    case "own-pause":
      return "it is paused without an end";
    case "finished":
      return `it is ${cause.task.stage}, so its job ${cause.task.leftJob ?? 0} never starts`;
    case "paused":
      return `it depends on ${label(cause.needed, repo)}, which is paused without an end`;
    case "cycle":
      return `it waits for itself: ${cause.path.map((task) => label(task, repo)).join(" -> ")}`;
  }
};

const remedyFor = (
  remedy: (task: NamedTask) => Remedy,
  { task_id, repo, work_item_id }: BlockedTask,
): Remedy => remedy({ id: task_id, repo, work_item_id });

/** The calls that end a cause. A task without a job has none: it needs a job of the orchestrator's; nor has a cause that
 *  the caller may not know. */
export const remediesFor = (cause: Cause, reach: Reach = EVERYWHERE): Remedy[] => {
  if (!isSeen(cause, reach)) return [];
  switch (cause.kind) {
    case "failed":
      return cause.task.failed ? [{ action: "retry", job_id: cause.task.failed.job_id }] : [];
    case "idle":
      return [];
    case "own-pause":
      return [remedyFor(resumeRemedy, cause.task)];
    case "finished":
      return cause.task.leftJob === null ? [] : [{ action: "cancel-job", job_id: cause.task.leftJob }];
    case "paused":
      return [remedyFor(resumeRemedy, cause.needed)];
    case "cycle": {
      const [task, ...rest] = cause.path;
      let before = task;
      for (const next of rest) {
        // A task that is ahead in a lane lets the others pass while it is paused.
        if (before?.behind.includes(next.task_id)) return [remedyFor(pauseRemedy, next)];
        before = next;
      }
      const needed = rest[0];
      return needed ? [remedyFor(cancelRemedy, needed)] : [];
    }
  }
};
