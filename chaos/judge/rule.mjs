/** The rule of the design (sections 2 and 3), written a second time over plain objects: whether a queued job may start. */

export const TERMINAL = new Set(["done", "cancelled"]);

const makesWay = (task) => TERMINAL.has(task.stage) || task.paused;

/** True for a task that makes progress in its lane: it acquired the lane and was not paused since, or a job of it runs. */
const isHolder = (task) =>
  !makesWay(task) &&
  task.started &&
  (task.lane === "acquired" || task.jobs.some(({ status }) => status === "running"));

/** @param state `{ tasks, frozen, lanes }` as replay.mjs keeps it
 *  @returns the first reason that holds a job, or null */
export const reasonOf = ({ tasks, frozen, lanes }, job, { strict, entryAgent }) => {
  const isEntry = job.agent === entryAgent;
  const task = tasks.get(job.task);
  if (strict && task?.paused) return "paused";
  if (strict && isEntry && task && TERMINAL.has(task.stage)) return "finished";
  if (isEntry && [...frozen.values()].includes(job.repo)) return "freeze";
  if (!task) return null;
  if (isEntry && [...task.deps].some((id) => tasks.has(id) && !TERMINAL.has(tasks.get(id).stage)))
    return "dependency";
  const others = (lanes.get(task.repo) ?? []).filter((other) => other !== task);
  const isBehind = isEntry && others.some((other) => other.id < task.id && !makesWay(other));
  if (!strict) return isBehind ? "active-task" : null;
  const beside = others.some(isHolder);
  if (isEntry) return task.lane !== "acquired" && (isBehind || beside) ? "active-task" : null;
  return task.lane === "lost" && beside ? "active-task" : null;
};
