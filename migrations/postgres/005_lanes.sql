-- A lane's row: what a decision about the lane locks, a revision that every change in the lane moves, whoever
-- makes it, and how many of its jobs have which status. The triggers must never make another program's write fail: they run with the rights and
-- the search path of whoever made them, and conflict with nothing.

CREATE TABLE IF NOT EXISTS gate_lanes (
  repo TEXT PRIMARY KEY,
  revision BIGINT NOT NULL DEFAULT 0,
  queued BIGINT NOT NULL DEFAULT 0,
  delayed BIGINT NOT NULL DEFAULT 0,
  running BIGINT NOT NULL DEFAULT 0,
  done BIGINT NOT NULL DEFAULT 0,
  failed BIGINT NOT NULL DEFAULT 0,
  cancelled BIGINT NOT NULL DEFAULT 0
);

INSERT INTO gate_lanes(repo, revision)
SELECT repo, 1 FROM (
  SELECT repo FROM tasks UNION SELECT COALESCE(repo, '') FROM jobs UNION SELECT repo FROM repo_freeze
) AS known
WHERE NOT EXISTS (SELECT 1 FROM gate_lanes l WHERE l.repo = known.repo);

UPDATE gate_lanes SET queued = counted.queued, delayed = counted.delayed, running = counted.running,
  done = counted.done, failed = counted.failed, cancelled = counted.cancelled
FROM (SELECT COALESCE(repo, '') AS repo,
    COUNT(*) FILTER (WHERE status = 'queued') AS queued,
    COUNT(*) FILTER (WHERE status = 'delayed') AS delayed,
    COUNT(*) FILTER (WHERE status = 'running') AS running,
    COUNT(*) FILTER (WHERE status = 'done') AS done,
    COUNT(*) FILTER (WHERE status = 'failed') AS failed,
    COUNT(*) FILTER (WHERE status = 'cancelled') AS cancelled
  FROM jobs GROUP BY 1) AS counted
WHERE counted.repo = gate_lanes.repo;

-- Moves the lane's revision, and so holds the lane until the transaction ends.
CREATE OR REPLACE FUNCTION gate_touch_lane(lane TEXT) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE gate_lanes SET revision = revision + 1 WHERE repo = lane;
  IF NOT FOUND THEN
    INSERT INTO gate_lanes(repo, revision) VALUES (lane, 1)
      ON CONFLICT (repo) DO UPDATE SET revision = gate_lanes.revision + 1;
  END IF;
END $$;

-- A row that moves touches the lane it leaves and the one it enters, in one order wherever it comes from.
CREATE OR REPLACE FUNCTION gate_row_touches_lane() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    PERFORM gate_touch_lane(COALESCE(OLD.repo, ''));
  ELSIF TG_OP = 'INSERT' OR NEW.repo IS NOT DISTINCT FROM OLD.repo THEN
    PERFORM gate_touch_lane(COALESCE(NEW.repo, ''));
  ELSE
    PERFORM gate_touch_lane(LEAST(COALESCE(OLD.repo, ''), COALESCE(NEW.repo, '')));
    PERFORM gate_touch_lane(GREATEST(COALESCE(OLD.repo, ''), COALESCE(NEW.repo, '')));
  END IF;
  RETURN NULL;
END $$;

-- Counts a job of the lane that was in one status (NULL: not there) and is in another (NULL: gone).
CREATE OR REPLACE FUNCTION gate_count_job(lane TEXT, was TEXT, becomes TEXT) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE gate_lanes SET revision = revision + 1,
    queued = queued + COALESCE((becomes = 'queued')::int, 0) - COALESCE((was = 'queued')::int, 0),
    delayed = delayed + COALESCE((becomes = 'delayed')::int, 0) - COALESCE((was = 'delayed')::int, 0),
    running = running + COALESCE((becomes = 'running')::int, 0) - COALESCE((was = 'running')::int, 0),
    done = done + COALESCE((becomes = 'done')::int, 0) - COALESCE((was = 'done')::int, 0),
    failed = failed + COALESCE((becomes = 'failed')::int, 0) - COALESCE((was = 'failed')::int, 0),
    cancelled = cancelled + COALESCE((becomes = 'cancelled')::int, 0) - COALESCE((was = 'cancelled')::int, 0)
  WHERE repo = lane;
  IF NOT FOUND THEN
    PERFORM gate_touch_lane(lane);
    PERFORM gate_count_job(lane, was, becomes);
  END IF;
END $$;

CREATE OR REPLACE FUNCTION gate_job_counts_in_lane() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    PERFORM gate_count_job(COALESCE(NEW.repo, ''), NULL, NEW.status);
  ELSIF TG_OP = 'DELETE' THEN
    PERFORM gate_count_job(COALESCE(OLD.repo, ''), OLD.status, NULL);
  ELSIF NEW.repo IS NOT DISTINCT FROM OLD.repo THEN
    PERFORM gate_count_job(COALESCE(NEW.repo, ''), OLD.status, NEW.status);
  ELSE
    PERFORM gate_touch_lane(LEAST(COALESCE(OLD.repo, ''), COALESCE(NEW.repo, '')));
    PERFORM gate_count_job(COALESCE(OLD.repo, ''), OLD.status, NULL);
    PERFORM gate_count_job(COALESCE(NEW.repo, ''), NULL, NEW.status);
  END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION gate_dependency_touches_lane() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM gate_touch_lane(touched.repo) FROM (
    SELECT DISTINCT t.repo FROM tasks t WHERE t.id IN (OLD.task_id, NEW.task_id) ORDER BY t.repo
  ) AS touched;
  RETURN NULL;
END $$;

-- A task's id is drawn while its lane is held, also for another program's plain INSERT: otherwise a late commit
-- of a lower id would put two tasks of a lane in flight. The column's default was drawn before this trigger ran,
-- so it is drawn again where anyone has drawn a later one since. An id that the writer chose, or had drawn
-- before its statement, is the writer's.
CREATE OR REPLACE FUNCTION gate_task_takes_id() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  ids regclass := pg_get_serial_sequence(TG_RELID::regclass::text, 'id');
BEGIN
  PERFORM gate_touch_lane(COALESCE(NEW.repo, ''));
  IF NEW.id < pg_sequence_last_value(ids) THEN
    BEGIN
      IF NEW.id = currval(ids) AND NEW.id::text <> current_setting('serial_gate.drawn', true) THEN
        NEW.id := nextval(ids);
      END IF;
    EXCEPTION WHEN object_not_in_prerequisite_state THEN
      NULL; -- This session has drawn none.
    END;
  END IF;
  RETURN NEW;
END $$;

-- Notes the id that the session had drawn last when a statement began.
CREATE OR REPLACE FUNCTION gate_tasks_note_drawn() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  drawn BIGINT;
BEGIN
  BEGIN
    drawn := currval(pg_get_serial_sequence(TG_RELID::regclass::text, 'id'));
  EXCEPTION WHEN object_not_in_prerequisite_state THEN
    NULL; -- None yet.
  END;
  PERFORM set_config('serial_gate.drawn', COALESCE(drawn::text, ''), true);
  RETURN NULL;
END $$;

CREATE TRIGGER gate_tasks_inserting BEFORE INSERT ON tasks
  FOR EACH STATEMENT EXECUTE FUNCTION gate_tasks_note_drawn();

CREATE TRIGGER gate_tasks_inserted BEFORE INSERT ON tasks
  FOR EACH ROW EXECUTE FUNCTION gate_task_takes_id();

CREATE TRIGGER gate_tasks_changed AFTER UPDATE OR DELETE ON tasks
  FOR EACH ROW EXECUTE FUNCTION gate_row_touches_lane();

CREATE TRIGGER gate_jobs_changed AFTER INSERT OR DELETE OR UPDATE OF agent, repo, task_id, status ON jobs
  FOR EACH ROW EXECUTE FUNCTION gate_job_counts_in_lane();

CREATE TRIGGER gate_repo_freeze_changed AFTER INSERT OR UPDATE OR DELETE ON repo_freeze
  FOR EACH ROW EXECUTE FUNCTION gate_row_touches_lane();

CREATE TRIGGER gate_job_deps_changed AFTER INSERT OR UPDATE OR DELETE ON job_deps
  FOR EACH ROW EXECUTE FUNCTION gate_dependency_touches_lane();
