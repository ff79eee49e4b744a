-- Rows that other programs write are in the record too: by whom is not known, so their events have no actor, and say that
-- they are foreign. A row counts the changes of it that serial-gate wrote and recorded itself; a change that leaves the
-- count as it was is another program's. Plain text and no JSON functions: the other program's SQLite runs these triggers,
-- may be an old one, and must never fail for them.

ALTER TABLE tasks ADD COLUMN gate_writes INTEGER NOT NULL DEFAULT 0;

ALTER TABLE jobs ADD COLUMN gate_writes INTEGER NOT NULL DEFAULT 0;

ALTER TABLE job_deps ADD COLUMN gate_writes INTEGER NOT NULL DEFAULT 0;

ALTER TABLE repo_freeze ADD COLUMN gate_writes INTEGER NOT NULL DEFAULT 0;

-- What is told of a job does not say whose work item it is: a trigger on jobs that read tasks would fail without them.
CREATE INDEX IF NOT EXISTS gate_events_unnamed ON gate_events(task_id, id) WHERE work_item_id IS NULL;

CREATE TRIGGER IF NOT EXISTS gate_tells_tasks_inserted AFTER INSERT ON tasks
WHEN NEW.gate_writes = 0
BEGIN
  INSERT INTO gate_events(at, kind, repo, task_id, work_item_id, job_id, reason, detail)
  VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now'), 'task.created',
    NEW.repo, NEW.id, NEW.work_item_id, NULL, NULL,
    '{"foreign":true,"stage":' || COALESCE('"' || replace(replace(NEW.stage, '\', '\\'), '"', '\"') || '"', 'null') || '}');
END;

CREATE TRIGGER IF NOT EXISTS gate_tells_tasks_stage AFTER UPDATE OF stage ON tasks
WHEN NEW.gate_writes = OLD.gate_writes AND NEW.stage <> OLD.stage
BEGIN
  INSERT INTO gate_events(at, kind, repo, task_id, work_item_id, job_id, reason, detail)
  VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now'), CASE NEW.stage WHEN 'cancelled' THEN 'task.cancelled' ELSE 'task.stage' END,
    NEW.repo, NEW.id, NEW.work_item_id, NULL, NULL,
    '{"foreign":true,"from":' || COALESCE('"' || replace(replace(OLD.stage, '\', '\\'), '"', '\"') || '"', 'null') || ',"to":' || COALESCE('"' || replace(replace(NEW.stage, '\', '\\'), '"', '\"') || '"', 'null') || '}');
END;

CREATE TRIGGER IF NOT EXISTS gate_tells_tasks_paused AFTER UPDATE OF paused_at ON tasks
WHEN NEW.gate_writes = OLD.gate_writes AND (NEW.paused_at IS NULL) <> (OLD.paused_at IS NULL)
BEGIN
  INSERT INTO gate_events(at, kind, repo, task_id, work_item_id, job_id, reason, detail)
  VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now'), CASE WHEN NEW.paused_at IS NULL THEN 'task.resumed' ELSE 'task.paused' END,
    NEW.repo, NEW.id, NEW.work_item_id, NULL, NULL,
    '{"foreign":true}');
END;

CREATE TRIGGER IF NOT EXISTS gate_tells_tasks_moved AFTER UPDATE OF repo ON tasks
WHEN NEW.gate_writes = OLD.gate_writes AND NEW.repo <> OLD.repo
BEGIN
  INSERT INTO gate_events(at, kind, repo, task_id, work_item_id, job_id, reason, detail)
  VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now'), 'task.moved',
    NEW.repo, NEW.id, NEW.work_item_id, NULL, NULL,
    '{"foreign":true,"from":' || COALESCE('"' || replace(replace(OLD.repo, '\', '\\'), '"', '\"') || '"', 'null') || ',"to":' || COALESCE('"' || replace(replace(NEW.repo, '\', '\\'), '"', '\"') || '"', 'null') || '}');
END;

CREATE TRIGGER IF NOT EXISTS gate_tells_tasks_deleted AFTER DELETE ON tasks
BEGIN
  INSERT INTO gate_events(at, kind, repo, task_id, work_item_id, job_id, reason, detail)
  VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now'), 'task.deleted',
    OLD.repo, OLD.id, OLD.work_item_id, NULL, NULL,
    '{"foreign":true,"stage":' || COALESCE('"' || replace(replace(OLD.stage, '\', '\\'), '"', '\"') || '"', 'null') || '}');
END;

CREATE TRIGGER IF NOT EXISTS gate_tells_jobs_inserted AFTER INSERT ON jobs
WHEN NEW.gate_writes = 0
BEGIN
  INSERT INTO gate_events(at, kind, repo, task_id, work_item_id, job_id, reason, detail)
  VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now'), 'job.created',
    NEW.repo, NEW.task_id, NULL, NEW.id, NULL,
    '{"foreign":true,"agent":' || COALESCE('"' || replace(replace(NEW.agent, '\', '\\'), '"', '\"') || '"', 'null') || ',"status":' || COALESCE('"' || replace(replace(NEW.status, '\', '\\'), '"', '\"') || '"', 'null') || '}');
END;

CREATE TRIGGER IF NOT EXISTS gate_tells_jobs_status AFTER UPDATE OF status ON jobs
WHEN NEW.gate_writes = OLD.gate_writes AND NEW.status <> OLD.status
BEGIN
  INSERT INTO gate_events(at, kind, repo, task_id, work_item_id, job_id, reason, detail)
  VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now'), CASE NEW.status
      WHEN 'running' THEN 'job.claimed' WHEN 'done' THEN 'job.completed' WHEN 'failed' THEN 'job.failed'
      WHEN 'cancelled' THEN 'job.cancelled' WHEN 'delayed' THEN 'job.delayed'
      WHEN 'queued' THEN CASE OLD.status WHEN 'running' THEN 'job.released' WHEN 'delayed' THEN 'job.due' ELSE 'job.retried' END
      ELSE 'job.changed' END,
    NEW.repo, NEW.task_id, NULL, NEW.id, NULL,
    '{"foreign":true,"from":' || COALESCE('"' || replace(replace(OLD.status, '\', '\\'), '"', '\"') || '"', 'null') || ',"to":' || COALESCE('"' || replace(replace(NEW.status, '\', '\\'), '"', '\"') || '"', 'null') || '}');
END;

CREATE TRIGGER IF NOT EXISTS gate_tells_jobs_moved AFTER UPDATE OF repo ON jobs
WHEN NEW.gate_writes = OLD.gate_writes AND COALESCE(NEW.repo, '') <> COALESCE(OLD.repo, '')
BEGIN
  INSERT INTO gate_events(at, kind, repo, task_id, work_item_id, job_id, reason, detail)
  VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now'), 'job.moved',
    NEW.repo, NEW.task_id, NULL, NEW.id, NULL,
    '{"foreign":true,"from":' || COALESCE('"' || replace(replace(OLD.repo, '\', '\\'), '"', '\"') || '"', 'null') || ',"to":' || COALESCE('"' || replace(replace(NEW.repo, '\', '\\'), '"', '\"') || '"', 'null') || '}');
END;

CREATE TRIGGER IF NOT EXISTS gate_tells_jobs_deleted AFTER DELETE ON jobs
BEGIN
  INSERT INTO gate_events(at, kind, repo, task_id, work_item_id, job_id, reason, detail)
  VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now'), 'job.deleted',
    OLD.repo, OLD.task_id, NULL, OLD.id, NULL,
    '{"foreign":true,"agent":' || COALESCE('"' || replace(replace(OLD.agent, '\', '\\'), '"', '\"') || '"', 'null') || ',"status":' || COALESCE('"' || replace(replace(OLD.status, '\', '\\'), '"', '\"') || '"', 'null') || '}');
END;

CREATE TRIGGER IF NOT EXISTS gate_tells_deps_inserted AFTER INSERT ON job_deps
WHEN NEW.gate_writes = 0
BEGIN
  INSERT INTO gate_events(at, kind, repo, task_id, work_item_id, job_id, reason, detail)
  VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now'), 'dependency.added',
    (SELECT t.repo FROM tasks t WHERE t.id = NEW.task_id), NEW.task_id, (SELECT t.work_item_id FROM tasks t WHERE t.id = NEW.task_id), NULL, NULL,
    '{"foreign":true,"depends_on":' || NEW.depends_on_task_id || '}');
END;

CREATE TRIGGER IF NOT EXISTS gate_tells_deps_updated AFTER UPDATE OF task_id, depends_on_task_id ON job_deps
WHEN NEW.gate_writes = OLD.gate_writes AND (NEW.task_id <> OLD.task_id OR NEW.depends_on_task_id <> OLD.depends_on_task_id)
BEGIN
  INSERT INTO gate_events(at, kind, repo, task_id, work_item_id, job_id, reason, detail)
  VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now'), 'dependency.removed',
    (SELECT t.repo FROM tasks t WHERE t.id = OLD.task_id), OLD.task_id, (SELECT t.work_item_id FROM tasks t WHERE t.id = OLD.task_id), NULL, NULL,
    '{"foreign":true,"depends_on":' || OLD.depends_on_task_id || '}');
  INSERT INTO gate_events(at, kind, repo, task_id, work_item_id, job_id, reason, detail)
  VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now'), 'dependency.added',
    (SELECT t.repo FROM tasks t WHERE t.id = NEW.task_id), NEW.task_id, (SELECT t.work_item_id FROM tasks t WHERE t.id = NEW.task_id), NULL, NULL,
    '{"foreign":true,"depends_on":' || NEW.depends_on_task_id || '}');
END;

CREATE TRIGGER IF NOT EXISTS gate_tells_deps_deleted AFTER DELETE ON job_deps
BEGIN
  INSERT INTO gate_events(at, kind, repo, task_id, work_item_id, job_id, reason, detail)
  VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now'), 'dependency.removed',
    (SELECT t.repo FROM tasks t WHERE t.id = OLD.task_id), OLD.task_id, (SELECT t.work_item_id FROM tasks t WHERE t.id = OLD.task_id), NULL, NULL,
    '{"foreign":true,"depends_on":' || OLD.depends_on_task_id || '}');
END;

CREATE TRIGGER IF NOT EXISTS gate_tells_freeze_inserted AFTER INSERT ON repo_freeze
WHEN NEW.gate_writes = 0 AND NEW.cleared_at IS NULL
BEGIN
  INSERT INTO gate_events(at, kind, repo, task_id, work_item_id, job_id, reason, detail)
  VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now'), 'repo.frozen',
    NEW.repo, NULL, NEW.work_item_id, NULL, NEW.reason,
    '{"foreign":true,"freeze_id":' || NEW.id || '}');
END;

CREATE TRIGGER IF NOT EXISTS gate_tells_freeze_cleared AFTER UPDATE OF cleared_at ON repo_freeze
WHEN NEW.gate_writes = OLD.gate_writes AND (NEW.cleared_at IS NULL) <> (OLD.cleared_at IS NULL)
BEGIN
  INSERT INTO gate_events(at, kind, repo, task_id, work_item_id, job_id, reason, detail)
  VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now'), CASE WHEN NEW.cleared_at IS NULL THEN 'repo.frozen' ELSE 'repo.unfrozen' END,
    NEW.repo, NULL, NEW.work_item_id, NULL, CASE WHEN NEW.cleared_at IS NULL THEN NEW.reason END,
    '{"foreign":true,"freeze_id":' || NEW.id || '}');
END;

CREATE TRIGGER IF NOT EXISTS gate_tells_freeze_deleted AFTER DELETE ON repo_freeze
WHEN OLD.cleared_at IS NULL
BEGIN
  INSERT INTO gate_events(at, kind, repo, task_id, work_item_id, job_id, reason, detail)
  VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now'), 'repo.unfrozen',
    OLD.repo, NULL, OLD.work_item_id, NULL, NULL,
    '{"foreign":true,"freeze_id":' || OLD.id || '}');
END;
