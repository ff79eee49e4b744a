-- Our columns of a dependency and of a freeze.

-- Moves with each change that serial-gate makes and records itself, as on tasks.
ALTER TABLE job_deps ADD COLUMN gate_writes INTEGER NOT NULL DEFAULT 0;

-- Finds the tasks that depend on a task.
CREATE INDEX IF NOT EXISTS gate_job_deps_needed ON job_deps(depends_on_task_id);

ALTER TABLE repo_freeze ADD COLUMN frozen_by TEXT;

ALTER TABLE repo_freeze ADD COLUMN cleared_by TEXT;

ALTER TABLE repo_freeze ADD COLUMN gate_writes INTEGER NOT NULL DEFAULT 0;

CREATE INDEX IF NOT EXISTS gate_freeze_active ON repo_freeze(repo, id) WHERE cleared_at IS NULL;
