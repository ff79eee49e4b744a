/** Writes the first lines of an explanation: the wait in one sentence, its root causes, the calls that end them, and what
 *  starts then. The command line and the dashboard print these words; nobody else writes them. */

import type { Effect } from "../../../contract/effect.ts";
import type { Root as RootLines } from "../../../contract/explanation.ts";
import { labelOf } from "../../../contract/names/label.ts";
import type { Task } from "../../../contract/tasks.ts";
import { isTerminal } from "../../../contract/vocabulary.ts";
import { listOf } from "../../rule/words.ts";
import type { FoundObstacle } from "./investigation.ts";
import { mainRoot, needsCall, obstaclesOf, type Wait } from "./root.ts";

/** Names that a sentence lists. */
const MOST_LISTED = 10;

const listed = (names: readonly string[]): string =>
  listOf(
    names.length > MOST_LISTED
      ? [...names.slice(0, MOST_LISTED - 1), `${names.length - MOST_LISTED + 1} others`]
      : names,
  );

/** `waits for an unfreeze (freeze), API-2 in acme/api (dependency) and WEB-7 (active-task)` */
const waitsFor = (obstacles: readonly FoundObstacle[], { repo }: Task): string => {
  const names = obstacles.map(
    ({ reason, end, detail, blocker: { task } }) =>
      `${end?.awaits ?? (task ? labelOf(task, repo) : detail)} (${reason})`,
  );
  return `waits for ${listed([...new Set(names)])}`;
};

/** The state of a work item in one sentence. */
const headline = ({ state, roots }: Wait, stuck: boolean): string => {
  const { task } = state;
  const name = labelOf(task);
  const obstacles = obstaclesOf(state);
  const main = mainRoot(roots);
  if (obstacles && isTerminal(task.stage)) return `${name} is ${task.stage}, but a job of it is left.`;
  if (isTerminal(task.stage)) return `${name} is ${task.stage}.`;
  if (obstacles?.every(({ reason }) => reason === "paused")) return `${name} is paused.`;
  if (obstacles) return `${name} ${stuck ? "is stuck: it " : ""}${waitsFor(obstacles, task)}.`;
  const { reason, detail = "", ended_by } = main?.cause ?? {};
  if (reason === "running") return `${name} has started: ${detail.replace(` of ${name}`, "")}.`;
  return ended_by === "call" && reason !== "paused"
    ? `${name} is stuck: ${detail.replace(` of ${name}`, "")}.`
    : `${detail.replace(` of ${name}`, "")}.`;
};

/** The calls of a way out together, tried. */
export interface Plan {
  readonly calls: readonly string[];
  readonly commands: readonly string[];
  readonly condition: string | null;
  readonly effect: Effect | null;
  /** The obstacles of the explained job then; null where it could not be tried. */
  readonly still: readonly FoundObstacle[] | null;
}

/** The effect of a plan in a sentence. */
const thenSentence = ({ effect, still }: Plan, task: Task): string | null => {
  if (effect === null) return null;
  const starts = effect.now_claimable.map(
    ({ job_id, task_id, work_item_id, repo }) =>
      `job ${job_id}${task_id === null ? ` in ${repo}` : ` of ${labelOf({ id: task_id, work_item_id, repo })}`}`,
  );
  const then =
    starts.length > 0
      ? `Then workers can claim ${listed(starts)}`
      : "Then no further job can be claimed at once";
  return still === null || still.length === 0
    ? `${then}.`
    : `${then}; ${labelOf(task, task.repo)} still ${waitsFor(still, task)}.`;
};

const sentenceOf = (
  { headline: head, causes, fix, also }: Omit<RootLines, "sentence">,
  isHeld: boolean,
): string => {
  const details = causes.map(({ detail }) => detail);
  return [
    head,
    ...(isHeld && details.length > 0
      ? [`Root cause${details.length > 1 ? "s" : ""}: ${details.join("; ")}.`]
      : []),
    ...(fix ? [`${wayOutLabel(fix)} ${fix.commands.join(" && ")}.`, fix.then ?? ""] : []),
    ...also.map((each) => `Also: ${each}.`),
  ]
    .filter((part) => part !== "")
    .join(" ");
};

/** `To end it:` */
const wayOutLabel = ({ commands, condition }: Pick<Plan, "commands" | "condition">): string => {
  const it = commands.length > 1 ? "them" : "it";
  return condition === null ? `To end ${it}:` : `If ${condition}:`;
};

/** The first lines of an explanation. */
export const rootLines = (wait: Wait, stuck: boolean, plan: Plan | null): RootLines => {
  const { state, roots } = wait;
  const { task } = state;
  const isHeld = obstaclesOf(state) !== undefined;
  const main = mainRoot(roots);
  const chosen = roots.filter((root) => root === main || needsCall(root));
  const lines = {
    headline: headline(wait, stuck),
    causes: isTerminal(task.stage) && !isHeld ? [] : chosen.map(({ cause }) => cause),
    fix: plan && {
      calls: [...plan.calls],
      commands: [...plan.commands],
      condition: plan.condition,
      effect: plan.effect,
      then: thenSentence(plan, task),
    },
    also: roots.filter((root) => !chosen.includes(root)).map(({ cause }) => cause.detail),
  };
  return { sentence: sentenceOf(lines, isHeld), ...lines };
};
