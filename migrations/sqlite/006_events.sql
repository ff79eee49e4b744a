-- The event log: one row for every change (who, what, why, when), written in the transaction of the change. Triggers
-- write the rows for the changes of other programs (src/store/triggers/foreign-events.ts).

CREATE TABLE IF NOT EXISTS gate_events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL,
  kind TEXT NOT NULL,
  repo TEXT,
  task_id INTEGER,
  work_item_id TEXT,
  job_id INTEGER,
  actor TEXT,
  reason TEXT,
  detail TEXT
);

CREATE INDEX IF NOT EXISTS gate_events_work_item ON gate_events(work_item_id, id);

CREATE INDEX IF NOT EXISTS gate_events_repo ON gate_events(repo, id);

-- Finds the events of a task that do not name its work item: a foreign event of a job does not.
CREATE INDEX IF NOT EXISTS gate_events_unnamed ON gate_events(task_id, id) WHERE work_item_id IS NULL;
