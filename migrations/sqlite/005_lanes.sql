-- A lane's row: what a decision about the lane locks, and a revision that every change in the lane moves,
-- whoever makes it. Plain statements without conflict clauses: a trigger inherits the one of the statement
-- that fires it, and must never make another program's write fail.

CREATE TABLE IF NOT EXISTS gate_lanes (
  repo TEXT PRIMARY KEY,
  revision INTEGER NOT NULL DEFAULT 0
);

INSERT INTO gate_lanes(repo, revision)
SELECT repo, 1 FROM (
  SELECT repo FROM tasks UNION SELECT COALESCE(repo, '') FROM jobs UNION SELECT repo FROM repo_freeze
) AS known
WHERE NOT EXISTS (SELECT 1 FROM gate_lanes l WHERE l.repo = known.repo);

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
  UPDATE gate_lanes SET revision = revision + 1 WHERE repo = COALESCE(NEW.repo, '');
END;

CREATE TRIGGER IF NOT EXISTS gate_jobs_updated AFTER UPDATE OF agent, repo, task_id, status ON jobs
BEGIN
  INSERT INTO gate_lanes(repo, revision) SELECT COALESCE(NEW.repo, ''), 0
    WHERE NOT EXISTS (SELECT 1 FROM gate_lanes l WHERE l.repo = COALESCE(NEW.repo, ''));
  UPDATE gate_lanes SET revision = revision + 1 WHERE repo IN (COALESCE(NEW.repo, ''), COALESCE(OLD.repo, ''));
END;

CREATE TRIGGER IF NOT EXISTS gate_jobs_deleted AFTER DELETE ON jobs
BEGIN
  UPDATE gate_lanes SET revision = revision + 1 WHERE repo = COALESCE(OLD.repo, '');
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
