-- Rows that other programs write are in the record too: by whom is not known, so their events have no actor, and say that
-- they are foreign. A row counts the changes of it that serial-gate wrote and recorded itself; a change that leaves the
-- count as it was is another program's. The triggers run with our rights and search path; their names sort behind those
-- that hold the lane, so that a lane's events draw their ids in the order of its commits.

ALTER TABLE tasks ADD COLUMN gate_writes INTEGER NOT NULL DEFAULT 0;

ALTER TABLE jobs ADD COLUMN gate_writes INTEGER NOT NULL DEFAULT 0;

ALTER TABLE job_deps ADD COLUMN gate_writes INTEGER NOT NULL DEFAULT 0;

ALTER TABLE repo_freeze ADD COLUMN gate_writes INTEGER NOT NULL DEFAULT 0;

-- What is told of a job does not say whose work item it is: a trigger on jobs that read tasks would fail without them.
CREATE INDEX IF NOT EXISTS gate_events_unnamed ON gate_events(task_id, id) WHERE work_item_id IS NULL;

CREATE OR REPLACE FUNCTION gate_tell(kind TEXT, repo TEXT, task_id BIGINT, work_item_id TEXT, job_id BIGINT, reason TEXT, detail JSONB)
RETURNS void LANGUAGE sql AS $$
  INSERT INTO gate_events(at, kind, repo, task_id, work_item_id, job_id, reason, detail)
  VALUES (to_char(clock_timestamp() AT TIME ZONE 'utc', 'YYYY-MM-DD HH24:MI:SS.MS'), $1, $2, $3, $4, $5, $6,
    (jsonb_build_object('foreign', true) || $7)::text)
$$;

CREATE OR REPLACE FUNCTION gate_tells_tasks_inserted() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM gate_tell('task.created',
    NEW.repo, NEW.id, NEW.work_item_id, NULL, NULL,
    jsonb_build_object('stage', NEW.stage));
  RETURN NULL;
END $$;

CREATE TRIGGER gate_tells_tasks_inserted AFTER INSERT ON tasks FOR EACH ROW
  WHEN (NEW.gate_writes = 0)
  EXECUTE FUNCTION gate_tells_tasks_inserted();

CREATE OR REPLACE FUNCTION gate_tells_tasks_stage() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM gate_tell(CASE NEW.stage WHEN 'cancelled' THEN 'task.cancelled' ELSE 'task.stage' END,
    NEW.repo, NEW.id, NEW.work_item_id, NULL, NULL,
    jsonb_build_object('from', OLD.stage, 'to', NEW.stage));
  RETURN NULL;
END $$;

CREATE TRIGGER gate_tells_tasks_stage AFTER UPDATE OF stage ON tasks FOR EACH ROW
  WHEN (NEW.gate_writes = OLD.gate_writes AND NEW.stage <> OLD.stage)
  EXECUTE FUNCTION gate_tells_tasks_stage();

CREATE OR REPLACE FUNCTION gate_tells_tasks_paused() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM gate_tell(CASE WHEN NEW.paused_at IS NULL THEN 'task.resumed' ELSE 'task.paused' END,
    NEW.repo, NEW.id, NEW.work_item_id, NULL, NULL,
    jsonb_build_object());
  RETURN NULL;
END $$;

CREATE TRIGGER gate_tells_tasks_paused AFTER UPDATE OF paused_at ON tasks FOR EACH ROW
  WHEN (NEW.gate_writes = OLD.gate_writes AND (NEW.paused_at IS NULL) <> (OLD.paused_at IS NULL))
  EXECUTE FUNCTION gate_tells_tasks_paused();

CREATE OR REPLACE FUNCTION gate_tells_tasks_moved() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM gate_tell('task.moved',
    NEW.repo, NEW.id, NEW.work_item_id, NULL, NULL,
    jsonb_build_object('from', OLD.repo, 'to', NEW.repo));
  RETURN NULL;
END $$;

CREATE TRIGGER gate_tells_tasks_moved AFTER UPDATE OF repo ON tasks FOR EACH ROW
  WHEN (NEW.gate_writes = OLD.gate_writes AND NEW.repo <> OLD.repo)
  EXECUTE FUNCTION gate_tells_tasks_moved();

CREATE OR REPLACE FUNCTION gate_tells_tasks_deleted() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM gate_tell('task.deleted',
    OLD.repo, OLD.id, OLD.work_item_id, NULL, NULL,
    jsonb_build_object('stage', OLD.stage));
  RETURN NULL;
END $$;

CREATE TRIGGER gate_tells_tasks_deleted AFTER DELETE ON tasks FOR EACH ROW
  EXECUTE FUNCTION gate_tells_tasks_deleted();

CREATE OR REPLACE FUNCTION gate_tells_jobs_inserted() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM gate_tell('job.created',
    NEW.repo, NEW.task_id, NULL, NEW.id, NULL,
    jsonb_build_object('agent', NEW.agent, 'status', NEW.status));
  RETURN NULL;
END $$;

CREATE TRIGGER gate_tells_jobs_inserted AFTER INSERT ON jobs FOR EACH ROW
  WHEN (NEW.gate_writes = 0)
  EXECUTE FUNCTION gate_tells_jobs_inserted();

CREATE OR REPLACE FUNCTION gate_tells_jobs_status() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM gate_tell(CASE NEW.status
      WHEN 'running' THEN 'job.claimed' WHEN 'done' THEN 'job.completed' WHEN 'failed' THEN 'job.failed'
      WHEN 'cancelled' THEN 'job.cancelled' WHEN 'delayed' THEN 'job.delayed'
      WHEN 'queued' THEN CASE OLD.status WHEN 'running' THEN 'job.released' WHEN 'delayed' THEN 'job.due' ELSE 'job.retried' END
      ELSE 'job.changed' END,
    NEW.repo, NEW.task_id, NULL, NEW.id, NULL,
    jsonb_build_object('from', OLD.status, 'to', NEW.status));
  RETURN NULL;
END $$;

CREATE TRIGGER gate_tells_jobs_status AFTER UPDATE OF status ON jobs FOR EACH ROW
  WHEN (NEW.gate_writes = OLD.gate_writes AND NEW.status <> OLD.status)
  EXECUTE FUNCTION gate_tells_jobs_status();

CREATE OR REPLACE FUNCTION gate_tells_jobs_moved() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM gate_tell('job.moved',
    NEW.repo, NEW.task_id, NULL, NEW.id, NULL,
    jsonb_build_object('from', OLD.repo, 'to', NEW.repo));
  RETURN NULL;
END $$;

CREATE TRIGGER gate_tells_jobs_moved AFTER UPDATE OF repo ON jobs FOR EACH ROW
  WHEN (NEW.gate_writes = OLD.gate_writes AND COALESCE(NEW.repo, '') <> COALESCE(OLD.repo, ''))
  EXECUTE FUNCTION gate_tells_jobs_moved();

CREATE OR REPLACE FUNCTION gate_tells_jobs_deleted() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM gate_tell('job.deleted',
    OLD.repo, OLD.task_id, NULL, OLD.id, NULL,
    jsonb_build_object('agent', OLD.agent, 'status', OLD.status));
  RETURN NULL;
END $$;

CREATE TRIGGER gate_tells_jobs_deleted AFTER DELETE ON jobs FOR EACH ROW
  EXECUTE FUNCTION gate_tells_jobs_deleted();

CREATE OR REPLACE FUNCTION gate_tells_deps_inserted() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM gate_tell('dependency.added',
    (SELECT t.repo FROM tasks t WHERE t.id = NEW.task_id), NEW.task_id, (SELECT t.work_item_id FROM tasks t WHERE t.id = NEW.task_id), NULL, NULL,
    jsonb_build_object('depends_on', NEW.depends_on_task_id));
  RETURN NULL;
END $$;

CREATE TRIGGER gate_tells_deps_inserted AFTER INSERT ON job_deps FOR EACH ROW
  WHEN (NEW.gate_writes = 0)
  EXECUTE FUNCTION gate_tells_deps_inserted();

CREATE OR REPLACE FUNCTION gate_tells_deps_updated() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM gate_tell('dependency.removed',
    (SELECT t.repo FROM tasks t WHERE t.id = OLD.task_id), OLD.task_id, (SELECT t.work_item_id FROM tasks t WHERE t.id = OLD.task_id), NULL, NULL,
    jsonb_build_object('depends_on', OLD.depends_on_task_id));
  PERFORM gate_tell('dependency.added',
    (SELECT t.repo FROM tasks t WHERE t.id = NEW.task_id), NEW.task_id, (SELECT t.work_item_id FROM tasks t WHERE t.id = NEW.task_id), NULL, NULL,
    jsonb_build_object('depends_on', NEW.depends_on_task_id));
  RETURN NULL;
END $$;

CREATE TRIGGER gate_tells_deps_updated AFTER UPDATE OF task_id, depends_on_task_id ON job_deps FOR EACH ROW
  WHEN (NEW.gate_writes = OLD.gate_writes AND (NEW.task_id <> OLD.task_id OR NEW.depends_on_task_id <> OLD.depends_on_task_id))
  EXECUTE FUNCTION gate_tells_deps_updated();

CREATE OR REPLACE FUNCTION gate_tells_deps_deleted() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM gate_tell('dependency.removed',
    (SELECT t.repo FROM tasks t WHERE t.id = OLD.task_id), OLD.task_id, (SELECT t.work_item_id FROM tasks t WHERE t.id = OLD.task_id), NULL, NULL,
    jsonb_build_object('depends_on', OLD.depends_on_task_id));
  RETURN NULL;
END $$;

CREATE TRIGGER gate_tells_deps_deleted AFTER DELETE ON job_deps FOR EACH ROW
  EXECUTE FUNCTION gate_tells_deps_deleted();

CREATE OR REPLACE FUNCTION gate_tells_freeze_inserted() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM gate_tell('repo.frozen',
    NEW.repo, NULL, NEW.work_item_id, NULL, NEW.reason,
    jsonb_build_object('freeze_id', NEW.id));
  RETURN NULL;
END $$;

CREATE TRIGGER gate_tells_freeze_inserted AFTER INSERT ON repo_freeze FOR EACH ROW
  WHEN (NEW.gate_writes = 0 AND NEW.cleared_at IS NULL)
  EXECUTE FUNCTION gate_tells_freeze_inserted();

CREATE OR REPLACE FUNCTION gate_tells_freeze_cleared() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM gate_tell(CASE WHEN NEW.cleared_at IS NULL THEN 'repo.frozen' ELSE 'repo.unfrozen' END,
    NEW.repo, NULL, NEW.work_item_id, NULL, CASE WHEN NEW.cleared_at IS NULL THEN NEW.reason END,
    jsonb_build_object('freeze_id', NEW.id));
  RETURN NULL;
END $$;

CREATE TRIGGER gate_tells_freeze_cleared AFTER UPDATE OF cleared_at ON repo_freeze FOR EACH ROW
  WHEN (NEW.gate_writes = OLD.gate_writes AND (NEW.cleared_at IS NULL) <> (OLD.cleared_at IS NULL))
  EXECUTE FUNCTION gate_tells_freeze_cleared();

CREATE OR REPLACE FUNCTION gate_tells_freeze_deleted() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM gate_tell('repo.unfrozen',
    OLD.repo, NULL, OLD.work_item_id, NULL, NULL,
    jsonb_build_object('freeze_id', OLD.id));
  RETURN NULL;
END $$;

CREATE TRIGGER gate_tells_freeze_deleted AFTER DELETE ON repo_freeze FOR EACH ROW
  WHEN (OLD.cleared_at IS NULL)
  EXECUTE FUNCTION gate_tells_freeze_deleted();
