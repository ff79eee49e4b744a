/** The contents of the measured databases: lanes whose head holds back a backlog, and jobs that may start. */

import { makeDatabase } from "./databases.mjs";
import { lanesOf } from "./lanes.mjs";

/** Names of the lanes. */
export const heldLane = (lane) => `held/lane-${lane}`;
export const freeLane = (lane) => `free/lane-${lane}`;

/** The work item of the head of a lane. */
export const headOf = (lane) => `HEAD-${lane}`;

/** A database with
 *  - `held.lanes` lanes, each with a head that may start and its share of `held.jobs` tasks that wait behind it, and
 *  - `free.lanes` lanes without a backlog, each with a head and its share of `free.jobs` jobs of that head that may
 *    start: what the claims of a benchmark live on.
 *  The ids of what waits are lower than those of what may start: whoever walks, walks past all of it.
 *  @param marked `by-rule`, or `all` where the gate is switched off */
export const makeBacklog = (databases, name, { held: backlog, free: work, marked = "by-rule" }) =>
  makeDatabase(databases, name, async ({ run }) => {
    const each = databases.series;
    const lanes = backlog.lanes + work.lanes;
    await run(`INSERT INTO tasks(repo, work_item_id, stage)
      SELECT 'held/lane-' || i, 'HEAD-' || i, 'analysis' FROM ${each(backlog.lanes)} AS n ORDER BY i`);
    await run(`INSERT INTO tasks(repo, work_item_id, stage)
      SELECT 'free/lane-' || i, 'HEAD-' || i, 'analysis' FROM ${each(work.lanes)} AS n ORDER BY i`);
    await run(`INSERT INTO tasks(repo, work_item_id, stage)
      SELECT 'held/lane-' || (i % ${backlog.lanes}), 'WAITS-' || i, 'analysis'
      FROM ${each(backlog.jobs)} AS n ORDER BY i`);
    await run(`INSERT INTO jobs(agent, repo, task_id, ready)
      SELECT 'analyst', 'held/lane-' || (i % ${backlog.lanes}), ${lanes} + i + 1, ${marked === "all" ? 1 : 0}
      FROM ${each(backlog.jobs)} AS n ORDER BY i`);
    await run(`INSERT INTO jobs(agent, repo, task_id, ready)
      SELECT 'analyst', 'free/lane-' || (i % ${work.lanes}), ${backlog.lanes} + (i % ${work.lanes}) + 1, 1
      FROM ${each(work.jobs)} AS n ORDER BY i`);
    await run(`INSERT INTO jobs(agent, repo, task_id, ready)
      SELECT 'analyst', 'held/lane-' || i, i + 1, 1 FROM ${each(backlog.lanes)} AS n ORDER BY i`);
  });

/** A database with lanes whose tasks, each with its entry job, wait for each other: one job a lane may start. */
export const makeLanes = (databases, name, { lanes, jobs }) =>
  makeDatabase(databases, name, async ({ run }) => {
    for (const statement of lanesOf(databases.series, { lanes, jobs })) await run(statement);
  });
