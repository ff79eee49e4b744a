-- A running job belongs to the holder of its lease's token, until the lease expires.

ALTER TABLE jobs ADD COLUMN lease_token TEXT;

ALTER TABLE jobs ADD COLUMN lease_worker TEXT;

ALTER TABLE jobs ADD COLUMN lease_expires_at TEXT;

ALTER TABLE jobs ADD COLUMN run_after TEXT;

ALTER TABLE jobs ADD COLUMN result TEXT;

CREATE INDEX IF NOT EXISTS gate_jobs_task ON jobs(task_id, id);

-- What falls due next. The status leads, or SQLite would rather walk all jobs of that status in idx_jobs_status.
CREATE INDEX IF NOT EXISTS gate_jobs_delayed ON jobs(status, run_after) WHERE status = 'delayed';

CREATE INDEX IF NOT EXISTS gate_jobs_leased ON jobs(status, lease_expires_at) WHERE status = 'running';

CREATE INDEX IF NOT EXISTS gate_freeze_active ON repo_freeze(repo, id) WHERE cleared_at IS NULL;
