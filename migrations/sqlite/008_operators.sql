-- Who froze a repository and who opened it again, and which tasks were parked together.

ALTER TABLE repo_freeze ADD COLUMN frozen_by TEXT;

ALTER TABLE repo_freeze ADD COLUMN cleared_by TEXT;

-- 1 for a task that was parked with all others of its repository: the end of that pause takes it back.
ALTER TABLE tasks ADD COLUMN paused_together INTEGER NOT NULL DEFAULT 0;

-- Who holds a lane while pauses count: not past those that are parked, of which there may be many.
CREATE INDEX IF NOT EXISTS gate_tasks_holding ON tasks(repo, id) WHERE stage NOT IN ('done', 'cancelled') AND paused_at IS NULL;
