/** The ways out: calls that take an obstacle away, as an operator would type them. */

import type { Fix } from "../../contract/explanation.ts";

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

const PLAIN = /^[A-Za-z0-9_./:@%+=,#-]+$/;

/** A word for a shell. One that begins with a dash would be taken for an option. */
const word = (text: string): string =>
  PLAIN.test(text) && !text.startsWith("#") ? text : `'${text.replaceAll("'", `'\\''`)}'`;

const query = (parts: Readonly<Record<string, string | number>>): string =>
  Object.entries(parts)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join("&");

/** The way as an HTTP call and as a command. */
export const asCommand = (way: Remedy): Pick<Fix, "call" | "command"> => {
  switch (way.to) {
    case "unfreeze":
      return {
        call: `POST /unfreeze?${query({ repo: way.repo, id: way.id })}`,
        command: `serial-gate unfreeze ${word(way.repo)} --id ${way.id}`,
      };
    case "pause":
    case "resume":
      return {
        call: `POST /serial-gate/${way.to}?${query({ work_item: way.work_item, repo: way.repo })}`,
        command: `serial-gate ${way.to} ${word(way.work_item)} --repo ${word(way.repo)}`,
      };
    case "cancel":
      return {
        call: `POST /tasks/${way.task_id}/cancel`,
        command:
          way.work_item === null
            ? `serial-gate task cancel ${way.task_id}`
            : `serial-gate task cancel ${word(way.work_item)} --repo ${word(way.repo)}`,
      };
    case "retry":
      return { call: `POST /jobs/${way.job_id}/retry`, command: `serial-gate job retry ${way.job_id}` };
  }
};
