/** Payloads and results: the caller's role says whether it may read them. Without that right they are null, as where there
 *  are none. */

import type { FastifyRequest } from "fastify";
import { maySeeContents } from "../access/role.ts";
import type { Explanation } from "../contract/explanation.ts";
import type { Job } from "../contract/jobs.ts";

type WithJobs = { readonly job: Job } | { readonly jobs: readonly Job[] };

const withoutContents = (job: Job): Job => ({ ...job, payload: null, result: null });

/** The answer as the caller may see it. */
export const asShownTo = async <T extends WithJobs>(
  { role }: FastifyRequest,
  read: Promise<T>,
): Promise<T> => {
  const answer = await read;
  if (role !== null && maySeeContents(role)) return answer;
  return "jobs" in answer
    ? { ...answer, jobs: answer.jobs.map(withoutContents) }
    : { ...answer, job: withoutContents(answer.job) };
};

/** The explanation as the caller may see it: a blocker has the jobs of its task. */
export const explanationShownTo = async (
  { role }: FastifyRequest,
  read: Promise<Explanation>,
): Promise<Explanation> => {
  const explanation = await read;
  if (role !== null && maySeeContents(role)) return explanation;
  const jobs = explanation.jobs.map((job) => ({
    ...job,
    reasons: job.reasons.map((obstacle) => ({
      ...obstacle,
      blocker: { ...obstacle.blocker, jobs: obstacle.blocker.jobs.map(withoutContents) },
    })),
  }));
  return { ...explanation, jobs };
};
