/** The lanes propose: every job that may start carries a mark, so that a claim finds it without walking past those
 *  that are held. Database triggers keep the marks, because other programs write to the same tables; they are
 *  made from the one rule under the gate's policy, so that there is no second text of it.
 *  The predicate disposes: a claim asks `heldReason` again before it hands a marked job out. A wrong mark may
 *  delay a job, never let one through; the audit finds and mends it. */

import { all, run, tryLane, type Dialect, type Trigger, type Tx } from "../../store/port.ts";
import { list, raw, sql, type Statement } from "../../store/sql.ts";
import { areTriggersRecorded, dropTriggers, installTriggers } from "../../store/triggers/install.ts";
import type { Policy } from "./policy.ts";
import { heldReason, holdsLane, unfinished } from "./predicate.ts";
import { EVERYTHING_READABLE } from "./visibility.ts";

/** 1 when the job is queued and may start, else 0. */
const shouldBeReady = (policy: Policy, job: string): Statement =>
  sql`CASE WHEN ${raw(job)}.status = 'queued' AND (${heldReason(policy, EVERYTHING_READABLE, job)}) IS NULL THEN 1 ELSE 0 END`;

/** Marks the jobs that the condition names. One whose mark stays is not written.
 *  The condition alone says where to look: beside a status, SQLite would walk all jobs that have it. */
const reevaluate = (policy: Policy, which: Statement): Statement =>
  sql`UPDATE jobs SET ready = CASE ready WHEN 0 THEN 1 ELSE 0 END WHERE ${which} AND ready <> ${shouldBeReady(policy, "jobs")}`;

/** Marks those anew that may start until now: all that a new hold can touch. */
const holdBack = (policy: Policy, which: Statement): Statement =>
  reevaluate(policy, sql`ready = 1 AND agent = ${policy.entryAgent} AND ${which}`);

/** Marks those anew that were held until now: all that the end of a hold can touch. */
const letThrough = (policy: Policy, which: Statement): Statement =>
  reevaluate(policy, sql`status = 'queued' AND ready = 0 AND ${which}`);

const NO_END = 9_007_199_254_740_991;

/** The jobs of a repository up to the head of its lane, and those without a task: all that a change of the
 *  whole lane can let through. */
const jobsUpToHead = (policy: Policy, repo: string): Statement =>
  sql`repo = ${raw(repo)} AND (task_id IS NULL OR task_id <= COALESCE((SELECT MIN(t.id) FROM tasks t
    WHERE t.repo = ${raw(repo)} AND ${holdsLane(policy, "t")}), ${NO_END}))`;

/** The jobs between a task that stopped to hold its lane and who holds it now. None where someone ahead of
 *  the task holds it still. */
const jobsBehind = (policy: Policy, task: string): Statement => {
  const holder = sql`t.repo = ${raw(task)}.repo AND ${holdsLane(policy, "t")}`;
  return sql`repo = ${raw(task)}.repo AND task_id > ${raw(task)}.id
    AND task_id <= COALESCE((SELECT MIN(t.id) FROM tasks t WHERE t.id > ${raw(task)}.id AND ${holder}), ${NO_END})
    AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.id < ${raw(task)}.id AND ${holder})`;
};

/** The jobs of the tasks that depend on a task. */
const jobsOfDependents = (task: string): Statement =>
  raw(`task_id IN (SELECT d.task_id FROM job_deps d WHERE d.depends_on_task_id = ${task}.id)`);

/** Their lanes show another reason, and are held before anything in them is decided. */
const touchLanesOfDependents = (task: string): Statement =>
  raw(`UPDATE gate_lanes SET revision = revision + 1 WHERE repo <> ${task}.repo AND repo IN (SELECT t.repo
    FROM job_deps d JOIN tasks t ON t.id = d.task_id WHERE d.depends_on_task_id = ${task}.id)`);

const ALWAYS = raw("1 = 1");

/** The triggers that keep the marks. Their names sort behind those that touch the lanes' rows: PostgreSQL
 *  fires in that order, and the lane must be held before its jobs are looked at. */
export const readyTriggers = (policy: Policy): Trigger[] => {
  const holds = (task: string): Statement => holdsLane(policy, task);
  const overshadowed = sql`repo = NEW.repo AND task_id > NEW.id`;
  const changed = (what: (task: string) => Statement): Statement =>
    sql`((${what("OLD")}) <> (${what("NEW")}) OR OLD.repo <> NEW.repo OR OLD.id <> NEW.id)`;
  const ofTask = (column: string): Statement => reevaluate(policy, raw(`task_id = ${column}`));
  return [
    {
      name: "lane_marks_tasks_insert",
      table: "tasks",
      after: "INSERT",
      when: unfinished("NEW"),
      body: [
        touchLanesOfDependents("NEW"),
        holdBack(policy, sql`${overshadowed} AND ${holds("NEW")}`),
        reevaluate(policy, jobsOfDependents("NEW")),
        ofTask("NEW.id"),
      ],
    },
    {
      name: "lane_marks_tasks_lane",
      table: "tasks",
      after: "UPDATE OF id, repo, stage, paused_at",
      when: changed(holds),
      body: [
        holdBack(policy, sql`${overshadowed} AND ${holds("NEW")}`),
        letThrough(policy, jobsBehind(policy, "OLD")),
      ],
    },
    {
      name: "lane_marks_tasks_needed",
      table: "tasks",
      after: "UPDATE OF id, repo, stage",
      when: changed(unfinished),
      body: [
        touchLanesOfDependents("NEW"),
        touchLanesOfDependents("OLD"),
        reevaluate(policy, jobsOfDependents("NEW")),
        reevaluate(policy, jobsOfDependents("OLD")),
      ],
    },
    {
      name: "lane_marks_tasks_delete",
      table: "tasks",
      after: "DELETE",
      when: unfinished("OLD"),
      body: [
        touchLanesOfDependents("OLD"),
        letThrough(policy, jobsBehind(policy, "OLD")),
        reevaluate(policy, jobsOfDependents("OLD")),
      ],
    },
    {
      name: "lane_marks_jobs_insert",
      table: "jobs",
      after: "INSERT",
      when: raw("NEW.status = 'queued'"),
      body: [reevaluate(policy, raw("id = NEW.id"))],
    },
    {
      name: "lane_marks_jobs_update",
      table: "jobs",
      after: "UPDATE OF agent, repo, task_id, status",
      // The claim takes the mark off itself: then there is nothing to do.
      when: raw("NEW.status = 'queued' OR NEW.ready = 1"),
      body: [reevaluate(policy, raw("id = NEW.id"))],
    },
    {
      name: "lane_marks_freeze_insert",
      table: "repo_freeze",
      after: "INSERT",
      when: raw("NEW.cleared_at IS NULL"),
      body: [holdBack(policy, raw("repo = NEW.repo"))],
    },
    {
      name: "lane_marks_freeze_update",
      table: "repo_freeze",
      after: "UPDATE OF repo, cleared_at",
      when: ALWAYS,
      body: [
        holdBack(policy, raw("repo = NEW.repo")),
        letThrough(policy, jobsUpToHead(policy, "OLD.repo")),
        letThrough(policy, jobsUpToHead(policy, "NEW.repo")),
      ],
    },
    {
      name: "lane_marks_freeze_delete",
      table: "repo_freeze",
      after: "DELETE",
      when: raw("OLD.cleared_at IS NULL"),
      body: [letThrough(policy, jobsUpToHead(policy, "OLD.repo"))],
    },
    {
      name: "lane_marks_deps_insert",
      table: "job_deps",
      after: "INSERT",
      when: ALWAYS,
      body: [ofTask("NEW.task_id")],
    },
    {
      name: "lane_marks_deps_update",
      table: "job_deps",
      after: "UPDATE OF task_id, depends_on_task_id",
      when: ALWAYS,
      body: [ofTask("OLD.task_id"), ofTask("NEW.task_id")],
    },
    {
      name: "lane_marks_deps_delete",
      table: "job_deps",
      after: "DELETE",
      when: ALWAYS,
      body: [ofTask("OLD.task_id")],
    },
  ];
};

/** The name of the triggers' record in gate_settings. */
const SETTING = "ready_triggers";

/** Whether the triggers in the database are those of this policy. */
export const isReadyIndexOurs = (policy: Policy, dialect: Dialect): Tx<boolean> =>
  areTriggersRecorded(dialect, SETTING, readyTriggers(policy));

/** Makes the triggers, unless the database has them; true when it made any. The jobs that were there before
 *  are for the audit. */
export function* installReadyIndex(policy: Policy, dialect: Dialect): Tx<boolean> {
  yield* run(dialect.migrationLock);
  return yield* installTriggers(dialect, SETTING, readyTriggers(policy));
}

/** Takes the triggers away: over a damaged table they would make every write fail. */
export const dropReadyIndex = (policy: Policy, dialect: Dialect): Tx<void> =>
  dropTriggers(dialect, SETTING, readyTriggers(policy));

/** A job whose mark is not what the rule says. */
export interface WrongFlag {
  readonly id: number;
  readonly repo: string | null;
  readonly ready: number;
  readonly shouldBe: number;
}

export interface Audited {
  readonly compared: number;
  readonly wrong: readonly WrongFlag[];
  /** The job to go on after; null at the end. */
  readonly next: number | null;
}

/** Compares the marks of the next `limit` queued jobs behind a job with the rule. */
export function* auditReadyFlags(policy: Policy, after: number, limit: number): Tx<Audited> {
  const rows =
    yield* all<WrongFlag>(sql`SELECT j.id, j.repo, j.ready, ${shouldBeReady(policy, "j")} AS "shouldBe" FROM jobs j
    WHERE j.status = 'queued' AND j.id > ${after} ORDER BY j.id LIMIT ${limit}`);
  const next = rows.length === limit ? (rows.at(-1)?.id ?? null) : null;
  // No further than the queued ones: a step must not walk past all that may start.
  const stale = yield* all<WrongFlag>(sql`SELECT j.id, j.repo, j.ready, 0 AS "shouldBe" FROM jobs j
    WHERE j.ready = 1 AND j.status <> 'queued' AND j.id > ${after} AND j.id <= ${next ?? NO_END}`);
  return {
    compared: rows.length,
    wrong: [...rows, ...stale].filter(({ ready, shouldBe }) => ready !== shouldBe),
    next,
  };
}

/** Mends marks that were found wrong, but for lanes that others hold; returns how many. */
export function* repairReadyFlags(policy: Policy, wrong: readonly WrongFlag[]): Tx<number> {
  const byLane = new Map<string, number[]>();
  for (const { id, repo } of wrong) {
    const lane = byLane.get(repo ?? "") ?? [];
    byLane.set(repo ?? "", lane);
    lane.push(id);
  }
  let mended = 0;
  for (const [lane, ids] of byLane) {
    if (!(yield* tryLane(lane))) continue;
    yield* run(reevaluate(policy, sql`id IN ${list(ids)}`));
    mended += ids.length;
  }
  return mended;
}
