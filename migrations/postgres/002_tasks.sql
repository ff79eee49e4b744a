-- Our columns of a task: its pause, and the count of our own writes.
-- Times that are compared as text sort by their bytes (COLLATE "C"), whatever the order of the database is.

ALTER TABLE tasks ADD COLUMN paused_at TEXT;

ALTER TABLE tasks ADD COLUMN paused_by TEXT;

ALTER TABLE tasks ADD COLUMN pause_reason TEXT;

-- The task resumes by itself at this time.
ALTER TABLE tasks ADD COLUMN pause_until TEXT COLLATE "C";

-- 1 when the task was paused with all others of its repository: resuming the repository resumes it.
ALTER TABLE tasks ADD COLUMN paused_together INTEGER NOT NULL DEFAULT 0;

-- Moves with each change that serial-gate makes and records itself. A change that leaves it alone is another program's,
-- and triggers record it as a foreign event.
ALTER TABLE tasks ADD COLUMN gate_writes INTEGER NOT NULL DEFAULT 0;

-- 0 until a job of the task is claimed; 1 while the task has its lane; 2 once it lost the lane by a pause.
ALTER TABLE tasks ADD COLUMN lane_state INTEGER NOT NULL DEFAULT 0;

-- Finds the head of a lane.
CREATE INDEX IF NOT EXISTS gate_tasks_unfinished ON tasks(repo, id) WHERE stage NOT IN ('done', 'cancelled');

-- The same while pauses count, without a walk past paused tasks, of which there may be many.
CREATE INDEX IF NOT EXISTS gate_tasks_holding ON tasks(repo, id) WHERE stage NOT IN ('done', 'cancelled') AND paused_at IS NULL;

CREATE INDEX IF NOT EXISTS gate_tasks_paused ON tasks(repo, id) WHERE paused_at IS NOT NULL;

-- Finds the pauses that end next.
CREATE INDEX IF NOT EXISTS gate_tasks_pause_until ON tasks(pause_until) WHERE pause_until IS NOT NULL;

CREATE INDEX IF NOT EXISTS gate_tasks_work_item ON tasks(work_item_id, repo);

-- Finds the tasks that have started in a lane: one of them holds it.
CREATE INDEX IF NOT EXISTS gate_tasks_started ON tasks(repo, paused_at, id) WHERE lane_state <> 0 AND stage NOT IN ('done', 'cancelled');
