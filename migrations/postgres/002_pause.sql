-- The pause: a task that is parked does not hold its lane.
-- Times that are compared as text sort by their bytes, whatever the database's own order is.

ALTER TABLE tasks ADD COLUMN paused_at TEXT;

ALTER TABLE tasks ADD COLUMN paused_by TEXT;

ALTER TABLE tasks ADD COLUMN pause_reason TEXT;

ALTER TABLE tasks ADD COLUMN pause_until TEXT COLLATE "C";

-- Who holds a lane, and its head.
CREATE INDEX IF NOT EXISTS gate_tasks_unfinished ON tasks(repo, id) WHERE stage NOT IN ('done', 'cancelled');

CREATE INDEX IF NOT EXISTS gate_tasks_paused ON tasks(repo, id) WHERE paused_at IS NOT NULL;

CREATE INDEX IF NOT EXISTS gate_tasks_pause_until ON tasks(pause_until) WHERE pause_until IS NOT NULL;

CREATE INDEX IF NOT EXISTS gate_tasks_work_item ON tasks(work_item_id, repo);
