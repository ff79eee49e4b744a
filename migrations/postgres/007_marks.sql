-- A mark on every job that a claim may hand out, so that a claim need not walk past those that are held.
-- The triggers that keep it are made by the program, from the one rule and its switches (src/gate/lanes.ts).

ALTER TABLE jobs ADD COLUMN ready INTEGER NOT NULL DEFAULT 0;

CREATE INDEX IF NOT EXISTS gate_jobs_ready ON jobs(id) WHERE ready = 1;

CREATE INDEX IF NOT EXISTS gate_jobs_ready_agent ON jobs(agent, id) WHERE ready = 1;

CREATE INDEX IF NOT EXISTS gate_jobs_ready_lane ON jobs(repo, task_id, id) WHERE ready = 1;

-- The deep backlog: a claim, whose job is in the small index above, does not touch it.
CREATE INDEX IF NOT EXISTS gate_jobs_held_lane ON jobs(repo, task_id, id) WHERE status = 'queued' AND ready = 0;

CREATE INDEX IF NOT EXISTS gate_job_deps_needed ON job_deps(depends_on_task_id);

CREATE TABLE IF NOT EXISTS gate_settings (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
);
