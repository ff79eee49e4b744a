/** Holds `GET /queue` and the claim against the rule as the judge knows it, at a moment at which nobody else calls. */

import { reasonOf } from "./rule.mjs";

/** Every queued job that `GET /queue` must show, with its reason. */
const expectedReasons = (rows, state, rule) => {
  const expected = new Map();
  for (const { id, status } of rows.jobs) {
    if (status !== "queued") continue;
    const job = state.jobs.get(id);
    const reason = job && reasonOf(state, job, rule);
    if (job && (job.agent === rule.entryAgent || reason !== null)) expected.set(id, reason);
  }
  return expected;
};

/** @returns a sentence for every difference */
export const compareQueue = (queue, { rows, state, rule }) => {
  const expected = expectedReasons(rows, state, rule);
  const wrong = [];
  const shown = new Map();
  for (const lane of Object.values(queue.serial_gate.per_repo))
    for (const { job_id, reason } of lane.waiting) shown.set(job_id, reason);
  for (const [id, reason] of expected)
    if (!shown.has(id)) wrong.push(`job ${id} waits and GET /queue does not show it`);
    else if (shown.get(id) !== reason)
      wrong.push(
        `job ${id} is ${shown.get(id) ?? "free"} in GET /queue, and ${reason ?? "free"} by its rows`,
      );
  for (const id of shown.keys())
    if (!expected.has(id)) wrong.push(`job ${id} is in GET /queue, and does not wait by its rows`);
  const counts = Object.fromEntries(Object.entries(queue.jobs));
  for (const [status, count] of Object.entries(counts)) {
    const many = rows.jobs.filter((job) => job.status === status).length;
    if (many !== count) wrong.push(`GET /queue counts ${count} ${status} jobs, and there are ${many}`);
  }
  return wrong;
};

/** The ready index must be the rule at every commit: a job that it leaves out is claimed late. */
export const compareIndex = (rows, state, rule) => {
  const wrong = [];
  for (const { id, status, ready } of rows.jobs) {
    if (status !== "queued" || !state.jobs.has(id)) continue;
    const reason = reasonOf(state, state.jobs.get(id), rule);
    if ((reason === null) !== (ready === 1))
      wrong.push(`job ${id} is ${reason ?? "free"} by its rows, and the ready index has ${ready}`);
  }
  return wrong;
};

/** The jobs that a claim must hand out now, if it asks for all. */
export const claimable = (rows, state, rule) =>
  rows.jobs
    .filter(({ id, status }) => status === "queued" && reasonOf(state, state.jobs.get(id), rule) === null)
    .map(({ id }) => id);
