/** The remedies: calls that remove a blocker, spelled as an HTTP call and as a command that can be pasted. */

import type { Fix } from "../../contract/explanation.ts";
import { advisedCommand } from "../../contract/shell.ts";

export type Remedy =
  | { readonly action: "unfreeze"; readonly repo: string; readonly id: number }
  | { readonly action: "pause" | "resume"; readonly repo: string; readonly work_item: string }
  | {
      readonly action: "cancel";
      readonly task_id: number;
      readonly repo: string;
      readonly work_item: string | null;
    }
  | { readonly action: "retry" | "cancel-job"; readonly job_id: number };

interface Named {
  readonly id: number;
  readonly repo: string;
  readonly work_item_id: string | null;
}

export const cancelRemedy = ({ id, repo, work_item_id }: Named): Remedy => ({
  action: "cancel",
  task_id: id,
  repo,
  work_item: work_item_id,
});

/** None for a task without a work item. */
export const pauseRemedy = (
  action: "pause" | "resume",
  { repo, work_item_id }: Omit<Named, "id">,
): Remedy[] => (work_item_id === null ? [] : [{ action, repo, work_item: work_item_id }]);

const query = (parts: Readonly<Record<string, string | number>>): string =>
  Object.entries(parts)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join("&");

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
        call: `POST /serial-gate/${remedy.action}?${query({ work_item: remedy.work_item, repo: remedy.repo })}`,
        command: advisedCommand({
          verb: [remedy.action],
          options: { repo: remedy.repo },
          operands: [remedy.work_item],
        }),
      };
    case "cancel":
      return {
        call: `POST /tasks/${remedy.task_id}/cancel`,
        command: advisedCommand(
          remedy.work_item === null
            ? { verb: ["task", "cancel"], options: { id: remedy.task_id } }
            : { verb: ["task", "cancel"], options: { repo: remedy.repo }, operands: [remedy.work_item] },
        ),
      };
    case "cancel-job":
      return {
        call: `POST /jobs/${remedy.job_id}/cancel`,
        command: `serial-gate job cancel ${remedy.job_id}`,
      };
    case "retry":
      return {
        call: `POST /jobs/${remedy.job_id}/retry`,
        command: advisedCommand({ verb: ["job", "retry"], operands: [remedy.job_id] }),
      };
  }
};
