/** Tries out the remedies of an explanation: each is run and taken back, so that its effect is the real one and no
 *  second code predicts it (docs/adr/0008). */

import { GateError } from "../../contract/errors.ts";
import type { Effect } from "../../contract/effect.ts";
import type { Explanation, Fix } from "../../contract/explanation.ts";
import { StoreFault, type Tx } from "../../store/port.ts";
import type { Context } from "../commands/context.ts";
import { unfreeze } from "../commands/freeze.ts";
import { cancelJob, retryJob } from "../commands/job.ts";
import { pause, resume } from "../commands/pause.ts";
import { setStage } from "../commands/task.ts";
import type { ExplanationDraft } from "../queries/explain.ts";
import { asCommand, type Remedy } from "../rule/remedy.ts";
import type { Pipeline } from "./pipeline.ts";

/** An explanation tries this many different remedies; the effect of the others is null. */
const MAX_TRIALS = 20;

const run = (context: Context, remedy: Remedy): Tx<{ readonly effect: Effect }> => {
  switch (remedy.action) {
    case "unfreeze":
      return unfreeze(context, remedy, {});
    case "pause":
      return pause(context, remedy, {});
    case "resume":
      return resume(context, remedy, {});
    case "cancel":
      return setStage(context, remedy.task_id, { stage: "cancelled" });
    case "retry":
      return retryJob(context, remedy.job_id, {});
    case "cancel-job":
      return cancelJob(context, remedy.job_id, {});
  }
};

/** Finds the effect of a remedy; null when the gate refuses it or the database is busy. */
const effectOf = async (pipeline: Pipeline, remedy: Remedy): Promise<Effect | null> => {
  try {
    const trial = { caller: null, dryRun: true, decides: true } as const;
    const { value } = await pipeline.run(trial, (context) => run(context, remedy));
    return value.effect;
  } catch (error) {
    if (error instanceof GateError || error instanceof StoreFault) return null;
    throw error;
  }
};

/** Completes an explanation with the effect of each of its remedies. */
export const tryRemedies = async (
  pipeline: Pipeline,
  draft: ExplanationDraft,
): Promise<Omit<Explanation, "degraded">> => {
  const effects = new Map<string, Promise<Effect | null>>();
  const fixFor = async (remedy: Remedy): Promise<Fix> => {
    const { call, command } = asCommand(remedy);
    const effect =
      effects.get(command) ??
      (effects.size < MAX_TRIALS ? effectOf(pipeline, remedy) : Promise.resolve(null));
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
  return { ...draft, jobs: await Promise.all(jobs) };
};
