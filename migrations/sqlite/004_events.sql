-- Who did what, to what, when and why: one row for every change, written in the change's own transaction.

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
