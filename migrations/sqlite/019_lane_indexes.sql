-- Fewer pages for each claim and each completion: a lane is a page of its own in every index by repository.

-- The unfinished tasks of a lane by id, those that are paused behind the others. One index in the place of two. Its condition
-- is spelled in a way of its own: by the condition of the smaller indexes of a lane, SQLite would take it in their place.
CREATE INDEX IF NOT EXISTS gate_tasks_lane ON tasks(repo, (CASE WHEN stage IN ('done', 'cancelled') THEN NULL WHEN paused_at IS NULL THEN 0 ELSE 1 END), id)
  WHERE CASE WHEN stage IN ('done', 'cancelled') THEN NULL WHEN paused_at IS NULL THEN 0 ELSE 1 END IS NOT NULL;

DROP INDEX IF EXISTS gate_tasks_unfinished;

DROP INDEX IF EXISTS gate_tasks_holding;

-- The jobs of a lane by status. Queued ones, of which there are many, are in gate_jobs_ready_lane and gate_jobs_held_lane: a
-- claim takes its job from the first of them only.
CREATE INDEX IF NOT EXISTS gate_jobs_lane_running ON jobs(repo, id) WHERE status = 'running';

CREATE INDEX IF NOT EXISTS gate_jobs_lane_past ON jobs(repo, status, id) WHERE status NOT IN ('queued', 'running');

DROP INDEX IF EXISTS gate_jobs_lane_status;
