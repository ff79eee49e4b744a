/** Jobs that are done: each ends, its task moves to a stage and what is next is enqueued, all or nothing.
 *  Completions that arrive together share a handful of statements, however many they are. */

import { all, first, lockLane, now, run, tryLanes, type Tx } from "../../store/port.ts";
import { idsIn, rowsOf, sql } from "../../store/sql.ts";
import { NO_RUN } from "../../store/triggers/runs.ts";
import { GateError } from "../../contract/errors.ts";
import { claim, type ClaimAttempt } from "./claim.ts";
import type { BatchContext, Context } from "./context.ts";
import { recordAll, WRITTEN, type Change } from "./record.ts";
import {
  finishedJob,
  finishedTasks,
  readFinishingJobs,
  type Finished,
  type FinishingJob,
} from "./completion/finishing-job.ts";
import { enqueue, laneOf, refuseFinished } from "./job.ts";
import { encode } from "../../store/json.ts";
import { leaseLost, taskEnded, taskOfJob, type LeaseClaim, type LeasedJob } from "./lease.ts";
import { unknownJob } from "./lookup/subject.ts";
import { sees, type Reach } from "../../contract/names/repo-pattern.ts";
import type { Completed, Completion, Job } from "../../contract/jobs.ts";
import { ALONE, resultOf, valuesOf, type Result } from "./outcome.ts";
import { forgetAnswers, pauseOptions, pauseUnlessPaused, type PauseOptions } from "./pause.ts";
import type { Actor } from "../rule/policy.ts";
import { endsWithTask } from "../rule/reasons/finished.ts";
import { isTerminal } from "../../contract/vocabulary.ts";
import { readTasks } from "./task/read.ts";
import {
  endWaitingJobs,
  moveStages,
  NONE_ENDED,
  refuseTerminal,
  stageChange,
  type Move,
} from "./task/stage.ts";
import { rebased } from "./overtakes.ts";
import { toStored } from "../../store/timestamps.ts";
import { NO_LEASE } from "../../store/triggers/times.ts";
import type { TaskRef } from "./lookup/work-item.ts";

/** One completion of a batch. */
export interface CompletionAttempt {
  readonly actor: Actor;
  /** The repositories that the caller may know. */
  readonly reach?: Reach;
  readonly id: number;
  readonly input: Completion;
}

/** A completion that may be made. */
interface Finish {
  readonly attempt: CompletionAttempt;
  readonly job: FinishingJob;
  readonly move: Move | undefined;
  readonly pause: { readonly task: TaskRef; readonly how: PauseOptions } | undefined;
}

/** The move that a completion asks for; none for the stage that the task is in.
 *  @throws GateError task_terminal, invalid_request where there is no task */
const moveOf = ({ actor, input: { stage } }: CompletionAttempt, job: LeasedJob): Move | undefined => {
  if (stage === undefined || stage === job.stage) return undefined;
  const task = taskOfJob(job, "/stage");
  refuseTerminal(task);
  return { ...task, to: stage, actor };
};

/** The pause that a completion asks for.
 *  @throws GateError task_terminal, layer_disabled, invalid_request where there is no task or where it finishes */
const pauseOf = (
  context: BatchContext,
  { actor, input: { pause } }: CompletionAttempt,
  { job, move, at }: { readonly job: LeasedJob; readonly move: Move | undefined; readonly at: number },
): Finish["pause"] => {
  if (!pause) return undefined;
  if (move && isTerminal(move.to))
    throw new GateError("invalid_request", `A task that is ${move.to} waits for nobody.`, {
      faults: [{ in: "body", pointer: "/pause", detail: "must be left out when the stage is terminal" }],
    });
  const task = taskOfJob(job, "/pause");
  refuseTerminal(task);
  return { task, how: pauseOptions({ ...context, actor }, pause, { at, pointer: "/pause/until" }) };
};

/** @throws GateError lease_lost, task_cancelled, task_terminal, layer_disabled, invalid_request for what needs a task where
 *    there is none, or one that goes on where it finishes */
const finishOf = (
  context: BatchContext,
  attempt: CompletionAttempt,
  { job, at }: { readonly job: FinishingJob & { readonly valid: number }; readonly at: number },
): Finish => {
  const { id, input } = attempt;
  const { stage, next = [], pause } = input;
  if (!job.valid) throw leaseLost(id);
  if (endsWithTask(job) && (stage !== undefined || next.length > 0 || pause)) throw taskEnded(job);
  const move = moveOf(attempt, job);
  if (move?.to === "cancelled" && next.length > 0) throw taskEnded({ ...job, stage: move.to });
  const standing = move?.to ?? job.stage;
  if (standing !== null)
    for (const { agent } of next) refuseFinished(context.rules.policy, { ...job, stage: standing }, agent);
  return { attempt, job, move, pause: pauseOf(context, attempt, { job, move, at }) };
};

/** True for a completion whose end of a task touches lanes that are not locked. */
const touchesOthers = ({ job, move }: Finish): boolean =>
  job.touches_others === 1 && move !== undefined && isTerminal(move.to);

/** Locks the lanes of some jobs, as far as no other transaction has; where a writer is alone, all of them are its own.
 *  @returns true for a lane that is locked */
function* lockLanesOf(
  { isAlone }: BatchContext,
  jobs: readonly number[],
): Tx<(job: Pick<LeasedJob, "repo">) => boolean> {
  if (isAlone) return () => true;
  const named = yield* all<Pick<LeasedJob, "repo">>(
    sql`SELECT DISTINCT j.repo FROM jobs j WHERE j.id IN ${idsIn(jobs)}`,
  );
  const lanes = yield* tryLanes([...new Set(named.map(laneOf))]);
  return (job) => lanes.has(laneOf(job));
}

/** Decides which attempts may be made together and which are refused. Alone is made: an attempt in a lane that another
 *  holds, a second one about the same task, and one whose end touches other lanes. */
function* choose(context: BatchContext, attempts: readonly CompletionAttempt[]): Tx<Result<Finish>[]> {
  const claims = new Map<number, LeaseClaim>();
  for (const { id, input, actor } of attempts)
    if (!claims.has(id)) claims.set(id, { token: input.lease_token, actor });
  const isLocked = yield* lockLanesOf(context, [...claims.keys()]);
  const jobs = yield* readFinishingJobs(context.rules, claims);
  const at = yield* now();

  const taken = new Set<string>();
  const chosen = attempts.map((attempt): Result<Finish> => {
    const job = jobs.get(attempt.id);
    if (!job || !sees(attempt.reach ?? null, job.repo)) return { error: unknownJob(attempt.id) };
    const subject = job.task_id === null ? `job ${job.job_id}` : `task ${job.task_id}`;
    if (!isLocked(job) || taken.has(subject)) return ALONE;
    taken.add(subject);
    return resultOf(() => finishOf(context, attempt, { job, at }));
  });
  if (attempts.length === 1) return chosen;
  return chosen.map((each) => ("value" in each && touchesOthers(each.value) ? ALONE : each));
}

/** Makes the completions.
 *  @returns what each comes to */
function* finish(context: BatchContext, finishes: readonly Finish[]): Tx<Completed[]> {
  const at = toStored(yield* now());
  const finished = finishes.map(({ job, move, attempt }): Finished => ({
    job,
    move,
    at,
    result: encode(attempt.input.result),
  }));
  const results = rowsOf(finished.map(({ job, result }) => [job.job_id, { result }]));
  yield* run(sql`UPDATE jobs SET ${NO_LEASE}, ${NO_RUN}, status = 'done', result = done.value ->> 'result', error = NULL,
      finished_at = ${at}, ${WRITTEN}
    FROM ${results} AS done WHERE jobs.id = CAST(done.key AS BIGINT)`);
  const moves = finishes.flatMap(({ move }) => move ?? []);
  yield* moveStages(moves, at);
  yield* recordAll(
    finishes.flatMap(({ job, move, attempt: { actor } }): Change[] => [
      ["job.completed", job, { actor }],
      ...(move ? [stageChange(move)] : []),
    ]),
  );
  yield* rebased(finishes.flatMap(({ job }) => (job.told_job_id === job.job_id ? job : [])));
  yield* forgetAnswers(finishes.map(({ job }) => job));
  const ends = finishes.flatMap(({ job, move }) =>
    move && isTerminal(move.to) && job.leaves_jobs ? move : [],
  );
  const ended = yield* endWaitingJobs(context.rules.policy, ends, at);
  for (const { pause } of finishes) if (pause) yield* pauseUnlessPaused(pause.task, pause.how);

  const next = new Map<Finish, Job[]>();
  for (const each of finishes) {
    const enqueued: Job[] = [];
    const { actor, input } = each.attempt;
    for (const spec of input.next ?? []) enqueued.push(yield* enqueue({ ...context, actor }, each.job, spec));
    next.set(each, enqueued);
  }
  const tasks = yield* finishedTasks(finished);
  const paused = finishes.flatMap(({ pause }) => pause?.task.task_id ?? []);
  if (paused.length > 0) for (const task of yield* readTasks(idsIn(paused))) tasks.set(task.id, task);
  return finishes.map((each, index) => {
    const its = finished[index];
    if (!its) throw unknownJob(each.job.job_id);
    const task = each.job.task_id === null ? undefined : tasks.get(each.job.task_id);
    const itsEnded = each.move && ended.get(each.move.task_id);
    return {
      job: finishedJob(its),
      task: task ?? null,
      next: next.get(each) ?? [],
      ...(itsEnded ?? NONE_ENDED),
    };
  });
}

/** Completes jobs, each all or nothing and none at the cost of another.
 *  @returns a result for each; its error is unknown_job, lease_lost, task_cancelled, task_terminal, layer_disabled or
 *    invalid_request */
export function* completeTogether(
  context: BatchContext,
  attempts: readonly CompletionAttempt[],
): Tx<Result<Completed>[]> {
  const chosen = yield* choose(context, attempts);
  const finishes = valuesOf(chosen);
  const completed = finishes.length > 0 ? yield* finish(context, finishes) : [];
  const values = completed.values();
  return chosen.map((each) => {
    if (!("value" in each)) return each;
    const { value } = values.next();
    return value ? { value } : ALONE;
  });
}

/** A completion whose caller claims next. */
export interface ClaimingAttempt extends CompletionAttempt {
  readonly claim: ClaimAttempt;
}

/** Gives each caller whose completion was made its next jobs: they may be what the completions freed.
 *  @param results of the completions */
export function* claimNext(
  context: BatchContext,
  attempts: readonly ClaimingAttempt[],
  results: readonly Result<Completed>[],
): Tx<Result<Completed>[]> {
  const made = attempts.filter((_, index) => "value" in (results[index] ?? ALONE));
  const claimed = (
    made.length > 0
      ? yield* claim(
          context,
          made.map((each) => each.claim),
        )
      : []
  ).values();
  return results.map((result) =>
    "value" in result ? { value: { ...result.value, jobs: claimed.next().value ?? [] } } : result,
  );
}

/** Completes one job, waiting for its lane as long as needed.
 *  @throws GateError unknown_job, lease_lost, task_cancelled, task_terminal, layer_disabled, invalid_request */
export function* complete(context: Context, id: number, input: Completion): Tx<Completed> {
  for (;;) {
    const job = yield* first<Pick<LeasedJob, "repo">>(sql`SELECT repo FROM jobs WHERE id = ${id}`);
    if (!job) throw unknownJob(id);
    yield* lockLane(laneOf(job));
    const [result = ALONE] = yield* completeTogether(context, [{ actor: context.actor, id, input }]);
    if ("value" in result) return result.value;
    if ("error" in result) throw result.error;
    // The job was moved to another lane in between.
  }
}
