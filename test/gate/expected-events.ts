/** The event log that follows from a change of the rows, computed from the rows alone. */

/** The kinds of the events that another program's change from `before` to `after` must record, sorted. */
export const expectedEvents = (before: Rows, after: Rows): string[] => {
  const kinds: string[] = [];
  for (const [table, rows] of Object.entries(after))
    for (const [id, now] of rows) {
      const was = before[table]?.get(id);
      if (!was) kinds.push(CREATED[table] ?? table);
      else
        for (const [column, kind] of CHANGED[table] ?? [])
          if (was[column] !== now[column]) kinds.push(kind(now[column], was[column]));
    }
  for (const [table, rows] of Object.entries(before))
    for (const [id, was] of rows)
      if (!after[table]?.has(id) && !was.cleared) kinds.push(DELETED[table] ?? table);
  return kinds.sort();
};

export type Rows = Readonly<Record<string, ReadonlyMap<number, Readonly<Record<string, unknown>>>>>;

export const ROWS = {
  tasks: "SELECT id, repo, stage, CASE WHEN paused_at IS NULL THEN 0 ELSE 1 END AS paused FROM tasks",
  jobs: "SELECT id, repo, status FROM jobs",
  repo_freeze: "SELECT id, CASE WHEN cleared_at IS NULL THEN 0 ELSE 1 END AS cleared FROM repo_freeze",
  job_deps: "SELECT id FROM job_deps",
};
const CREATED: Record<string, string> = {
  tasks: "task.created",
  jobs: "job.created",
  repo_freeze: "repo.frozen",
  job_deps: "dependency.added",
};
const DELETED: Record<string, string> = {
  tasks: "task.deleted",
  jobs: "job.deleted",
  repo_freeze: "repo.unfrozen",
  job_deps: "dependency.removed",
};
const JOB_BECAME: Record<string, string> = {
  queued: "job.retried",
  done: "job.completed",
  cancelled: "job.cancelled",
};
const CHANGED: Record<string, [column: string, kind: (now: unknown, was: unknown) => string][]> = {
  tasks: [
    ["repo", () => "task.moved"],
    ["stage", (now) => (now === "cancelled" ? "task.cancelled" : "task.stage")],
    ["paused", (now) => (now === 1 ? "task.paused" : "task.resumed")],
  ],
  jobs: [
    ["repo", () => "job.moved"],
    ["status", (now) => JOB_BECAME[String(now)] ?? String(now)],
  ],
  repo_freeze: [["cleared", (now) => (now === 1 ? "repo.unfrozen" : "repo.frozen")]],
};
