/** Pause and resume of all tasks of a long lane, in steps: each is a short transaction, so that neither the event loop nor the
 *  lane is kept from others for long. All of the tasks turn at one commit for everybody who asks the service, because they
 *  count as not paused while the steps go on (rule/lane.ts):
 *  - a pause turns when its last step ends: its tasks are paused from the newest on, the head of the lane and the tasks that
 *    have started last, so that the lane has the same head until then;
 *  - a resume turns when it begins: its tasks are resumed from the oldest on, those that have started first, so that the lane
 *    has its head at once. A task whose turn is still to come waits, whatever its jobs are.
 *  Another program that reads the rows sees what a series of single pauses would show it. The row of gate_lane_steps is all
 *  that the steps know: any service goes on with it, also after the one that began it ended. */

import { LISTED, type Effect } from "../../../contract/effect.ts";
import type { LanePauseState } from "../../../contract/operations.ts";
import { all, first, lockLane, now, run, type Tx } from "../../../store/port.ts";
import { idsIn, inlineInteger, raw, sql, type Statement } from "../../../store/sql.ts";
import { toStored } from "../../../store/timestamps.ts";
import { byJob, firstReady, isHeld, verdictsAmong } from "../../rule/effect.ts";
import { COUNTING, NO_END, unfinished } from "../../rule/lane.ts";
import type { Actor, Policy } from "../../rule/policy.ts";
import { reevaluateNext, reevaluateSome } from "../../rule/ready-index.ts";
import { forceOf } from "../../rule/scope.ts";
import type { Context } from "../context.ts";
import { keepAnswer, type StoredCall } from "../idempotency.ts";
import type { TaskRef } from "../lookup/work-item.ts";
import { pauseOptions, pauseTasks, resumeOptions, resumeTasks, TASK_REF } from "../pause.ts";
import { WRITTEN, WRITTEN_TOGETHER } from "../record.ts";
import { laneState, pausedTogether, toPause, toResume, type LaneChange } from "./at-once.ts";

/** The next thing of a change: change tasks, evaluate the jobs that are ready, evaluate those that are held. */
const PHASE = { tasks: COUNTING, ready: 2, held: 3 } as const;

/** The request, and all that the answer needs from before. */
interface Asked {
  readonly actor: Actor;
  readonly reason: string | undefined;
  /** Milliseconds since 1970 UTC. */
  readonly at: number;
  readonly ends: number | null;
  readonly answer: string | undefined;
  readonly call: StoredCall | null;
  /** The first jobs that were ready before. */
  readonly before: readonly Place[];
  /** The first tasks that were resumed. */
  readonly resumed: readonly number[];
}

/** A job in the order of its lane. */
export interface Place {
  readonly job_id: number;
  readonly task_id: number;
}

interface Row {
  readonly repo: string;
  readonly verb: LaneChange["verb"];
  readonly phase: number;
  readonly at: string;
  readonly up_to: number;
  readonly next_task: number;
  readonly next_job: number;
  readonly changed: number;
  readonly asked: string;
}

/** Reads the places of the first ready jobs of a lane. */
export function* readyPlaces({ rules: { policy }, lookup }: Context, repo: string): Tx<Place[]> {
  const ready = yield* firstReady(policy, lookup, repo, LISTED);
  return ready.map(({ job_id, task_id }) => ({ job_id, task_id: task_id ?? 0 }));
}

/** Where the next step goes on. */
type Next = Pick<Row, "phase" | "next_task" | "next_job">;

/** The state of a change after a step. */
export interface Stepped {
  readonly isOver: boolean;
  /** Verdicts of the lane's jobs turned: a waiting claim may find one. */
  readonly isNews: boolean;
  /** Of the change that this step ended. */
  readonly answer?: LanePauseState;
}

/** Begins a change; false where another one of the lane goes on.
 *  @param size of a step, in rows
 *  @throws GateError layer_disabled, invalid_request */
export function* beginChange(
  context: Context,
  change: LaneChange,
  { size, call }: { readonly size: number; readonly call: StoredCall | null },
): Tx<boolean> {
  const { repo, verb } = change;
  yield* lockLane(repo);
  const at = verb === "pause" ? yield* ownTime(repo) : yield* now();
  const how =
    change.verb === "pause"
      ? { answer: undefined, ...pauseOptions(context, change.note, { at, together: true }) }
      : { at, ends: null, answer: undefined, ...resumeOptions(context.actor, change.note) };
  if (yield* first(sql`SELECT repo FROM gate_lane_steps WHERE repo = ${repo}`)) return false;
  const ready = yield* readyPlaces(context, repo);
  const asked: Asked = {
    actor: how.actor,
    reason: how.reason,
    at,
    ends: how.ends,
    answer: how.answer,
    call,
    before: ready,
    resumed: [],
  };
  yield* run(sql`INSERT INTO gate_lane_steps(repo, verb, phase, at, up_to, next_task, next_job, changed, stepped_ms, asked)
    VALUES (${repo}, ${verb}, ${PHASE.tasks}, ${toStored(at)}, (SELECT COALESCE(MAX(t.id), 0) FROM tasks t WHERE t.repo = ${repo}),
      ${verb === "pause" ? NO_END : 0}, 0, 0, ${at}, ${JSON.stringify(asked)})`);
  if (verb === "resume") {
    const begun = yield* first<Row>(readRow(repo));
    if (begun) yield* resumeFirst(context, begun, size);
  }
  return true;
}

/** The time of a pause, by which its tasks are known: a millisecond at which no other task of the lane was paused. */
function* ownTime(repo: string): Tx<number> {
  for (let at = yield* now(); ; at += 1) {
    const other = yield* first(sql`SELECT id FROM tasks
      WHERE repo = ${repo} AND paused_at = ${toStored(at)} AND paused_together = 1 LIMIT 1`);
    if (!other) return at;
  }
}

const readRow = (repo: string): Statement =>
  sql`SELECT repo, verb, phase, at, up_to, next_task, next_job, changed, asked FROM gate_lane_steps WHERE repo = ${repo}`;

/** Makes the next step of a lane's change; over where there is none.
 *  @param size in rows */
export function* stepChange(context: Context, repo: string, size: number): Tx<Stepped> {
  yield* lockLane(repo);
  const row = yield* first<Row>(readRow(repo));
  if (!row) return { isOver: true, isNews: false };
  if (row.phase === PHASE.tasks)
    return yield* row.verb === "pause" ? pauseSome(context, row, size) : resumeSome(context, row, size);
  const next = context.lookup.useReadyIndex ? yield* evaluateSome(context, row, size) : undefined;
  if (next) {
    yield* goOn(row, next);
    return { isOver: false, isNews: row.phase === PHASE.held };
  }
  return { isOver: true, isNews: true, answer: yield* endChange(context, row) };
}

/** The lanes whose change has not gone on for a while: the service that made its steps is gone.
 *  @param forMs milliseconds */
export function* standingChanges(forMs: number): Tx<string[]> {
  const at = yield* now();
  const rows = yield* all<{ repo: string; stepped_ms: number }>(
    sql`SELECT repo, stepped_ms FROM gate_lane_steps ORDER BY repo`,
  );
  // After a jump of the clock back, the last step lies in the future.
  return rows.filter((row) => Math.abs(at - row.stepped_ms) > forMs).map(({ repo }) => repo);
}

function* goOn({ repo }: Row, { phase, next_task, next_job }: Next, more: Partial<Row> = {}): Tx<void> {
  yield* run(sql`UPDATE gate_lane_steps SET phase = ${phase}, next_task = ${next_task}, next_job = ${next_job},
      stepped_ms = ${yield* now()}, changed = changed + ${more.changed ?? 0}, asked = COALESCE(${more.asked ?? null}, asked)
    WHERE repo = ${repo}`);
}

const moveRevision = (repo: string): Tx<void> =>
  run(sql`UPDATE gate_lanes SET revision = revision + 1 WHERE repo = ${repo}`);

// --- The tasks

export const STARTED = raw("lane_state <> 0");

/** Triggers leave tasks that change together alone: the last phases evaluate their jobs. */
export const written = ({ lookup: { useReadyIndex } }: Context): Statement =>
  useReadyIndex ? WRITTEN_TOGETHER : WRITTEN;

const idsAmong = (rows: Statement): Tx<{ id: number }[]> => all(rows);

/** Pauses the next tasks; with the last ones, all turn. */
function* pauseSome(context: Context, row: Row, size: number): Tx<Stepped> {
  const { repo, up_to } = row;
  const some = (which: Statement): Tx<{ id: number }[]> =>
    idsAmong(sql`SELECT id FROM tasks WHERE repo = ${repo} AND ${toPause} AND id <= ${up_to} AND ${which}
      ORDER BY id DESC LIMIT ${inlineInteger(size + 1)}`);
  const fresh = yield* some(sql`lane_state = 0 AND id < ${row.next_task}`);
  if (fresh.length > size) {
    const batch = fresh.slice(0, size);
    const changed = yield* pauseAmong(context, row, batch);
    yield* goOn(row, { ...row, next_task: batch.at(-1)?.id ?? 0 }, { changed });
    return { isOver: false, isNews: false };
  }
  const started = yield* some(STARTED);
  if (started.length > size) {
    const changed = yield* pauseAmong(context, row, started.slice(0, size));
    yield* goOn(row, row, { changed });
    return { isOver: false, isNews: false };
  }
  const changed = yield* pauseAmong(context, row, [...fresh, ...started]);
  yield* goOn(row, { phase: PHASE.ready, next_task: 0, next_job: 0 }, { changed });
  yield* turned(context, repo, size);
  return { isOver: false, isNews: true };
}

function* pauseAmong(context: Context, row: Row, batch: readonly { readonly id: number }[]): Tx<number> {
  const { actor, at, ends, reason } = JSON.parse(row.asked) as Asked;
  const which = sql`id IN ${idsIn(batch.map(({ id }) => id))} AND ${toPause}`;
  const how = { actor, at, ends, reason, together: true };
  return batch.length === 0 ? 0 : (yield* pauseTasks(which, how, written(context))).length;
}

/** The first step of a resume: the tasks that have started, and the oldest. */
function* resumeFirst(context: Context, row: Row, size: number): Tx<void> {
  const started =
    yield* idsAmong(sql`SELECT id FROM tasks WHERE repo = ${row.repo} AND ${STARTED} AND ${toResume}
      AND ${unfinished("tasks")} AND id + 0 <= ${row.up_to} ORDER BY paused_at, id LIMIT ${inlineInteger(size)}`);
  const back = yield* resumeAmong(context, row, started);
  const asked = { ...(JSON.parse(row.asked) as Asked), resumed: back.map(({ task_id }) => task_id) };
  yield* goOn(row, row, { changed: back.length });
  yield* resumeSome(context, { ...row, asked: JSON.stringify(asked) }, size);
  yield* turned(context, row.repo, size);
}

/** Resumes the next tasks. The window is of paused tasks, whatever becomes of them: no step walks past any number of
 *  finished ones. */
function* resumeSome(context: Context, row: Row, size: number): Tx<Stepped> {
  const window = yield* idsAmong(sql`SELECT id FROM tasks WHERE repo = ${row.repo} AND paused_at IS NOT NULL
      AND id > ${row.next_task} AND id <= ${row.up_to} ORDER BY id LIMIT ${inlineInteger(size)}`);
  const back = yield* resumeAmong(context, row, window);
  // Their jobs waited for this turn.
  if (back.length > 0) yield* moveRevision(row.repo);
  const asked = JSON.parse(row.asked) as Asked;
  const resumed = [...asked.resumed, ...back.map(({ task_id }) => task_id)].slice(0, LISTED);
  const isLast = window.length < size;
  const next = isLast
    ? { phase: PHASE.ready, next_task: 0, next_job: 0 }
    : { ...row, next_task: window.at(-1)?.id ?? 0 };
  yield* goOn(row, next, {
    changed: back.length,
    ...(asked.resumed.length < LISTED ? { asked: JSON.stringify({ ...asked, resumed }) } : {}),
  });
  return { isOver: false, isNews: false };
}

/** Resumes those of some paused tasks that were paused together. Beside `paused_at IS NOT NULL`, PostgreSQL would not look the
 *  tasks up by their ids: right after a pause it takes the index of paused tasks for empty, and would walk all of the lane's. */
function* resumeAmong(
  context: Context,
  { asked }: Row,
  batch: readonly { readonly id: number }[],
): Tx<TaskRef[]> {
  const { actor, reason, answer } = JSON.parse(asked) as Asked;
  const which = sql`id IN ${idsIn(batch.map(({ id }) => id))} AND ${pausedTogether}`;
  return batch.length === 0 ? [] : yield* resumeTasks(which, { actor, reason, answer }, written(context));
}

// --- The jobs

/** All tasks of the lane turned: the jobs that can start now are evaluated at once, the others in the steps that follow. */
function* turned({ rules: { policy }, lookup }: Context, repo: string, size: number): Tx<void> {
  yield* moveRevision(repo);
  if (lookup.useReadyIndex) yield* reevaluateNext(policy, repo, size);
}

/** Jobs are evaluated for each task that is changed: few flags turn, so that it takes as long. */
export const JOBS_A_TASK = 4;

/** Evaluates the next jobs of the lane.
 *  @returns where to go on; undefined at the end */
function* evaluateSome({ rules: { policy } }: Context, row: Row, size: number): Tx<Next | undefined> {
  const jobs = JOBS_A_TASK * size;
  const isReady = row.phase === PHASE.ready;
  const window = yield* all<Place>(sql`SELECT id AS job_id, task_id FROM jobs
    WHERE repo = ${row.repo} AND ${raw(isReady ? "ready = 1" : "status = 'queued' AND ready = 0")}
      AND (task_id, id) > (${row.next_task}, ${row.next_job}) ORDER BY task_id, id LIMIT ${inlineInteger(jobs)}`);
  yield* reevaluateSome(
    policy,
    row.repo,
    window.map(({ job_id }) => job_id),
  );
  const last = window.at(-1);
  if (last && window.length === jobs)
    return { phase: row.phase, next_task: last.task_id, next_job: last.job_id };
  return isReady ? { phase: PHASE.held, next_task: 0, next_job: 0 } : undefined;
}

// --- The answer

function* endChange(context: Context, row: Row): Tx<LanePauseState> {
  const { repo, verb, at, changed } = row;
  const { policy } = context.rules;
  const asked = JSON.parse(row.asked) as Asked;
  const which =
    verb === "pause"
      ? sql`repo = ${repo} AND paused_at = ${at} AND paused_together = 1`
      : sql`id IN ${idsIn(asked.resumed)}`;
  const tasks = yield* all<TaskRef>(
    sql`SELECT ${TASK_REF} FROM tasks WHERE ${which} ORDER BY id LIMIT ${inlineInteger(LISTED)}`,
  );
  const effect = yield* effectOf(context, repo, asked.before);
  const answer = longAnswer(policy, {
    ...laneState(repo, tasks, verb === "pause" ? at : null),
    changed,
    effect,
    isCut: asked.before.length === LISTED,
  });
  yield* run(sql`DELETE FROM gate_lane_steps WHERE repo = ${repo}`);
  yield* moveRevision(repo);
  if (asked.call) yield* keepAnswer(asked.call, answer);
  return answer;
}

type Change = Pick<LanePauseState, "repo" | "paused" | "tasks" | "changed" | "effect">;

/** The answer to a change of a long lane.
 *  @param isCut the effect tells of the first jobs only */
export const longAnswer = (
  policy: Policy,
  { isCut, ...change }: Change & { readonly isCut: boolean },
): LanePauseState => {
  const { repo, changed, tasks, effect } = change;
  const cut = isCut || effect.now_claimable.length === LISTED;
  return {
    ...change,
    ...forceOf(policy, repo),
    // It has tasks or jobs enough to be long.
    known: true,
    near: [],
    effect: cut ? { ...effect, cut } : effect,
    ...(changed > tasks.length || cut ? { cut: true } : {}),
  };
};

/** The first jobs that were held and are ready, and those of the first ready ones that are held. */
function* effectOf(
  { rules: { policy }, lookup }: Context,
  repo: string,
  before: readonly Place[],
): Tx<Effect> {
  const known = new Set(before.map(({ job_id }) => job_id));
  const end = before.length === LISTED ? before.at(-1) : undefined;
  const isCompared = ({ job_id, task_id }: { job_id: number; task_id: number | null }): boolean =>
    end === undefined ||
    (task_id ?? 0) < end.task_id ||
    ((task_id ?? 0) === end.task_id && job_id <= end.job_id);
  const after = (yield* firstReady(policy, lookup, repo, LISTED)).filter(isCompared);
  return {
    now_claimable: after.filter(({ job_id }) => !known.has(job_id)).sort(byJob),
    now_held: (yield* verdictsAmong(policy, lookup, { repo, jobs: idsOf(before) })).filter(isHeld),
  };
}

export const idsOf = (places: readonly Place[]): number[] => places.map(({ job_id }) => job_id);
