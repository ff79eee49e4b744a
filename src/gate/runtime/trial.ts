/** Tries out the remedies of an explanation: each is run and taken back, so that its effect is the real one and no
 *  second code predicts it (docs/adr/0008). */

import { GateError } from "../../contract/errors.ts";
import type { ChangedVerdict, Effect } from "../../contract/effect.ts";
import type { Explanation, Fix } from "../../contract/explanation.ts";
import type { TaskSelector } from "../../contract/scalars.ts";
import type { Reach } from "../../contract/names/repo-pattern.ts";
import { withinReach } from "../rule/reach.ts";
import { StoreFault, type Tx } from "../../store/port.ts";
import type { Context } from "../commands/context.ts";
import { unfreeze } from "../commands/freeze.ts";
import { cancelJob, retryJob } from "../commands/job.ts";
import { releaseByForce } from "../commands/lease.ts";
import { pause, resume } from "../commands/pause.ts";
import { setStage } from "../commands/task/stage.ts";
import type { ExplanationDraft } from "../queries/explain/answer.ts";
import { rootLines, type Plan } from "../queries/explain/headline.ts";
import { Investigation } from "../queries/explain/investigation.ts";
import { mainRoot, needsCall, obstaclesOf, waitOf, type Root } from "../queries/explain/root.ts";
import { byJob, readyAmong } from "../rule/effect.ts";
import { asCommand, PROGRAM_IS_GONE, type Remedy } from "../rule/remedy.ts";
import type { Pipeline } from "./pipeline.ts";

/** Where remedies are tried, and the repositories that their effects may be told of. */
interface Trials {
  readonly pipeline: Pipeline;
  readonly reach: Reach;
}

/** An explanation tries this many different remedies; the effect of the others is null. */
const MAX_TRIALS = 20;

const selectorOf = ({
  work_item,
  task_id,
  repo,
}: Extract<Remedy, { readonly task_id: number }>): TaskSelector =>
  work_item === null ? { task_id } : { work_item, repo };

/** Retries a job. Its effect names the job itself also where the gate does not stand in front of it. */
function* retried(context: Context, id: number): Tx<{ readonly effect: Effect }> {
  const { job, effect } = yield* retryJob(context, id, {});
  const { task_id, repo, work_item_id } = job;
  const isNamed = effect.now_claimable.some(({ job_id }) => job_id === id);
  const isReady = (yield* readyAmong(context.rules.policy, context.lookup, [id])).has(id);
  if (isNamed || !isReady || repo === null) return { effect };
  const itself = { job_id: id, task_id, repo, work_item_id, reason: null };
  return { effect: { ...effect, now_claimable: [...effect.now_claimable, itself].sort(byJob) } };
}

const run = (context: Context, remedy: Remedy): Tx<{ readonly effect: Effect }> => {
  switch (remedy.action) {
    case "unfreeze":
      return unfreeze(context, remedy, {});
    case "pause":
      return pause(context, selectorOf(remedy), {}, { isTrial: true });
    case "resume":
      return resume(context, selectorOf(remedy), {}, { isTrial: true });
    case "cancel":
      return setStage(context, remedy.task_id, { stage: "cancelled" });
    case "retry":
      return retried(context, remedy.job_id);
    case "cancel-job":
      return cancelJob(context, remedy.job_id, {});
    case "release":
      return releaseByForce(context, remedy.job_id, { reason: PROGRAM_IS_GONE });
  }
};

/** A way out with more calls than these is not tried, nor advised. */
const MAX_CALLS = 20;

/** The effects of calls, one after the other, as one. */
const addTo = (sum: Map<number, ChangedVerdict>, lost: Map<number, ChangedVerdict>, effect: Effect): void => {
  for (const job of effect.now_claimable) if (!lost.delete(job.job_id)) sum.set(job.job_id, job);
  for (const job of effect.now_held) if (!sum.delete(job.job_id)) lost.set(job.job_id, job);
};

const isPauseOrResume = ({ action }: Remedy): boolean => action === "pause" || action === "resume";

/** True for a pause or a resume of a task that one of the calls paused or resumed. */
const takesBack = (remedy: Remedy, calls: readonly Remedy[]): boolean =>
  isPauseOrResume(remedy) &&
  calls.some(
    (call) =>
      isPauseOrResume(call) && "task_id" in call && "task_id" in remedy && call.task_id === remedy.task_id,
  );

/** The first remedy of each root cause that takes none of the calls back. */
const remediesOf = (roots: readonly Root[], calls: readonly Remedy[] = []): Remedy[] =>
  roots
    .filter(needsCall)
    .flatMap(({ remedies }) => remedies.filter((remedy) => !takesBack(remedy, calls)).slice(0, 1));

/** True where a root cause remains that only the reverse of one of the calls would end: the calls lead nowhere. */
const leadsBack = (roots: readonly Root[], calls: readonly Remedy[]): boolean =>
  roots
    .filter(needsCall)
    .some(({ remedies }) => remedies.length > 0 && remedies.every((remedy) => takesBack(remedy, calls)));

/** The calls without the pauses and resumes of tasks that they cancel. */
const withoutVain = (calls: readonly Remedy[]): Remedy[] => {
  const cancelled = new Set(calls.flatMap((call) => (call.action === "cancel" ? [call.task_id] : [])));
  return calls.filter((call) => !(isPauseOrResume(call) && "task_id" in call && cancelled.has(call.task_id)));
};

/** A plan, and the calls that it consists of. */
interface TriedPlan {
  readonly plan: Plan;
  readonly made: readonly Remedy[];
}

/** Makes the calls that end the root causes of a wait; looks again, because the end of one can show another, until no
 *  further call is needed.
 *  @returns null where they are too many, or lead back: a task that is resumed into a cycle must wait until it is open */
function* makeCalls(context: Context, taskId: number, first: readonly Remedy[]): Tx<TriedPlan | null> {
  const { policy } = context.rules;
  const { visible } = context.lookup;
  const made = new Map<string, Remedy>();
  const claimable = new Map<number, ChangedVerdict>();
  const held = new Map<number, ChangedVerdict>();
  let next = first;
  let still: Plan["still"] = null;
  while (next.length > 0) {
    for (const remedy of next) {
      made.set(asCommand(remedy).command, remedy);
      if (made.size > MAX_CALLS) return null;
      addTo(claimable, held, (yield* run(context, remedy)).effect);
    }
    const { state, roots } = yield* waitOf(new Investigation(policy, visible, context.reach), taskId);
    if (leadsBack(roots, [...made.values()])) return null;
    still = obstaclesOf(state) ?? [];
    next = remediesOf(roots, [...made.values()]).filter((remedy) => !made.has(asCommand(remedy).command));
  }
  const ready = yield* readyAmong(policy, context.lookup, [...claimable.keys()]);
  return {
    made: [...made.values()],
    plan: {
      ...spelled([...made.values()]),
      condition: null,
      effect: {
        now_claimable: [...claimable.values()].filter(({ job_id }) => ready.has(job_id)).sort(byJob),
        now_held: [...held.values()].sort(byJob),
      },
      still,
    },
  };
}

const spelled = (remedies: readonly Remedy[]): Pick<Plan, "calls" | "commands"> => {
  const commands = remedies.map(asCommand);
  return { calls: commands.map(({ call }) => call), commands: commands.map(({ command }) => command) };
};

/** The way out of a wait: the calls that end its root causes together, tried. Null where no call is needed, or none is
 *  known that helps. */
const planOf = async (trials: Trials, { wait: { state, roots } }: ExplanationDraft): Promise<Plan | null> => {
  const remedies = withoutRepeats(remediesOf(roots));
  const untried = { condition: null, effect: null, still: null };
  if (remedies.length > 0) {
    const tryOut = (first: readonly Remedy[]) =>
      attempt(trials, (context) => makeCalls(context, state.task.id, first));
    const tried = await tryOut(remedies);
    if (tried === undefined) return { ...spelled(remedies.slice(0, MAX_CALLS)), ...untried };
    if (tried === null) return null;
    const needed = withoutVain(tried.made);
    const shorter = needed.length < tried.made.length ? await tryOut(needed) : undefined;
    return (shorter ?? tried).plan;
  }
  const main = mainRoot(roots);
  if (main?.cause.ended_by !== "program") return null;
  return { ...spelled(main.remedies), ...untried, condition: "that program is gone" };
};

const withoutRepeats = (remedies: readonly Remedy[]): Remedy[] => [
  ...new Map(remedies.map((remedy) => [asCommand(remedy).command, remedy])).values(),
];

/** Finds the effect of a remedy; null when the gate refuses it or the database is busy. */
const effectOf = async (trials: Trials, remedy: Remedy): Promise<Effect | null> =>
  (await attempt(trials, (context) => run(context, remedy)))?.effect ?? null;

/** Runs calls and takes them back; undefined when the gate refuses one or the database is busy. */
const attempt = async <T>(
  { pipeline, reach }: Trials,
  calls: (context: Context) => Tx<T>,
): Promise<T | undefined> => {
  try {
    const caller = { actor: null, reach, agents: null };
    return withinReach(reach, (await pipeline.run({ caller, dryRun: true, decides: true }, calls)).value);
  } catch (error) {
    if (error instanceof GateError || error instanceof StoreFault) return undefined;
    throw error;
  }
};

/** Completes an explanation with the effect of each of its remedies. */
export const tryRemedies = async (
  pipeline: Pipeline,
  draft: ExplanationDraft,
  reach: Reach,
): Promise<Omit<Explanation, "degraded">> => {
  const trials = { pipeline, reach };
  const effects = new Map<string, Promise<Effect | null>>();
  const fixFor = async (remedy: Remedy): Promise<Fix> => {
    const { call, command } = asCommand(remedy);
    const effect =
      effects.get(command) ?? (effects.size < MAX_TRIALS ? effectOf(trials, remedy) : Promise.resolve(null));
    effects.set(command, effect);
    return { call, command, effect: await effect };
  };
  const jobs = draft.jobs.map(async (job) => ({
    ...job,
    reasons: await Promise.all(
      job.reasons.map(async ({ remedies, ...obstacle }) => ({
        ...obstacle,
        fix: await Promise.all(remedies.map(fixFor)),
      })),
    ),
  }));
  const { wait, ...explanation } = draft;
  const root = rootLines(wait, draft.stuck, await planOf(trials, draft));
  return { ...explanation, root, jobs: await Promise.all(jobs) };
};
