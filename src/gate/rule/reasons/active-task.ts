/** An earlier task of the same repository that is unfinished and not paused. LOWER id, not "another" task: a batch of
 *  fresh tasks would block each other for ever, and a rework entry job would block itself. Fails open: a broken lane
 *  must not wedge every repository. */

import { all, type Tx } from "../../../store/port.ts";
import { exists, inlineInteger, raw, sql, type Statement } from "../../../store/sql.ts";
import type { HoldReason } from "../hold-reason.ts";
import { labelOf } from "../../../contract/label.ts";
import { holdsLane, NO_END, unfinished } from "../lane.ts";
import type { Policy } from "../policy.ts";
import { pauseRemedy } from "../remedy.ts";
import { isEntryJob, isInScope } from "../scope.ts";

/** FROM and WHERE of the tasks that are ahead of a task in its lane, `ahead`. */
const tasksAhead = (policy: Policy, repo: Statement, task: Statement): Statement =>
  sql`tasks ahead
      WHERE ahead.repo = ${repo} AND ahead.id < ${task} AND ${holdsLane(policy, "ahead")}`;

/** Reads the tasks ahead of a task, the head of the lane first, at most `limit`. */
export function* readTasksAhead(
  policy: Policy,
  { repo, id }: { readonly repo: string; readonly id: number },
  limit: number,
): Tx<number[]> {
  const rows = yield* all<{ id: number }>(
    sql`SELECT ahead.id FROM ${tasksAhead(policy, sql`${repo}`, sql`${id}`)}
      ORDER BY ahead.id LIMIT ${inlineInteger(limit)}`,
  );
  return rows.map((row) => row.id);
}

/** The jobs from a task that gave up the lane to the next one that holds it; none while an earlier task holds it. */
const jobsBehind = (policy: Policy, task: string): Statement => {
  const holder = sql`t.repo = ${raw(task)}.repo AND ${holdsLane(policy, "t")}`;
  return sql`repo = ${raw(task)}.repo AND task_id > ${raw(task)}.id
    AND task_id <= COALESCE((SELECT MIN(t.id) FROM tasks t WHERE t.id > ${raw(task)}.id AND ${holder}), ${NO_END})
    AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.id < ${raw(task)}.id AND ${holder})`;
};

export const activeTask: HoldReason = {
  name: "active-task",
  applies: (policy) => policy.enabled,
  holds: (policy, job, visible) => {
    if (!visible.lanes) return undefined;
    const ahead = tasksAhead(policy, raw(`${job}.repo`), raw(`${job}.task_id`));
    return sql`${isEntryJob(policy, job)} AND ${isInScope(policy, job)} AND ${exists(ahead)}`;
  },
  probes: { lanes: sql`SELECT repo, id, stage, paused_at FROM tasks LIMIT 1` },
  reevaluatedBy: (policy) => {
    const holds = (row: string): Statement => holdsLane(policy, row);
    const nowBehind = sql`repo = NEW.repo AND task_id > NEW.id AND ${holds("NEW")}`;
    return [
      {
        name: "created",
        table: "tasks",
        after: "INSERT",
        when: unfinished("NEW"),
        affects: [
          { effect: "held", jobs: nowBehind },
          { effect: "either", jobs: raw("task_id = NEW.id") },
        ],
      },
      {
        name: "moved",
        table: "tasks",
        after: "UPDATE OF id, repo, stage, paused_at",
        when: sql`((${holds("OLD")}) <> (${holds("NEW")}) OR OLD.repo <> NEW.repo OR OLD.id <> NEW.id)`,
        affects: [
          { effect: "held", jobs: nowBehind },
          { effect: "released", jobs: jobsBehind(policy, "OLD") },
        ],
      },
      {
        name: "deleted",
        table: "tasks",
        after: "DELETE",
        when: unfinished("OLD"),
        affects: [{ effect: "released", jobs: jobsBehind(policy, "OLD") }],
      },
    ];
  },
  *blockers({ policy, job, task, readTask, readOpenJobs }) {
    const [first, second] = yield* readTasksAhead(policy, task, 2);
    if (first === undefined) return [];
    const head = yield* readTask(first);
    const jobs = yield* readOpenJobs(first);
    return [
      {
        since: job.created_at,
        by: jobs.find(({ lease }) => lease !== null)?.lease?.worker ?? null,
        detail: `${labelOf(head, task.repo)} is ahead in the lane (${head.stage}${
          second === undefined ? "" : ", first of several"
        })`,
        blocker: { kind: "task", task: head, jobs, freeze: null },
        remedies: policy.pause ? pauseRemedy("pause", head) : [],
      },
    ];
  },
};
