-- A lane's row: what a decision about the lane locks, a revision that every change in the lane moves, whoever
-- makes it, and how many of its jobs have which status. Plain statements without conflict clauses: a trigger inherits the one of the statement
-- that fires it, and must never make another program's write fail.

CREATE TABLE IF NOT EXISTS gate_lanes (
  repo TEXT PRIMARY KEY,
  revision INTEGER NOT NULL DEFAULT 0,
  queued INTEGER NOT NULL DEFAULT 0,
  delayed INTEGER NOT NULL DEFAULT 0,
  running INTEGER NOT NULL DEFAULT 0,
  done INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  cancelled INTEGER NOT NULL DEFAULT 0
);

INSERT INTO gate_lanes(repo, revision)
SELECT repo, 1 FROM (
  SELECT repo FROM tasks UNION SELECT COALESCE(repo, '') FROM jobs UNION SELECT repo FROM repo_freeze
) AS known
WHERE NOT EXISTS (SELECT 1 FROM gate_lanes l WHERE l.repo = known.repo);

UPDATE gate_lanes SET queued = counted.queued, delayed = counted.delayed, running = counted.running, done = counted.done, failed = counted.failed, cancelled = counted.cancelled
FROM (SELECT COALESCE(repo, '') AS repo,
    SUM(CASE WHEN status = 'queued' THEN 1 ELSE 0 END) AS queued,
    SUM(CASE WHEN status = 'delayed' THEN 1 ELSE 0 END) AS delayed,
    SUM(CASE WHEN status = 'running' THEN 1 ELSE 0 END) AS running,
    SUM(CASE WHEN status = 'done' THEN 1 ELSE 0 END) AS done,
    SUM(CASE WHEN status = 'failed' THEN 1 ELSE 0 END) AS failed,
    SUM(CASE WHEN status = 'cancelled' THEN 1 ELSE 0 END) AS cancelled
  FROM jobs GROUP BY 1) AS counted
WHERE counted.repo = gate_lanes.repo;

CREATE TRIGGER IF NOT EXISTS gate_tasks_inserted AFTER INSERT ON tasks
BEGIN
  INSERT INTO gate_lanes(repo, revision) SELECT NEW.repo, 0
    WHERE NOT EXISTS (SELECT 1 FROM gate_lanes l WHERE l.repo = NEW.repo);
  UPDATE gate_lanes SET revision = revision + 1 WHERE repo = NEW.repo;
END;

CREATE TRIGGER IF NOT EXISTS gate_tasks_updated AFTER UPDATE ON tasks
BEGIN
  INSERT INTO gate_lanes(repo, revision) SELECT NEW.repo, 0
    WHERE NOT EXISTS (SELECT 1 FROM gate_lanes l WHERE l.repo = NEW.repo);
  UPDATE gate_lanes SET revision = revision + 1 WHERE repo IN (NEW.repo, OLD.repo);
END;

CREATE TRIGGER IF NOT EXISTS gate_tasks_deleted AFTER DELETE ON tasks
BEGIN
  UPDATE gate_lanes SET revision = revision + 1 WHERE repo = OLD.repo;
END;

CREATE TRIGGER IF NOT EXISTS gate_jobs_inserted AFTER INSERT ON jobs
BEGIN
  INSERT INTO gate_lanes(repo, revision) SELECT COALESCE(NEW.repo, ''), 0
    WHERE NOT EXISTS (SELECT 1 FROM gate_lanes l WHERE l.repo = COALESCE(NEW.repo, ''));
  UPDATE gate_lanes SET revision = revision + 1,
    queued = queued + CASE WHEN NEW.status = 'queued' THEN 1 ELSE 0 END,
    delayed = delayed + CASE WHEN NEW.status = 'delayed' THEN 1 ELSE 0 END,
    running = running + CASE WHEN NEW.status = 'running' THEN 1 ELSE 0 END,
    done = done + CASE WHEN NEW.status = 'done' THEN 1 ELSE 0 END,
    failed = failed + CASE WHEN NEW.status = 'failed' THEN 1 ELSE 0 END,
    cancelled = cancelled + CASE WHEN NEW.status = 'cancelled' THEN 1 ELSE 0 END
  WHERE repo = COALESCE(NEW.repo, '');
END;

CREATE TRIGGER IF NOT EXISTS gate_jobs_updated AFTER UPDATE OF agent, repo, task_id, status ON jobs
BEGIN
  INSERT INTO gate_lanes(repo, revision) SELECT COALESCE(NEW.repo, ''), 0
    WHERE NOT EXISTS (SELECT 1 FROM gate_lanes l WHERE l.repo = COALESCE(NEW.repo, ''));
  UPDATE gate_lanes SET revision = revision + 1,
    queued = queued - CASE WHEN OLD.status = 'queued' THEN 1 ELSE 0 END,
    delayed = delayed - CASE WHEN OLD.status = 'delayed' THEN 1 ELSE 0 END,
    running = running - CASE WHEN OLD.status = 'running' THEN 1 ELSE 0 END,
    done = done - CASE WHEN OLD.status = 'done' THEN 1 ELSE 0 END,
    failed = failed - CASE WHEN OLD.status = 'failed' THEN 1 ELSE 0 END,
    cancelled = cancelled - CASE WHEN OLD.status = 'cancelled' THEN 1 ELSE 0 END
  WHERE repo = COALESCE(OLD.repo, '');
  UPDATE gate_lanes SET revision = revision + 1,
    queued = queued + CASE WHEN NEW.status = 'queued' THEN 1 ELSE 0 END,
    delayed = delayed + CASE WHEN NEW.status = 'delayed' THEN 1 ELSE 0 END,
    running = running + CASE WHEN NEW.status = 'running' THEN 1 ELSE 0 END,
    done = done + CASE WHEN NEW.status = 'done' THEN 1 ELSE 0 END,
    failed = failed + CASE WHEN NEW.status = 'failed' THEN 1 ELSE 0 END,
    cancelled = cancelled + CASE WHEN NEW.status = 'cancelled' THEN 1 ELSE 0 END
  WHERE repo = COALESCE(NEW.repo, '');
END;

CREATE TRIGGER IF NOT EXISTS gate_jobs_deleted AFTER DELETE ON jobs
BEGIN
  UPDATE gate_lanes SET revision = revision + 1,
    queued = queued - CASE WHEN OLD.status = 'queued' THEN 1 ELSE 0 END,
    delayed = delayed - CASE WHEN OLD.status = 'delayed' THEN 1 ELSE 0 END,
    running = running - CASE WHEN OLD.status = 'running' THEN 1 ELSE 0 END,
    done = done - CASE WHEN OLD.status = 'done' THEN 1 ELSE 0 END,
    failed = failed - CASE WHEN OLD.status = 'failed' THEN 1 ELSE 0 END,
    cancelled = cancelled - CASE WHEN OLD.status = 'cancelled' THEN 1 ELSE 0 END
  WHERE repo = COALESCE(OLD.repo, '');
END;

CREATE TRIGGER IF NOT EXISTS gate_repo_freeze_inserted AFTER INSERT ON repo_freeze
BEGIN
  INSERT INTO gate_lanes(repo, revision) SELECT NEW.repo, 0
    WHERE NOT EXISTS (SELECT 1 FROM gate_lanes l WHERE l.repo = NEW.repo);
  UPDATE gate_lanes SET revision = revision + 1 WHERE repo = NEW.repo;
END;

CREATE TRIGGER IF NOT EXISTS gate_repo_freeze_updated AFTER UPDATE ON repo_freeze
BEGIN
  INSERT INTO gate_lanes(repo, revision) SELECT NEW.repo, 0
    WHERE NOT EXISTS (SELECT 1 FROM gate_lanes l WHERE l.repo = NEW.repo);
  UPDATE gate_lanes SET revision = revision + 1 WHERE repo IN (NEW.repo, OLD.repo);
END;

CREATE TRIGGER IF NOT EXISTS gate_repo_freeze_deleted AFTER DELETE ON repo_freeze
BEGIN
  UPDATE gate_lanes SET revision = revision + 1 WHERE repo = OLD.repo;
END;

CREATE TRIGGER IF NOT EXISTS gate_job_deps_inserted AFTER INSERT ON job_deps
BEGIN
  UPDATE gate_lanes SET revision = revision + 1 WHERE repo IN (SELECT repo FROM tasks WHERE id = NEW.task_id);
END;

CREATE TRIGGER IF NOT EXISTS gate_job_deps_updated AFTER UPDATE ON job_deps
BEGIN
  UPDATE gate_lanes SET revision = revision + 1 WHERE repo IN (SELECT repo FROM tasks WHERE id IN (NEW.task_id, OLD.task_id));
END;

CREATE TRIGGER IF NOT EXISTS gate_job_deps_deleted AFTER DELETE ON job_deps
BEGIN
  UPDATE gate_lanes SET revision = revision + 1 WHERE repo IN (SELECT repo FROM tasks WHERE id = OLD.task_id);
END;
