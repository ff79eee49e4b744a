/** The actions that an explanation advises, the way out first. */

import type { Explanation } from "../state/types.ts";
import { actionOfCall, type Action, type Known, type TaskRef } from "./actions.ts";
import { taskName } from "./words.ts";

/** Every task that the explanation names. */
const tasksIn = ({ task, root, jobs }: Explanation): TaskRef[] => [
  { task_id: task.id, work_item_id: task.work_item_id, repo: task.repo },
  ...root.causes.map(({ task_id, work_item_id, repo }) => ({ task_id, work_item_id, repo })),
  ...jobs.flatMap(({ reasons }) =>
    reasons.flatMap(({ blocker: { task: other } }) =>
      other ? [{ task_id: other.id, work_item_id: other.work_item_id, repo: other.repo }] : [],
    ),
  ),
];

const knownIn = (explanation: Explanation): Known => {
  const tasks = tasksIn(explanation);
  return {
    byId: (id) => tasks.find(({ task_id }) => task_id === id),
    byName: (workItem, repo) => tasks.find((each) => each.work_item_id === workItem && each.repo === repo),
  };
};

interface NamedJob {
  readonly agent: string;
  readonly of: TaskRef;
}

/** The explained task's jobs and those of its blockers, by id. */
const jobsIn = ({ task, jobs }: Explanation): ReadonlyMap<number, NamedJob> => {
  const own: TaskRef = { task_id: task.id, work_item_id: task.work_item_id, repo: task.repo };
  const blockers = jobs.flatMap(({ reasons }) => reasons.map(({ blocker }) => blocker));
  return new Map([
    ...blockers.flatMap(({ task: other, jobs: theirs }) =>
      other === null
        ? []
        : theirs.map(({ id, agent }): [number, NamedJob] => [
            id,
            { agent, of: { task_id: other.id, work_item_id: other.work_item_id, repo: other.repo } },
          ]),
    ),
    ...jobs.map(({ job_id, agent }): [number, NamedJob] => [job_id, { agent, of: own }]),
  ]);
};

/** @returns the actions without repeats: those that end the root causes, then the remedies of each reason */
export const adviceOf = (explanation: Explanation): Action[] => {
  const known = knownIn(explanation);
  const jobs = jobsIn(explanation);
  const calls = [
    ...(explanation.root.fix?.calls ?? []),
    ...explanation.jobs.flatMap(({ reasons }) => reasons.flatMap(({ fix }) => fix.map(({ call }) => call))),
  ];
  return [...new Set(calls)].flatMap(
    (call) =>
      actionOfCall(call, known, (id) => {
        const job = jobs.get(id);
        if (!job) return { job_id: id, repo: null, of: "as advised" };
        return {
          job_id: id,
          repo: job.of.repo,
          of: `${job.agent} of ${taskName(job.of.work_item_id, job.of.task_id)}`,
        };
      }) ?? [],
  );
};
