/** Another task of the same repository that has the lane. Fails open: a broken lane must not wedge every repository.
 *  As the orchestrator has it, an entry job waits for every task with a LOWER id, not for "another" one: a batch of fresh
 *  tasks would block each other for ever, and a rework entry job would block itself.
 *  Strict lanes add the holder, so that one task makes progress at a time: a task that acquired the lane keeps it until it
 *  finishes or is paused, and a task that lost it by a pause waits for the task that overtook it, with all of its jobs. */

import { all, first, type Tx } from "../../../store/port.ts";
import { exists, inlineInteger, raw, sql, when, type Statement } from "../../../store/sql.ts";
import { labelOf } from "../../../contract/names/label.ts";
import { LANE_STATE } from "../../../contract/vocabulary.ts";
import type { Affected, Write, HoldReason } from "../hold-reason.ts";
import {
  acquired,
  headOf,
  holdsLane,
  isBeingResumed,
  holdsLaneById,
  lost,
  lostAtAnyStage,
  NO_END,
  otherHolders,
  unfinished,
  type KnownLane,
} from "../lane.ts";
import { ownJobs, ownTaskIs } from "../own-task.ts";
import type { Policy } from "../policy.ts";
import { cancelRemedy, pauseRemedy } from "../remedy.ts";
import { isEntryJob, isInScope } from "../scope.ts";

interface TaskKey {
  readonly id: number;
  readonly repo: string;
}

/** FROM and WHERE of the tasks with a lower id that have not given up the lane, `ahead`. */
const tasksAhead = (policy: Policy, repo: Statement, task: Statement): Statement =>
  sql`tasks ahead
      WHERE ahead.repo = ${repo} AND ahead.id < ${task} AND ${holdsLaneById(policy, "ahead")}`;

/** Reads the tasks ahead of a task, the head of the lane first, at most `limit`. */
export function* readTasksAhead(policy: Policy, { repo, id }: TaskKey, limit: number): Tx<number[]> {
  const rows = yield* all<{ id: number }>(
    sql`SELECT ahead.id FROM ${tasksAhead(policy, sql`${repo}`, sql`${id}`)}
      ORDER BY ahead.id LIMIT ${inlineInteger(limit)}`,
  );
  return rows.map((row) => row.id);
}

/** Reads another task that holds the lane, the oldest first. */
function* readOtherHolder(policy: Policy, { repo, id }: TaskKey): Tx<number | undefined> {
  const holders = otherHolders(policy, sql`${repo}`, sql`${id}`);
  return (yield* first<{ id: number }>(sql`SELECT h.id FROM ${holders} ORDER BY h.id LIMIT 1`))?.id;
}

// --- The condition

/** True for a job whose lane has a task ahead of the job's own. */
const isBehind = (policy: Policy, job: string, lane?: KnownLane): Statement =>
  lane === undefined
    ? exists(tasksAhead(policy, raw(`${job}.repo`), raw(`${job}.task_id`)))
    : sql`${raw(job)}.task_id > ${lane.head}`;

/** True for a job whose task's turn in the resume of its whole lane is still to come. */
const waitsForTurn = ({ pause }: Policy, job: string): Statement =>
  when(pause, sql` OR ${ownTaskIs(job, isBeingResumed)}`);

const heldByLowerId = (policy: Policy, job: string, lane?: KnownLane): Statement =>
  sql`${isEntryJob(policy, job)} AND (${isBehind(policy, job, lane)}${waitsForTurn(policy, job)})`;

/** An entry job whose task has not acquired the lane waits for lower ids and for the holder; another job of a task that
 *  lost the lane waits for the holder. */
const heldInStrictLane = (policy: Policy, job: string, lane?: KnownLane): Statement => {
  const beside = exists(otherHolders(policy, raw(`${job}.repo`), raw(`${job}.task_id`)));
  return sql`CASE WHEN ${isEntryJob(policy, job)}
      THEN NOT ${ownTaskIs(job, acquired)} AND (${isBehind(policy, job, lane)} OR ${beside}${waitsForTurn(policy, job)})
      ELSE ${ownTaskIs(job, lost)} AND ${beside}${waitsForTurn(policy, job)} END`;
};

// --- The writes that change it

/** The jobs from a task that gave up the lane to the next one that holds it; none while an earlier task holds it. The
 *  bound says all: beside a condition of its own, SQLite would walk the jobs up to the bound to find it false for each. */
const jobsBehind = (policy: Policy, task: string): Statement => {
  const [repo, id] = [raw(`${task}.repo`), raw(`${task}.id`)];
  return sql`repo = ${repo} AND task_id > ${id}
    AND task_id <= CASE WHEN ${exists(tasksAhead(policy, repo, id))} THEN 0
      ELSE COALESCE(${headOf(policy, repo, sql` AND t.id > ${id}`)}, ${NO_END}) END`;
};

/** The jobs that can start when nothing holds the lane: of its head, and of the tasks that lost it, which may have finished
 *  and left jobs behind. One list of tasks: with an OR, SQLite would walk all jobs of the lane. */
const nextInLane = (policy: Policy, row: string): Statement => {
  const repo = raw(`${row}.repo`);
  return sql`repo = ${repo} AND task_id IN (SELECT ${headOf(policy, repo)}
    UNION ALL SELECT t.id FROM tasks t WHERE t.repo = ${repo} AND ${lostAtAnyStage("t")}${when(
      policy.pause,
      raw(" AND t.paused_at IS NULL"),
    )})`;
};

const writesOf = (policy: Policy): Write[] => {
  const { strictLanes } = policy;
  const holds = (row: string): Statement => holdsLane(policy, row);
  const heldBy: Affected = {
    effect: "held",
    jobs: raw(`repo = NEW.repo AND task_id ${strictLanes ? "<>" : ">"} NEW.id`),
  };
  const releasedBy: Affected = {
    effect: "released",
    jobs: strictLanes ? nextInLane(policy, "OLD") : jobsBehind(policy, "OLD"),
    expected: true,
  };
  const isElsewhere = raw("OLD.repo <> NEW.repo OR OLD.id <> NEW.id");
  /** True when the row holds the lane only, or in another way, after or before the update. */
  const holdsUnlike = (row: "OLD" | "NEW", other: "OLD" | "NEW"): Statement =>
    sql`${holds(row)} AND (NOT (${holds(other)}) OR ${isElsewhere}${when(
      strictLanes,
      raw(
        ` OR (${row}.lane_state = ${LANE_STATE.acquired} AND ${other}.lane_state <> ${LANE_STATE.acquired})`,
      ),
    )})`;
  const columns = `id, repo, stage, paused_at${strictLanes ? ", lane_state" : ""}`;
  return [
    {
      name: "created",
      table: "tasks",
      after: "INSERT",
      when: unfinished("NEW"),
      affects: [{ ...heldBy, jobs: sql`${heldBy.jobs} AND ${holds("NEW")}` }, ownJobs("NEW")],
    },
    {
      name: "entered",
      table: "tasks",
      after: `UPDATE OF ${columns}`,
      when: holdsUnlike("NEW", "OLD"),
      affects: [heldBy],
    },
    {
      name: "left",
      table: "tasks",
      after: `UPDATE OF ${columns}`,
      when: holdsUnlike("OLD", "NEW"),
      affects: [releasedBy],
    },
    {
      name: "deleted",
      table: "tasks",
      after: "DELETE",
      when: unfinished("OLD"),
      affects: [releasedBy, ...(strictLanes ? [ownJobs("OLD")] : [])],
    },
    ...(strictLanes ? [...ownLaneState, ...endsOfRuns(policy)] : []),
  ];
};

/** A task that acquired or lost its lane: its own jobs stand differently to the holder. One that acquired it holds none of
 *  them back, so that only those are looked at that were held. Their status is inside of the CASE: beside the task, SQLite
 *  might walk all queued jobs. */
const ownLaneState: readonly Write[] = [
  {
    name: "own_acquired",
    table: "tasks",
    after: "UPDATE OF lane_state",
    when: raw(`OLD.lane_state <> NEW.lane_state AND NEW.lane_state = ${LANE_STATE.acquired}`),
    affects: [
      {
        effect: "either",
        jobs: raw("task_id = NEW.id AND CASE status WHEN 'queued' THEN ready END = 0"),
      },
    ],
  },
  {
    name: "own",
    table: "tasks",
    after: "UPDATE OF id, lane_state",
    when: raw(
      `(OLD.lane_state <> NEW.lane_state AND NEW.lane_state <> ${LANE_STATE.acquired} OR OLD.id <> NEW.id)`,
    ),
    affects: [ownJobs("NEW")],
  },
];

/** The end of the last running job of a task that lost the lane: until then the task holds it beside its overtaker. A
 *  job that begins to run needs no write here, since its task acquires the lane with it. */
const endsOfRuns = (policy: Policy): Write[] => {
  const released = sql`${nextInLane(policy, "OLD")}
    AND EXISTS (SELECT 1 FROM tasks ended WHERE ended.id = OLD.task_id AND ${lost("ended")})`;
  const affects = [{ effect: "released" as const, jobs: released }];
  return [
    {
      name: "run_ended",
      table: "jobs",
      after: "UPDATE OF status, task_id, repo",
      when: raw(
        "OLD.status = 'running' AND OLD.task_id IS NOT NULL AND (NEW.status <> 'running' OR NEW.task_id IS NULL OR NEW.task_id <> OLD.task_id OR NEW.repo <> OLD.repo)",
      ),
      affects,
    },
    {
      name: "run_deleted",
      table: "jobs",
      after: "DELETE",
      when: raw("OLD.status = 'running' AND OLD.task_id IS NOT NULL"),
      affects,
    },
  ];
};

export const activeTask: HoldReason = {
  name: "active-task",
  applies: (policy) => policy.enabled,
  holds: (policy, job, visible, lane) => {
    if (!visible.lanes) return undefined;
    const held = policy.strictLanes ? heldInStrictLane(policy, job, lane) : heldByLowerId(policy, job, lane);
    return sql`${isInScope(policy, job)} AND ${held}`;
  },
  probes: { lanes: sql`SELECT repo, id, stage, paused_at, lane_state FROM tasks LIMIT 1` },
  reevaluatedBy: writesOf,
  *blockers({ policy, job, task, readTask, readOpenJobs }) {
    const [ahead, second] = yield* readTasksAhead(policy, task, 2);
    const holder = policy.strictLanes ? yield* readOtherHolder(policy, task) : undefined;
    const id = holder ?? ahead;
    if (id === undefined) return [];
    const other = yield* readTask(id);
    const jobs = yield* readOpenJobs(id);
    const place =
      id === ahead || (ahead !== undefined && id < task.id) ? "is ahead in the lane" : "has the lane";
    return [
      {
        since: job.created_at,
        // A worker gives its name itself: the jobs show it, as no proof of who acted.
        by: null,
        detail: `${labelOf(other, task.repo)} ${place} (${other.stage}${
          id === ahead && second !== undefined ? ", first of several" : ""
        })`,
        blocker: { kind: "task", task: other, jobs, freeze: null },
        remedies: policy.pause ? [pauseRemedy(other)] : [cancelRemedy(other)],
      },
    ];
  },
};
