-- One row a lane: a decision about the lane locks it, and triggers keep it (src/store/triggers/lane-counters.ts). Its
-- revision moves with every change in the lane, whichever program makes it; the other columns count the lane's jobs in
-- each status.

CREATE TABLE IF NOT EXISTS gate_lanes (
  repo TEXT PRIMARY KEY,
  revision INTEGER NOT NULL DEFAULT 0,
  queued INTEGER NOT NULL DEFAULT 0,
  delayed INTEGER NOT NULL DEFAULT 0,
  running INTEGER NOT NULL DEFAULT 0,
  done INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  cancelled INTEGER NOT NULL DEFAULT 0
);

-- The tasks that finished in a lane while another of its tasks was paused: the base of the paused task is stale. A
-- trigger inserts the rows (src/store/triggers/overtakes.ts).
CREATE TABLE IF NOT EXISTS gate_overtakes (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  task_id INTEGER NOT NULL,
  overtaken_by INTEGER NOT NULL,
  told_job_id INTEGER
);

CREATE INDEX IF NOT EXISTS gate_overtakes_task ON gate_overtakes(task_id, id);

-- A task that is in progress when the database is adopted acquired its lane when its first job started.
UPDATE tasks SET lane_state = CASE WHEN paused_at IS NULL THEN 1 ELSE 2 END
WHERE lane_state = 0 AND stage NOT IN ('done', 'cancelled')
  AND EXISTS (SELECT 1 FROM jobs j WHERE j.task_id = tasks.id AND j.started_at IS NOT NULL);
