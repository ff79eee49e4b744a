/** The ways out: calls that take an obstacle away, as an operator would type them. */

import type { Fix } from "../../contract/explanation.ts";
import { advisedCommand } from "../../contract/shell.ts";

export type Remedy =
  | { readonly to: "unfreeze"; readonly repo: string; readonly id: number }
  | { readonly to: "pause" | "resume"; readonly repo: string; readonly work_item: string }
  | {
      readonly to: "cancel";
      readonly task_id: number;
      readonly repo: string;
      readonly work_item: string | null;
    }
  | { readonly to: "retry"; readonly job_id: number };

const query = (parts: Readonly<Record<string, string | number>>): string =>
  Object.entries(parts)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join("&");

/** The way out as an HTTP call and as a command to paste. */
export const asCommand = (way: Remedy): Pick<Fix, "call" | "command"> => {
  switch (way.to) {
    case "unfreeze":
      return {
        call: `POST /unfreeze?${query({ repo: way.repo, id: way.id })}`,
        command: advisedCommand({ verb: ["unfreeze"], options: { id: way.id }, operands: [way.repo] }),
      };
    case "pause":
    case "resume":
      return {
        call: `POST /serial-gate/${way.to}?${query({ work_item: way.work_item, repo: way.repo })}`,
        command: advisedCommand({
          verb: [way.to],
          options: { repo: way.repo },
          operands: [way.work_item],
        }),
      };
    case "cancel":
      return {
        call: `POST /tasks/${way.task_id}/cancel`,
        command: advisedCommand(
          way.work_item === null
            ? { verb: ["task", "cancel"], operands: [way.task_id] }
            : { verb: ["task", "cancel"], options: { repo: way.repo }, operands: [way.work_item] },
        ),
      };
    case "retry":
      return {
        call: `POST /jobs/${way.job_id}/retry`,
        command: advisedCommand({ verb: ["job", "retry"], operands: [way.job_id] }),
      };
  }
};
