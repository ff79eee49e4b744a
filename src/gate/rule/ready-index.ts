/** The ready index: `jobs.ready` is 1 on every queued job that the rule does not hold, so that a claim finds it without
 *  walking past the held ones. Database triggers keep it, because other programs write to the same tables; they are
 *  rendered from the reasons under the gate's policy, so that there is no second text of the rule.
 *  The index proposes, the predicate disposes: a claim evaluates `heldReason` again before it hands a job out. A wrong
 *  flag may delay a job, never let one through; the audit finds and repairs it. */

import {
  all,
  run,
  tryLane,
  type Dialect,
  type Trigger,
  type TriggerAction,
  type Tx,
} from "../../store/port.ts";
import { flag, idsIn, inlineInteger, list, raw, sql, type Statement } from "../../store/sql.ts";
import {
  areTriggersRecorded,
  installTriggers,
  isTriggerSetInstalled,
  readyEpochReader,
  suspendReadyIndex,
} from "../../store/triggers/install.ts";
import { acquiresLane, watchesBase } from "../../store/triggers/lane-state.ts";
import { IS_ALONE } from "../../store/triggers/columns.ts";
import { MARK_MISSED_LANES, MIXED_LANES } from "../../store/triggers/mixed-lanes.ts";
import { READY_INDEX } from "../../store/triggers/sets.ts";
import { LANE_STATE } from "../../contract/vocabulary.ts";
import type { Affected, Write } from "./hold-reason.ts";
import { headOf, NO_END, readLane, unfinished, type KnownLane } from "./lane.ts";
import type { Policy } from "./policy.ts";
import { heldReason } from "./predicate.ts";
import { HOLD_REASONS } from "./reasons/index.ts";
import { EVERYTHING_READABLE } from "./visibility.ts";

/** 1 for a job that is queued and not held, else 0. */
const shouldBeReady = (policy: Policy, job: string, lane?: KnownLane): Statement =>
  flag(
    sql`${raw(job)}.status = 'queued' AND (${heldReason(policy, EVERYTHING_READABLE, job, lane)}) IS NULL`,
  );

/** Sets the flags of the jobs that a condition names. A flag that is right is not written.
 *  The condition alone says where to look: beside a status, SQLite would walk all jobs that have it. */
const reevaluate = (policy: Policy, which: Statement, lane?: KnownLane): Statement =>
  sql`UPDATE jobs SET ready = CASE ready WHEN 0 THEN 1 ELSE 0 END WHERE ${which} AND ready <> ${shouldBeReady(policy, "jobs", lane)}`;

/** The rows that an effect can touch: only those whose flag can turn. */
const CANDIDATES: Readonly<Record<Affected["effect"], string>> = {
  held: "ready = 1 AND ",
  released: "status = 'queued' AND ready = 0 AND ",
  either: "",
};

/** Evaluates the jobs that a write affects. A job whose flag can turn is queued, or ready. */
const evaluate = (policy: Policy, { effect, jobs, lane, expected }: Affected): TriggerAction => {
  const which = sql`${raw(CANDIDATES[effect])}${jobs}`;
  const change = reevaluate(policy, which, lane && { head: headOf(policy, lane) });
  if (expected) return change;
  const row = effect === "either" ? sql`(status = 'queued' OR ready = 1) AND ${jobs}` : which;
  return { kind: "if any", row: sql`jobs WHERE ${row}`, change };
};

/** An update of many tasks together is followed by `reevaluateLane`. */
const conditionOf = ({ table, after, when }: Write): Pick<Trigger, "when"> => {
  if (table !== "tasks" || !after.startsWith("UPDATE")) return when === undefined ? {} : { when };
  return { when: when === undefined ? IS_ALONE : sql`${IS_ALONE} AND (${when})` };
};

const asTrigger = (policy: Policy, reason: string, write: Write): Trigger => ({
  name: `${READY_INDEX.prefix}${reason.replace("-", "_")}_${write.table}_${write.name}`,
  table: write.table,
  after: write.after,
  ...conditionOf(write),
  body: [...(write.locks ?? []), ...write.affects.map((affected) => evaluate(policy, affected))],
});

/** The writes to a job itself, after which it is evaluated again whatever the reasons are. */
const OWN_WRITES: readonly Write[] = [
  {
    name: "inserted",
    table: "jobs",
    after: "INSERT",
    when: raw("NEW.status = 'queued'"),
    affects: [{ effect: "either", jobs: raw("id = NEW.id"), expected: true }],
  },
  {
    name: "updated",
    table: "jobs",
    after: "UPDATE OF agent, repo, task_id, status",
    // A claim clears the flag itself, so that nothing is left to do.
    when: raw("NEW.status = 'queued' OR NEW.ready = 1"),
    affects: [{ effect: "either", jobs: raw("id = NEW.id"), expected: true }],
  },
];

const acquireLane = (tasks: Statement): Statement =>
  sql`UPDATE tasks SET ${acquiresLane} WHERE ${tasks} AND lane_state <> ${inlineInteger(LANE_STATE.acquired)}`;

const ACQUIRE_LANE = acquireLane(raw("id = NEW.task_id"));

/** Gives the lane to tasks of which jobs were claimed together. */
export const acquireLanes = (tasks: readonly number[]): Tx<void> =>
  run(acquireLane(sql`id IN ${idsIn(tasks)}`));

/** A task acquires its lane when a job of it begins to run, whichever program writes. Kept without strict lanes too, so
 *  that they can be switched on at any time. */
const LANE_TRIGGERS: readonly Trigger[] = [
  {
    name: `${READY_INDEX.prefix}lane_jobs_inserted`,
    table: "jobs",
    after: "INSERT",
    when: raw("NEW.status = 'running' AND NEW.task_id IS NOT NULL"),
    body: [ACQUIRE_LANE],
  },
  {
    name: `${READY_INDEX.prefix}lane_jobs_claimed`,
    table: "jobs",
    after: "UPDATE OF status",
    when: sql`${IS_ALONE} AND NEW.status = 'running' AND OLD.status <> 'running' AND NEW.task_id IS NOT NULL`,
    body: [ACQUIRE_LANE],
  },
];

/** Gives the lane to tasks of which a job started while the triggers were dropped. */
const ACQUIRE_MISSED_LANES = sql`UPDATE tasks SET lane_state = CASE WHEN paused_at IS NULL
    THEN ${inlineInteger(LANE_STATE.acquired)} ELSE ${inlineInteger(LANE_STATE.lost)} END, ${watchesBase}
  WHERE lane_state = ${inlineInteger(LANE_STATE.none)} AND ${unfinished("tasks")}
    AND EXISTS (SELECT 1 FROM jobs j WHERE j.task_id = tasks.id AND j.started_at IS NOT NULL)`;

/** Evaluates every queued job of a lane once, after a command changed many of its tasks together. */
export function* reevaluateLane(policy: Policy, repo: string): Tx<void> {
  const lane = yield* readLane(policy, repo);
  for (const effect of ["held", "released"] as const)
    yield* run(reevaluate(policy, sql`${raw(CANDIDATES[effect])}repo = ${repo}`, lane));
}

/** Evaluates some jobs of a lane. */
export function* reevaluateSome(policy: Policy, repo: string, jobs: readonly number[]): Tx<void> {
  if (jobs.length === 0) return;
  yield* run(reevaluate(policy, sql`id IN ${idsIn(jobs)}`, yield* readLane(policy, repo)));
}

/** Evaluates the jobs of a lane that can start, or that could, after a command changed many of its tasks together: those of
 *  its head and of its started tasks, and those that are ready; at most `limit` of each. */
export function* reevaluateNext(policy: Policy, repo: string, limit: number): Tx<void> {
  const { head } = yield* readLane(policy, repo);
  const some = (which: Statement): Tx<{ id: number }[]> =>
    all(sql`SELECT j.id FROM jobs j WHERE ${which} LIMIT ${inlineInteger(limit)}`);
  const ready = yield* some(sql`j.repo = ${repo} AND j.ready = 1`);
  const started = sql`SELECT t.id FROM tasks t WHERE t.repo = ${repo} AND ${unfinished("t")}
    AND t.lane_state <> ${inlineInteger(LANE_STATE.none)} LIMIT ${inlineInteger(limit)}`;
  const next =
    yield* some(sql`j.task_id IN (SELECT CAST(${head} AS BIGINT) UNION ALL SELECT id FROM (${started}) AS started)
    AND j.ready = 0 AND CASE j.status WHEN 'queued' THEN 1 END = 1`);
  yield* reevaluateSome(
    policy,
    repo,
    [...ready, ...next].map(({ id }) => id),
  );
}

/** The triggers that keep the index. */
export const readyTriggers = (policy: Policy): Trigger[] => [
  ...LANE_TRIGGERS,
  ...MIXED_LANES,
  ...OWN_WRITES.map((write) => asTrigger(policy, "own", write)),
  ...HOLD_REASONS.filter(({ applies }) => applies(policy)).flatMap(({ name, reevaluatedBy }) =>
    reevaluatedBy(policy).map((write) => asTrigger(policy, name, write)),
  ),
];

/** Asks whether the triggers in the database are those of this policy. They are rendered once: a service asks every second. */
export const isReadyIndexOurs = (policy: Policy, dialect: Dialect): (() => Tx<boolean>) =>
  areTriggersRecorded(dialect, READY_INDEX, readyTriggers(policy));

/** Makes a reader of the time in which the index is kept by this policy: see `readyEpochReader`. */
export const readyEpochUnder = (policy: Policy, dialect: Dialect): (() => Tx<string | undefined>) =>
  readyEpochReader(dialect, readyTriggers(policy));

/** True when a service has built the index, under whatever policy. */
export const isReadyIndexBuilt = (): Tx<boolean> => isTriggerSetInstalled(READY_INDEX);

/** Installs the triggers of this policy in the place of those of any other; false when they are there already. Jobs that
 *  were there before are left to the audit. */
export function* installReadyIndex(policy: Policy, dialect: Dialect): Tx<boolean> {
  yield* run(dialect.migrationLock);
  const isChanged = yield* installTriggers(dialect, READY_INDEX, readyTriggers(policy));
  if (isChanged) for (const missed of [ACQUIRE_MISSED_LANES, MARK_MISSED_LANES]) yield* run(missed);
  return isChanged;
}

/** Takes the triggers out of the way: over a damaged table they would make every write fail. */
export const dropReadyIndex = (dialect: Dialect): Tx<void> => suspendReadyIndex(dialect);

/** A job whose flag is not what the rule says. */
export interface WrongFlag {
  readonly id: number;
  readonly repo: string | null;
  readonly ready: number;
  readonly shouldBe: number;
}

export interface Audited {
  readonly compared: number;
  readonly wrong: readonly WrongFlag[];
  /** The id to continue after; null at the end. */
  readonly next: number | null;
}

/** Compares the flags of the next `limit` queued jobs after an id with the rule. */
export function* auditReadyFlags(policy: Policy, after: number, limit: number): Tx<Audited> {
  const rows =
    yield* all<WrongFlag>(sql`SELECT j.id, j.repo, j.ready, ${shouldBeReady(policy, "j")} AS "shouldBe" FROM jobs j
    WHERE j.status = 'queued' AND j.id > ${after} ORDER BY j.id LIMIT ${limit}`);
  const next = rows.length === limit ? (rows.at(-1)?.id ?? null) : null;
  // No further than the queued jobs: one step must not walk past every ready job.
  const stale = yield* all<WrongFlag>(sql`SELECT j.id, j.repo, j.ready, 0 AS "shouldBe" FROM jobs j
    WHERE j.ready = 1 AND j.status <> 'queued' AND j.id > ${after} AND j.id <= ${next ?? NO_END}`);
  return {
    compared: rows.length,
    wrong: [...rows, ...stale].filter(({ ready, shouldBe }) => ready !== shouldBe),
    next,
  };
}

/** Repairs flags that were found wrong, except in lanes that others have locked; returns how many. */
export function* repairReadyFlags(policy: Policy, wrong: readonly WrongFlag[]): Tx<number> {
  const byLane = new Map<string, number[]>();
  for (const { id, repo } of wrong) {
    const lane = byLane.get(repo ?? "") ?? [];
    byLane.set(repo ?? "", lane);
    lane.push(id);
  }
  let repaired = 0;
  for (const [lane, ids] of byLane) {
    if (!(yield* tryLane(lane))) continue;
    yield* run(reevaluate(policy, sql`id IN ${list(ids)}`));
    // The lane may show another job, and a verdict that its revision did not tell of.
    yield* run(sql`UPDATE gate_lanes SET revision = revision + 1 WHERE repo = ${lane}`);
    repaired += ids.length;
  }
  return repaired;
}
