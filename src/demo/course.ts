/** The course of a work item in the demo: its steps, and how long each takes. It depends on the work item alone. */

import { createHash } from "node:crypto";
import type { WorkItem } from "../replay/work-items.ts";

/** Input of a job: the size of its work. */
export interface Size {
  readonly files: number;
  readonly lines: number;
}

interface Step {
  readonly agent: string;
  readonly stage: string;
  readonly needs: (size: Size) => boolean;
  readonly words: string;
}

export const ENTRY_AGENT = "analyst";

const STEPS: readonly Step[] = [
  { agent: ENTRY_AGENT, stage: "analysis", needs: () => true, words: "reading the code" },
  { agent: "developer", stage: "development", needs: () => true, words: "tests" },
  { agent: "reviewer", stage: "review", needs: ({ lines }) => lines >= 10, words: "files reviewed" },
  { agent: "tester", stage: "testing", needs: ({ lines }) => lines >= 50, words: "scenarios" },
  { agent: "deployer", stage: "deploy", needs: ({ files }) => files >= 5, words: "regions" },
];

/** The agents that have workers in the demo. */
export const AGENTS = STEPS.map(({ agent }) => agent);

/** The step after the agent's job; undefined when the task is done. */
export const stepAfter = (agent: string, size: Size): Step | undefined =>
  STEPS.slice(STEPS.findIndex((step) => step.agent === agent) + 1).find(({ needs }) => needs(size));

/** A number in [0, 1) that a text has in every run. */
export const lotOf = (text: string): number =>
  createHash("sha256").update(text).digest().readUInt32BE() / 2 ** 32;

/** How long a step takes, in units: small work one to three, large work up to eight. */
export const effortOf = (
  job: { readonly work_item_id: string | null; readonly agent: string },
  { lines }: Size,
): number => 1 + Math.min(5, Math.log2(1 + lines / 8)) + 2 * lotOf(`${job.work_item_id ?? ""} ${job.agent}`);

export const sizeOf = ({ files, lines }: WorkItem): Size => ({ files, lines });

/** How far a step is, as a worker says it. */
export const progressOf = (agent: string, size: Size, part: number): string => {
  const words = STEPS.find((step) => step.agent === agent)?.words ?? "steps";
  if (agent === ENTRY_AGENT) return words;
  const all = agent === "developer" ? 20 + size.lines : agent === "reviewer" ? Math.max(1, size.files) : 12;
  return `${Math.floor(all * part)} of ${all} ${words}`;
};
