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

-- Milliseconds since 1970 of a stored time, NULL for any other text: the reader of src/store/timestamps.ts. It never fails.
CREATE OR REPLACE FUNCTION gate_milliseconds(stored TEXT) RETURNS BIGINT LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
  part TEXT[] := regexp_match(stored,
    '^([0-9]{4})-([0-9]{2})-([0-9]{2})[ T]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.]([0-9]{1,9}))?(?:Z|([+-])([0-9]{2})(?::?([0-9]{2}))?)?$');
  offset_minutes BIGINT;
  ms BIGINT;
BEGIN
  IF part IS NULL OR part[4] > '23' OR part[5] > '59' OR part[6] > '59' OR part[9] > '23' OR part[10] > '59' THEN
    RETURN NULL;
  END IF;
  offset_minutes := COALESCE(part[9], '0')::BIGINT * 60 + COALESCE(part[10], '0')::BIGINT;
  IF part[8] = '-' THEN
    offset_minutes := -offset_minutes;
  END IF;
  ms := (make_date(part[1]::INTEGER, part[2]::INTEGER, part[3]::INTEGER) - DATE '1970-01-01')::BIGINT * 86400000
    + part[4]::BIGINT * 3600000 + (part[5]::BIGINT - offset_minutes) * 60000 + part[6]::BIGINT * 1000
    + left(COALESCE(part[7], '') || '000', 3)::BIGINT;
  RETURN CASE WHEN ms BETWEEN -62135596800000 AND 253402300799999 THEN ms END;
EXCEPTION WHEN OTHERS THEN
  RETURN NULL; -- A day that no calendar has.
END $$;
