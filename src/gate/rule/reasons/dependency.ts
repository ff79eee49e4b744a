/** A declared dependency that is unfinished. It never reads the pause: a paused dependency still blocks. Fails closed:
 *  a task whose dependencies cannot be read may have one. */

import { all, type TriggerAction } from "../../../store/port.ts";
import { exists, raw, sql, type Statement } from "../../../store/sql.ts";
import { toIsoOrNull } from "../../../store/timestamps.ts";
import type { Affected, HoldReason, Write } from "../hold-reason.ts";
import { labelOf } from "../../../contract/names/label.ts";
import { unfinished } from "../lane.ts";
import { idsOf } from "../own-task.ts";
import { cancelRemedy, resumeRemedy } from "../remedy.ts";
import { isEntryJob } from "../scope.ts";
import { minute } from "../words.ts";

/** FROM and WHERE of a task's unfinished dependencies: `needed`, declared by `d`. */
export const unfinishedDependencies = (task: Statement): Statement =>
  sql`job_deps d JOIN tasks needed ON needed.id = d.depends_on_task_id
      WHERE d.task_id = ${task} AND ${unfinished("needed")}`;

const jobsOfDependents = (...rows: readonly ("OLD" | "NEW")[]): Affected => ({
  effect: "either",
  jobs: raw(`task_id IN (SELECT d.task_id FROM job_deps d WHERE d.depends_on_task_id IN (${idsOf(rows)}))`),
});

/** Locks the lanes of the tasks that depend on a task of another lane, and of the jobs of these tasks, which may be in
 *  another one again: their verdict changes with it. */
const lockLanesOfDependents = (task: string): TriggerAction => ({
  kind: "if any",
  row: raw(`job_deps d WHERE d.depends_on_task_id = ${task}.id`),
  change:
    raw(`UPDATE gate_lanes SET revision = revision + 1 WHERE repo <> ${task}.repo AND repo IN (SELECT t.repo
    FROM job_deps d JOIN tasks t ON t.id = d.task_id WHERE d.depends_on_task_id = ${task}.id
    UNION SELECT j.repo FROM job_deps d JOIN jobs j ON j.task_id = d.task_id WHERE d.depends_on_task_id = ${task}.id)`),
});

const later = (a: string | null, b: string | null): string | null => (a === null || (b ?? "") > a ? b : a);

const declared = (name: string, after: Write["after"], ...rows: readonly string[]): Write => ({
  name,
  table: "job_deps",
  after,
  affects: rows.map((row) => ({ effect: "either", jobs: raw(`task_id = ${row}.task_id`) })),
});

export const dependency: HoldReason = {
  name: "dependency",
  applies: (policy) => policy.dependencies,
  holds: (policy, job, visible) => {
    const task = `${job}.task_id`;
    const declaredFor = `SELECT 1 FROM job_deps d WHERE d.task_id = ${task}`;
    // A dependency that cannot be read is not known to be finished.
    const depends = !visible.dependencies
      ? raw(`${task} IS NOT NULL`)
      : visible.stages
        ? exists(unfinishedDependencies(raw(task)))
        : raw(`EXISTS (${declaredFor})`);
    return sql`${isEntryJob(policy, job)} AND ${depends}`;
  },
  probes: { dependencies: sql`SELECT task_id, depends_on_task_id FROM job_deps LIMIT 1` },
  reevaluatedBy: () => [
    {
      name: "created",
      table: "tasks",
      after: "INSERT",
      when: unfinished("NEW"),
      locks: [lockLanesOfDependents("NEW")],
      affects: [jobsOfDependents("NEW")],
    },
    {
      name: "finished",
      table: "tasks",
      after: "UPDATE OF id, repo, stage",
      when: sql`((${unfinished("OLD")}) <> (${unfinished("NEW")}) OR OLD.repo <> NEW.repo OR OLD.id <> NEW.id)`,
      locks: [lockLanesOfDependents("NEW"), lockLanesOfDependents("OLD")],
      affects: [jobsOfDependents("OLD", "NEW")],
    },
    {
      name: "deleted",
      table: "tasks",
      after: "DELETE",
      when: unfinished("OLD"),
      locks: [lockLanesOfDependents("OLD")],
      affects: [jobsOfDependents("OLD")],
    },
    declared("declared", "INSERT", "NEW"),
    declared("changed", "UPDATE OF task_id, depends_on_task_id", "OLD", "NEW"),
    declared("dropped", "DELETE", "OLD"),
  ],
  *blockers({ job, task, readTask, readOpenJobs }) {
    const rows = yield* all<{ id: number; created_at: string | null }>(
      sql`SELECT needed.id, d.created_at FROM ${unfinishedDependencies(sql`${task.id}`)} ORDER BY needed.id`,
    );
    const found = [];
    for (const { id, created_at } of rows) {
      const needed = yield* readTask(id);
      const { paused_at, paused_by } = needed;
      found.push({
        since: later(job.created_at, toIsoOrNull(created_at)),
        by: paused_by,
        detail: `${labelOf(needed, task.repo)} is unfinished (${needed.stage}${
          paused_at === null ? "" : `, paused since ${minute(paused_at)}`
        })`,
        blocker: {
          kind: "task" as const,
          task: needed,
          jobs: yield* readOpenJobs(id),
          freeze: null,
        },
        remedies: [...(paused_at === null ? [] : [resumeRemedy(needed)]), cancelRemedy(needed)],
      });
    }
    return found;
  },
};
