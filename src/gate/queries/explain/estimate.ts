/** When a job may start, from how long the tasks of its repository held the lane that were done last. */

import { all, now, type Tx } from "../../../store/port.ts";
import { sql } from "../../../store/sql.ts";
import { decode } from "../../../store/json.ts";
import type { Estimate } from "../../../contract/explanation.ts";
import type { Policy } from "../../rule/policy.ts";
import { fromStored } from "../../../store/timestamps.ts";

/** How many recorded changes of a repository are looked at, and how many of its tasks must be among them. */
const RECORD = 2_000;
const FEWEST = 5;

interface Turn {
  from?: number;
  to?: number;
  paused?: boolean;
}

interface EventRow {
  readonly task_id: number;
  readonly kind: string;
  readonly at: string;
  readonly detail: string | null;
}

/** From the first claim of a task's entry job to its end, by task; milliseconds since 1970 UTC. */
function* turnsIn(policy: Policy, repo: string): Tx<Map<number, Turn>> {
  const turns = new Map<number, Turn>();
  const rows = yield* all<EventRow>(sql`SELECT task_id, kind, at, detail FROM gate_events
    WHERE repo = ${repo} AND task_id IS NOT NULL ORDER BY id DESC LIMIT ${RECORD}`);
  for (const { task_id, kind, at, detail } of rows) {
    const turn = turns.get(task_id) ?? {};
    turns.set(task_id, turn);
    const { agent, to } = (decode(detail) ?? {}) as { agent?: string; to?: string };
    if (kind === "job.claimed" && agent === policy.entryAgent) turn.from = fromStored(at);
    else if (kind === "task.stage" && to === "done") turn.to ??= fromStored(at);
    else if (kind === "task.paused") turn.paused = true;
  }
  return turns;
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** @param sorted at least one value */
const quantile = (sorted: readonly number[], share: number): number => {
  const value = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  if (value === undefined) throw new RangeError("There is no quantile of no values.");
  return value;
};

/** Milliseconds, in ascending order. */
interface Spans {
  /** The rest of the head's turn. */
  readonly head: readonly number[];
  /** A whole turn. */
  readonly each: readonly number[];
  /** How many tasks are ahead beside the head. */
  readonly others: number;
}

/** A quantile of what is left for the head, and then for the others ahead of it. That of the sum is taken to be as
 *  far from its mean as if the parts were independent. */
const sumQuantile = ({ head, each, others }: Spans, share: number): number => {
  const offHead = quantile(head, share) - mean(head);
  const offEach = quantile(each, share) - mean(each);
  const off = Math.sign(offHead + others * offEach) * Math.hypot(offHead, Math.sqrt(others) * offEach);
  return Math.max(0, mean(head) + others * mean(each) + off);
};

export const noEstimate = (unavailable: string): Estimate => ({ p50: null, p90: null, unavailable });

/** For a job that waits for nothing but its turn.
 *  @param ahead the tasks that hold the lane before it, its head first */
export function* estimateStart(policy: Policy, repo: string, ahead: readonly number[]): Tx<Estimate> {
  const turns = yield* turnsIn(policy, repo);
  const each = [...turns.values()]
    .flatMap(({ from, to, paused }) =>
      from !== undefined && to !== undefined && to >= from && paused !== true ? [to - from] : [],
    )
    .sort((a, b) => a - b);
  if (each.length < FEWEST) return noEstimate(`${each.length} of ${FEWEST} finished tasks needed`);
  const at = yield* now();
  const [first, ...others] = ahead;
  const started = first === undefined ? undefined : turns.get(first)?.from;
  const gone = started === undefined ? 0 : at - started;
  const head = each.filter((ms) => ms > gone).map((ms) => ms - gone);
  if (head.length === 0)
    return noEstimate(`the task ahead takes longer than any of the last ${each.length} of ${repo}`);
  const time = (share: number): string =>
    new Date(at + sumQuantile({ head, each, others: others.length }, share)).toISOString();
  return { p50: time(0.5), p90: time(0.9), unavailable: null };
}
