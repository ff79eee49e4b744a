-- When something falls due, as an integer beside its text: texts of several forms do not sort by what they mean, and one
-- that is no time would decide for all others. Triggers keep the integers (src/store/triggers/times.ts), and a migration
-- fills them for the rows that are there.

-- When the job falls due, in milliseconds since 1970: run_after of a delayed job (0 when it has none), lease_expires_at of
-- one that runs under a lease. NULL for any other job, and for a text that is no time.
ALTER TABLE jobs ADD COLUMN due_ms BIGINT;

-- The length of the lease: a heartbeat that names none renews it by as much. NULL for a lease from before this column.
ALTER TABLE jobs ADD COLUMN lease_ms INTEGER;

-- The name of the token that claimed the job: no other may use the lease. NULL where the service asked for no token.
ALTER TABLE jobs ADD COLUMN lease_actor TEXT;

-- pause_until in milliseconds since 1970; NULL when there is none, and for a text that is no time.
ALTER TABLE tasks ADD COLUMN resume_ms BIGINT;

-- Finds the delayed job that is due next and the lease that expires next. The status leads: otherwise SQLite walks all jobs
-- of that status in idx_jobs_status.
CREATE INDEX IF NOT EXISTS gate_jobs_due ON jobs(status, due_ms) WHERE due_ms IS NOT NULL;

-- Finds the texts that are no time. It is empty but for the mistakes of other programs. One condition in a CASE: for an OR,
-- SQLite walks idx_jobs_status instead.
CREATE INDEX IF NOT EXISTS gate_jobs_unreadable ON jobs(due_ms) WHERE due_ms IS NULL AND CASE WHEN status = 'delayed' THEN 1 WHEN status = 'running' AND lease_token IS NOT NULL AND lease_expires_at IS NOT NULL THEN 1 ELSE 0 END = 1;

-- Finds the pauses that end next.
CREATE INDEX IF NOT EXISTS gate_tasks_resume ON tasks(resume_ms) WHERE resume_ms IS NOT NULL AND paused_at IS NOT NULL;

-- The same for tasks.
CREATE INDEX IF NOT EXISTS gate_tasks_unreadable ON tasks(id) WHERE pause_until IS NOT NULL AND resume_ms IS NULL;

-- The indexes of the texts.
DROP INDEX IF EXISTS gate_jobs_delayed;

DROP INDEX IF EXISTS gate_jobs_leased;

DROP INDEX IF EXISTS gate_tasks_pause_until;
