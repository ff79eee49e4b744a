/** Keeps the row of each lane: its revision, which moves with every change in the lane, whichever program makes it, and
 *  the number of its jobs in each status. One update of the lane per change of a row. On PostgreSQL the update also locks
 *  the lane until the change commits: the names sort before those of all other triggers, so that the lane is locked
 *  before anything in it is looked at. */

import { JOB_STATUSES } from "../../contract/vocabulary.ts";
import type { LaneUpdate, Trigger } from "../port.ts";
import { join, raw, sql, type Statement } from "../sql.ts";
import { changes, changesLane, IS_ALONE, laneOf, type Row } from "./columns.ts";

/** The columns that an update sets in a lane for a row that enters it, leaves it, or does both when it changes within the lane. */
type Set = (row: { readonly enters?: "NEW"; readonly leaves?: "OLD" }) => Statement;

const REVISION = raw("revision = revision + 1");

const NEXT_COLUMN = ",\n    ";

const moveRevision: Set = () => REVISION;

const countJobs: Set = ({ enters, leaves }) =>
  join(
    [
      REVISION,
      ...JOB_STATUSES.map((status) => {
        const isIn = (row: Row): Statement => sql`CASE ${raw(row)}.status WHEN ${status} THEN 1 ELSE 0 END`;
        const plus = enters ? sql` + ${isIn(enters)}` : raw("");
        const minus = leaves ? sql` - ${isIn(leaves)}` : raw("");
        return sql`${raw(status)} = ${raw(status)}${plus}${minus}`;
      }),
    ],
    NEXT_COLUMN,
  );

const updateLane = (lane: Statement, set: Statement): Statement =>
  sql`UPDATE gate_lanes SET ${set}
  WHERE repo = ${lane}`;

const updateLaneOfNew = (set: Statement): LaneUpdate => ({
  kind: "lane update",
  lane: laneOf("NEW"),
  update: updateLane(laneOf("NEW"), set),
});

/** The columns of a task that the queue shows. A task acquires and loses its lane with a change that counts by itself. */
const SHOWN = [
  ...["id", "repo", "work_item_id", "stage", "title", "cancelled_at"],
  ...["paused_at", "paused_by", "pause_reason", "pause_until"],
];

const STAYS = sql`${laneOf("NEW")} = ${laneOf("OLD")}`;

interface Table {
  readonly table: string;
  readonly set: Set;
  /** The columns that the queue shows; every update moves the revision, when left out. */
  readonly columns?: readonly string[];
  /** Updates that count; all, when left out. */
  readonly counts?: Statement;
  readonly drawsId?: true;
}

/** The triggers of a table whose rows have a `repo`. */
const ofRows = ({ table, set, columns, counts, ...drawsId }: Table): Trigger[] => [
  {
    name: `gate_lane_${table}_inserted`,
    table,
    after: "INSERT",
    body: [updateLaneOfNew(set({ enters: "NEW" }))],
    ...drawsId,
  },
  {
    name: `gate_lane_${table}_changed`,
    table,
    // Naming a column counts as its change: to compare them all in the condition costs PostgreSQL a tenth of the update.
    after: columns ? `UPDATE OF ${columns.join(", ")}` : "UPDATE",
    when: counts ? sql`${STAYS} AND ${counts}` : STAYS,
    // The lane's row is there: the insert of this row made it, or the count of all lanes did (countLanes).
    body: [updateLane(laneOf("NEW"), set({ enters: "NEW", leaves: "OLD" }))],
  },
  {
    name: `gate_lane_${table}_moved`,
    table,
    after: columns ? "UPDATE OF repo" : "UPDATE",
    when: changesLane,
    body: [
      { kind: "lane lock", lanes: [laneOf("OLD"), laneOf("NEW")] },
      updateLane(laneOf("OLD"), set({ leaves: "OLD" })),
      updateLaneOfNew(set({ enters: "NEW" })),
    ],
  },
  {
    name: `gate_lane_${table}_deleted`,
    table,
    after: "DELETE",
    body: [updateLane(laneOf("OLD"), set({ leaves: "OLD" }))],
  },
];

/** A dependency is in the lane of the task that has it. */
const touchLanesOfTasks = (tasks: string): Statement =>
  sql`UPDATE gate_lanes SET ${REVISION} WHERE repo IN (SELECT t.repo FROM tasks t WHERE t.id IN (${raw(tasks)}))`;

const laneOfTask = (row: Row): Statement => raw(`(SELECT t.repo FROM tasks t WHERE t.id = ${row}.task_id)`);

const OF_DEPENDENCIES: readonly Trigger[] = [
  {
    name: "gate_lane_job_deps_inserted",
    table: "job_deps",
    after: "INSERT",
    body: [touchLanesOfTasks("NEW.task_id")],
  },
  {
    name: "gate_lane_job_deps_changed",
    table: "job_deps",
    after: "UPDATE OF task_id, depends_on_task_id",
    when: changes("task_id", "depends_on_task_id"),
    body: [
      { kind: "lane lock", lanes: [laneOfTask("OLD"), laneOfTask("NEW")] },
      touchLanesOfTasks("OLD.task_id, NEW.task_id"),
    ],
  },
  {
    name: "gate_lane_job_deps_deleted",
    table: "job_deps",
    after: "DELETE",
    body: [touchLanesOfTasks("OLD.task_id")],
  },
];

/** The columns of a job that `GET /queue` shows. A heartbeat without progress changes none of them: the queue shows `lease_expires_at` as
 *  of its answer. */
const SHOWN_OF_JOBS = [
  "agent",
  "repo",
  "task_id",
  "status",
  "progress",
  "attempts",
  "max_attempts",
  "lease_worker",
  "run_after",
  "error",
  "started_at",
  "finished_at",
];

export const LANE_COUNTERS: readonly Trigger[] = [
  // The order of a lane is that of its tasks' ids.
  ...ofRows({ table: "tasks", set: moveRevision, columns: SHOWN, counts: IS_ALONE, drawsId: true }),
  ...ofRows({ table: "jobs", set: countJobs, columns: SHOWN_OF_JOBS }),
  ...ofRows({ table: "repo_freeze", set: moveRevision }),
  ...OF_DEPENDENCIES,
];

const statuses = raw(JOB_STATUSES.join(", "));

/** Every lane that a row knows, with its number of jobs in each status. */
const counted = sql`(SELECT known.repo, ${join(
  JOB_STATUSES.map(
    (status) => sql`SUM(CASE known.status WHEN ${status} THEN 1 ELSE 0 END) AS ${raw(status)}`,
  ),
  ", ",
)}
  FROM (SELECT COALESCE(repo, '') AS repo, status FROM jobs
    UNION ALL SELECT repo, NULL FROM tasks
    UNION ALL SELECT repo, NULL FROM repo_freeze
    UNION ALL SELECT repo, NULL FROM gate_lanes) AS known
  GROUP BY known.repo) AS counted`;

/** Counts every lane anew, for changes that came while no trigger saw them. A lane that is right is not written. */
export const countLanes: readonly Statement[] = [
  sql`INSERT INTO gate_lanes(repo, revision, ${statuses}) SELECT counted.repo, 1, ${statuses} FROM ${counted}
    WHERE NOT EXISTS (SELECT 1 FROM gate_lanes l WHERE l.repo = counted.repo)`,
  sql`UPDATE gate_lanes SET ${REVISION}, ${raw(
    JOB_STATUSES.map((status) => `${status} = counted.${status}`).join(", "),
  )}
    FROM ${counted} WHERE counted.repo = gate_lanes.repo AND (${raw(
      JOB_STATUSES.map((status) => `counted.${status} <> gate_lanes.${status}`).join(" OR "),
    )})`,
];
