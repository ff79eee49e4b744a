-- Finds the jobs of a lane by status, the newest first, and its running jobs.
CREATE INDEX IF NOT EXISTS gate_jobs_lane_status ON jobs(repo, status, id);
