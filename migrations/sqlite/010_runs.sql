-- Our columns of a run of a job, and of the answer to a task that waited for a person.

-- 1 when the task finished after the job was claimed: the run ends with its task. Triggers keep it, and clear both columns
-- at the end of the run (src/store/triggers/runs.ts).
ALTER TABLE jobs ADD COLUMN task_finished INTEGER NOT NULL DEFAULT 0;

-- How far the worker is, in its own words.
ALTER TABLE jobs ADD COLUMN progress TEXT;

-- Handed out with every claim of the task, until a job that was claimed with it completes.
ALTER TABLE tasks ADD COLUMN answer TEXT;

ALTER TABLE tasks ADD COLUMN answered_by TEXT;

ALTER TABLE tasks ADD COLUMN answered_at TEXT;

-- The job that was last claimed with the answer.
ALTER TABLE tasks ADD COLUMN answer_told_job_id INTEGER;
