/** Lanes whose tasks, each with its entry job, wait for each other, as SQL: one job a lane may start. It needs no build, so
 *  that a test can fill the same database (test/pages.test.ts). */

/** The statements that fill a migrated database without triggers and indexes.
 *  @param series the rows `i` from 0 to below a number, for FROM */
export const lanesOf = (series, { lanes, jobs }) => [
  `INSERT INTO tasks(repo, work_item_id, stage)
    SELECT 'held/lane-' || (i % ${lanes}), 'WAITS-' || i, 'analysis' FROM ${series(jobs)} AS n ORDER BY i`,
  `INSERT INTO jobs(agent, repo, task_id, ready)
    SELECT 'analyst', 'held/lane-' || (i % ${lanes}), i + 1, CASE WHEN i < ${lanes} THEN 1 ELSE 0 END
    FROM ${series(jobs)} AS n ORDER BY i`,
];

/** SQLite's series for them. */
export const seriesInSqlite = (count) =>
  `(WITH RECURSIVE series(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM series WHERE i + 1 < ${count}) SELECT i FROM series)`;

/** The statements that drop the indexes and triggers of the tables that are filled: rows of one text, on SQLite. */
export const DROPPABLE_IN_SQLITE = `SELECT 'DROP ' || type || ' ' || name FROM sqlite_master
  WHERE type IN ('index', 'trigger') AND sql IS NOT NULL AND tbl_name IN ('tasks', 'jobs')`;
