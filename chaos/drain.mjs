/** When the faults stop, everything gets done: the freezes and pauses are taken away, and workers claim until nothing is left. */

import { setTimeout as sleep } from "node:timers/promises";
import { REPOS } from "./clients/values.mjs";

const STUCK_MS = 60_000;
/** Nothing moved for this long: longer than any delay or lease of the clients. */
const STILL_MS = 5_000;
const MOST_DROPS = 20;

/** @returns `{ jobs, violations }`: how many jobs were done, and what was left over */
export const drain = async ({ town, port }) => {
  const { connectionsTo } = await import("./http.mjs");
  const { call, close } = connectionsTo(port);
  const post = async (path, body = {}) => (await call({ method: "POST", path, body })).body;
  const get = async (path) => (await call({ method: "GET", path })).body;
  town.http = { call, close };

  const pages = async (path, name) => {
    const all = [];
    for (let cursor = ""; ;) {
      const page = await get(`${path}&limit=500${cursor}`);
      all.push(...page[name]);
      if (page.next_cursor === null) return all;
      cursor = `&cursor=${page.next_cursor}`;
    }
  };
  /** A task without a job waits for its orchestrator: here it is finished by us. */
  const finishJobless = async (tasks) => {
    for (const { id } of tasks) {
      const { jobs: its } = await get(`/tasks/${id}`);
      if (!its.some(({ status }) => /^(queued|delayed|running|failed)$/.test(status)))
        await call({ method: "PATCH", path: `/tasks/${id}`, body: { stage: "done" } });
    }
  };

  /** Tasks that wait for each other across a lane and a dependency are no fault of the service, if it says that they are
   *  stuck: the dependency is dropped, as an operator would.
   *  @returns false when it calls nothing stuck */
  const dropCycles = async () => {
    const { per_repo } = (await get("/queue")).serial_gate;
    const stuck = Object.values(per_repo).flatMap((lane) => lane.stuck);
    for (const { task_id: id } of stuck)
      await call({ method: "PATCH", path: `/tasks/${id}`, body: { depends_on: [] } });
    return stuck.length > 0;
  };

  let jobs = 0;
  let drops = MOST_DROPS;
  for (const repo of REPOS) {
    await post(`/unfreeze?repo=${repo}`);
    await post(`/serial-gate/resume?repo=${repo}&all=true`);
  }
  let since = Date.now();
  for (let before = ""; Date.now() - since < STUCK_MS;) {
    for (const { id } of await pages("/tasks?paused=true", "tasks"))
      await post(`/serial-gate/resume?task_id=${id}`);
    for (const { id } of await pages("/jobs?status=failed", "jobs")) {
      const retried = await post(`/jobs/${id}/retry`);
      if (retried.code === "task_terminal") await post(`/jobs/${id}/cancel`);
    }
    const { jobs: claimed } = await post("/jobs/claim", { max: 100, wait_ms: 200, lease_ms: 60_000 });
    for (const { id, lease } of claimed) {
      const ended = await post(`/jobs/${id}/complete`, { lease_token: lease.token, stage: "done" });
      if (ended.code !== undefined) await post(`/jobs/${id}/complete`, { lease_token: lease.token });
      jobs += 1;
    }
    const open = (await pages("/jobs?status=queued&status=delayed&status=running&status=failed", "jobs")).map(
      ({ id, status }) => `${id} ${status}`,
    );
    const tasks = await pages("/tasks?finished=false", "tasks");
    if (open.length === 0 && tasks.length === 0) return { jobs, violations: [] };
    if (claimed.length === 0) await finishJobless(tasks);
    const now = JSON.stringify([open, tasks.map(({ id, stage }) => [id, stage])]);
    if (now !== before) since = Date.now();
    else if (Date.now() - since > STILL_MS && drops-- > 0 && (await dropCycles())) since = Date.now();
    before = now;
    await sleep(20);
  }
  const left = await get("/queue");
  return {
    jobs,
    violations: [
      `not everything was done: ${JSON.stringify(left.jobs)} ${JSON.stringify(left.serial_gate.per_repo).slice(0, 2_000)}`,
    ],
  };
};
