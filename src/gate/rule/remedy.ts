/** The remedies: calls that remove a blocker, spelled as an HTTP call and as a command that can be pasted. */

import type { Fix } from "../../contract/explanation.ts";
import { advisedCommand } from "../../contract/shell.ts";

export type Remedy =
  | { readonly action: "unfreeze"; readonly repo: string; readonly id: number }
  | {
      readonly action: "pause" | "resume" | "cancel";
      readonly task_id: number;
      readonly repo: string;
      /** Null where the task is named by its id: it has no work item, or shares it with another unfinished task. */
      readonly work_item: string | null;
    }
  | { readonly action: "retry" | "cancel-job" | "release"; readonly job_id: number };

/** The reason that an advised release by force gives. */
export const PROGRAM_IS_GONE = "its program is gone";

interface Named {
  readonly id: number;
  readonly repo: string;
  readonly work_item_id: string | null;
}

const onTask =
  (action: "pause" | "resume" | "cancel") =>
  ({ id, repo, work_item_id }: Named): Remedy => ({ action, task_id: id, repo, work_item: work_item_id });

export const cancelRemedy = onTask("cancel");
export const pauseRemedy = onTask("pause");
export const resumeRemedy = onTask("resume");

const query = (parts: Readonly<Record<string, string | number>>): string =>
  Object.entries(parts)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join("&");

const onTaskCommand = (
  verb: readonly string[],
  { work_item, task_id, repo }: Extract<Remedy, { readonly task_id: number }>,
): string =>
  advisedCommand(
    work_item === null
      ? { verb, options: { id: task_id } }
      : { verb, options: { repo }, operands: [work_item] },
  );

/** Spells a remedy as an HTTP call and as a command. */
export const asCommand = (remedy: Remedy): Pick<Fix, "call" | "command"> => {
  switch (remedy.action) {
    case "unfreeze":
      return {
        call: `POST /unfreeze?${query({ repo: remedy.repo, id: remedy.id })}`,
        command: advisedCommand({ verb: ["unfreeze"], options: { id: remedy.id }, operands: [remedy.repo] }),
      };
    case "pause":
    case "resume":
      return {
        call: `POST /serial-gate/${remedy.action}?${query(
          remedy.work_item === null
            ? { task_id: remedy.task_id }
            : { work_item: remedy.work_item, repo: remedy.repo },
        )}`,
        command: onTaskCommand([remedy.action], remedy),
      };
    case "cancel":
      return {
        call: `POST /tasks/${remedy.task_id}/cancel`,
        command: onTaskCommand(["task", "cancel"], remedy),
      };
    case "cancel-job":
      return {
        call: `POST /jobs/${remedy.job_id}/cancel`,
        command: advisedCommand({ verb: ["job", "cancel"], operands: [remedy.job_id] }),
      };
    case "release":
      return {
        call: `POST /jobs/${remedy.job_id}/release?force=true`,
        command: advisedCommand({
          verb: ["job", "release", String(remedy.job_id), "--force"],
          options: { reason: PROGRAM_IS_GONE },
        }),
      };
    case "retry":
      return {
        call: `POST /jobs/${remedy.job_id}/retry`,
        command: advisedCommand({ verb: ["job", "retry"], operands: [remedy.job_id] }),
      };
  }
};
