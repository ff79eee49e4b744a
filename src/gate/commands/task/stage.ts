/** Moves tasks from stage to stage. A terminal stage ends a task for good, with the jobs that must not start any more. */

import { all, lockLane, now, run, type Tx } from "../../../store/port.ts";
import { idsIn, list, raw, rowsOf, sql, type Statement } from "../../../store/sql.ts";
import { withEffect } from "../../rule/effect.ts";
import { GateError } from "../../../contract/errors.ts";
import type { Context } from "../context.ts";
import { recordAll, WRITTEN, type Change } from "../record.ts";
import { groupBy } from "../../group-by.ts";
import { LISTED } from "../../../contract/effect.ts";
import type { ChangedTask, EndedJobs, StageChange } from "../../../contract/tasks.ts";
import { whoActs, type Actor, type Policy } from "../../rule/policy.ts";
import { takesNoJob } from "../../rule/reasons/finished.ts";
import { isTerminal, WAITING_STATUSES, type JobStatus } from "../../../contract/vocabulary.ts";
import { toStored } from "../../../store/timestamps.ts";
import type { TaskRef } from "../lookup/work-item.ts";
import { readTask } from "./read.ts";

function* taskInLane(id: number): Tx<TaskRef> {
  const { repo } = yield* readTask(id);
  yield* lockLane(repo);
  const { id: task_id, work_item_id, stage } = yield* readTask(id);
  return { task_id, repo, work_item_id, stage };
}

interface WaitingRow {
  readonly job_id: number;
  readonly task_id: number;
  readonly agent: string;
  readonly status: JobStatus;
}

/** True for a job that has not started. Inside of a CASE: beside ids, SQLite might walk all jobs that wait. */
export const isWaiting = (job: string): Statement =>
  sql`CASE WHEN ${raw(job)}.status IN ${list(WAITING_STATUSES)} THEN 1 END = 1`;

/** A move that finishes its task. */
type End = Move & { readonly cancelJobs?: boolean | undefined };

export const NONE_ENDED: EndedJobs = { cancelled_jobs: [], left_jobs: [] };

/** The jobs as an answer has them. */
const listed = ({ cancelled_jobs, left_jobs }: EndedJobs): EndedJobs => {
  const shown = {
    cancelled_jobs: cancelled_jobs.slice(0, LISTED),
    left_jobs: left_jobs.slice(0, LISTED),
  };
  const unlisted =
    cancelled_jobs.length + left_jobs.length - shown.cancelled_jobs.length - shown.left_jobs.length;
  return unlisted > 0 ? { ...shown, unlisted_jobs: unlisted } : shown;
};

/** Cancels the jobs of finished tasks that must not start any more, and tells which ones wait on.
 *  @param ends moves to a terminal stage, at most one of each task
 *  @returns by the id of the task */
export function* endWaitingJobs(
  policy: Policy,
  ends: readonly End[],
  at: string,
): Tx<ReadonlyMap<number, EndedJobs>> {
  if (ends.length === 0) return new Map();
  const waiting = yield* all<WaitingRow>(sql`SELECT j.id AS job_id, j.task_id, j.agent, j.status FROM jobs j
    WHERE j.task_id IN ${idsIn(ends.map(({ task_id }) => task_id))} AND ${isWaiting("j")} ORDER BY j.id`);
  const ofTask = groupBy(waiting, ({ task_id }) => task_id);
  const ended = new Map<number, EndedJobs>();
  const changes: Change[] = [];
  const cancelled: number[] = [];
  for (const end of ends) {
    const { task_id, to, actor, cancelJobs = false } = end;
    const cancelled_jobs: EndedJobs["cancelled_jobs"] = [];
    const left_jobs: EndedJobs["left_jobs"] = [];
    for (const { job_id, agent, status } of ofTask.get(task_id) ?? [])
      if (cancelJobs || takesNoJob(policy, to, agent)) {
        cancelled_jobs.push({ job_id, agent, status: "cancelled" });
        changes.push(["job.cancelled", { ...end, job_id }, { actor }]);
      } else left_jobs.push({ job_id, agent, status });
    cancelled.push(...cancelled_jobs.map(({ job_id }) => job_id));
    ended.set(task_id, listed({ cancelled_jobs, left_jobs }));
  }
  if (cancelled.length > 0)
    yield* run(sql`UPDATE jobs SET status = 'cancelled', finished_at = ${at}, ${WRITTEN}
      WHERE id IN ${idsIn(cancelled)} AND ${isWaiting("jobs")}`);
  yield* recordAll(changes);
  return ended;
}

/** A task that moves from the stage that it is in to another. */
export interface Move extends TaskRef {
  readonly to: string;
  readonly actor: Actor;
  readonly reason?: string | undefined;
}

/** @throws GateError task_terminal */
export const refuseTerminal = ({ task_id, work_item_id, stage }: TaskRef): void => {
  if (isTerminal(stage))
    throw new GateError(
      "task_terminal",
      `The task ${work_item_id ?? task_id} is ${stage}, and that is final.`,
    );
};

/** Moves tasks whose lanes are held; the caller records it. */
export function* moveStages(moves: readonly Move[], at: string): Tx<void> {
  if (moves.length === 0) return;
  const stages = rowsOf(moves.map(({ task_id, to }) => [task_id, { to }]));
  yield* run(sql`UPDATE tasks SET stage = moved.value ->> 'to', ${WRITTEN}, updated_at = ${at},
      cancelled_at = CASE moved.value ->> 'to' WHEN 'cancelled' THEN ${at} ELSE cancelled_at END
    FROM ${stages} AS moved WHERE tasks.id = CAST(moved.key AS BIGINT)`);
}

export const stageChange = (move: Move): Change => {
  const { stage: from, to, actor, reason } = move;
  return [
    to === "cancelled" ? "task.cancelled" : "task.stage",
    move,
    { actor, reason, detail: { from, to } },
  ];
};

/** The repositories whose jobs a task's end can let start: its own, and those of the tasks that depend on it. */
export function* reposAround({ task_id, repo }: TaskRef): Tx<string[]> {
  const others = yield* all<{ repo: string }>(sql`SELECT DISTINCT t.repo FROM job_deps d
    JOIN tasks t ON t.id = d.task_id WHERE d.depends_on_task_id = ${task_id} AND t.repo <> ${repo}`);
  return [repo, ...others.map((other) => other.repo)];
}

/** @throws GateError invalid_request for jobs to cancel of a task that goes on */
export const refuseCancelOfGoing = ({ stage, cancel_jobs }: Partial<StageChange>): void => {
  if (cancel_jobs && (stage === undefined || !isTerminal(stage)))
    throw new GateError("invalid_request", "The task goes on: its jobs are not cancelled.", {
      faults: [
        { in: "body", pointer: "/cancel_jobs", detail: "must be left out unless the stage is terminal" },
      ],
    });
};

/** Moves a task to a stage; a terminal one ends its jobs that must not start any more.
 *  @throws GateError unknown_task, task_terminal, invalid_request */
export function* setStage(context: Context, id: number, change: StageChange): Tx<ChangedTask> {
  const { rules, lookup } = context;
  const { stage: to, reason, cancel_jobs: cancelJobs } = change;
  refuseCancelOfGoing(change);
  const actor = whoActs(context.actor, change.by);
  const task = yield* taskInLane(id);
  const repos = yield* reposAround(task);
  const move = { ...task, to, actor, reason, cancelJobs };
  return yield* withEffect(rules.policy, lookup, repos, moveTo(rules.policy, move));
}

/** The same stage again changes nothing, but that a finished task's waiting jobs end also where another program
 *  finished it. */
function* moveTo(policy: Policy, move: End): Tx<Omit<ChangedTask, "effect">> {
  const at = toStored(yield* now());
  if (move.to !== move.stage) {
    refuseTerminal(move);
    yield* moveStages([move], at);
    yield* recordAll([stageChange(move)]);
  }
  const ended = yield* endWaitingJobs(policy, isTerminal(move.to) ? [move] : [], at);
  return { task: yield* readTask(move.task_id), ...(ended.get(move.task_id) ?? NONE_ENDED) };
}
