-- Our columns of a job: its lease, its result, and whether the gate would hand it out now.

-- A running job belongs to the worker that has its lease's token, until the lease expires.
ALTER TABLE jobs ADD COLUMN lease_token TEXT;

ALTER TABLE jobs ADD COLUMN lease_worker TEXT;

ALTER TABLE jobs ADD COLUMN lease_expires_at TEXT;

-- A delayed job is queued again at this time.
ALTER TABLE jobs ADD COLUMN run_after TEXT;

ALTER TABLE jobs ADD COLUMN result TEXT;

-- The ready index: 1 for a queued job that the gate would hand out now, so that a claim need not walk past held jobs.
-- Triggers keep it. They depend on the policy: src/gate/rule/ready-index.ts makes them.
ALTER TABLE jobs ADD COLUMN ready INTEGER NOT NULL DEFAULT 0;

-- Moves with each change that serial-gate makes and records itself, as on tasks.
ALTER TABLE jobs ADD COLUMN gate_writes INTEGER NOT NULL DEFAULT 0;

CREATE INDEX IF NOT EXISTS gate_jobs_task ON jobs(task_id, id);

-- Finds the delayed job that is due next. The status leads: otherwise SQLite walks all jobs of that status in
-- idx_jobs_status.
CREATE INDEX IF NOT EXISTS gate_jobs_delayed ON jobs(status, run_after) WHERE status = 'delayed';

-- Finds the lease that expires next.
CREATE INDEX IF NOT EXISTS gate_jobs_leased ON jobs(status, lease_expires_at) WHERE status = 'running';

-- Serves a claim of any agent's jobs.
CREATE INDEX IF NOT EXISTS gate_jobs_ready ON jobs(id) WHERE ready = 1;

-- Serves a claim of a few agents' jobs.
CREATE INDEX IF NOT EXISTS gate_jobs_ready_agent ON jobs(agent, id) WHERE ready = 1;

-- Finds the jobs of a lane that a new hold may touch.
CREATE INDEX IF NOT EXISTS gate_jobs_ready_lane ON jobs(repo, task_id, id) WHERE ready = 1;

-- Finds the jobs of a lane that the end of a hold may touch. It is as deep as the backlog; a claim does not change it,
-- because a ready job is not in it.
CREATE INDEX IF NOT EXISTS gate_jobs_held_lane ON jobs(repo, task_id, id) WHERE status = 'queued' AND ready = 0;
