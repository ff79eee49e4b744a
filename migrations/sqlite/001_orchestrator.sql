-- The orchestrator's tables, for a database that starts here. In a database that the orchestrator made, every table
-- and index is there already, and nothing is done. Columns marked as its own may be missing there.

CREATE TABLE IF NOT EXISTS tasks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  plane_id TEXT, -- the orchestrator's own
  work_item_id TEXT,
  repo TEXT NOT NULL,
  branch TEXT, -- the orchestrator's own
  stage TEXT NOT NULL DEFAULT 'created',
  title TEXT,
  track TEXT, -- the orchestrator's own
  cancelled_at TEXT,
  created_at TEXT DEFAULT (datetime('now')),
  updated_at TEXT DEFAULT (datetime('now'))
);

CREATE TABLE IF NOT EXISTS jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  agent TEXT NOT NULL,
  repo TEXT,
  task_id INTEGER,
  task_content TEXT,
  status TEXT NOT NULL DEFAULT 'queued',
  attempts INTEGER NOT NULL DEFAULT 0,
  max_attempts INTEGER NOT NULL DEFAULT 2,
  created_at TEXT DEFAULT (datetime('now')),
  started_at TEXT,
  finished_at TEXT,
  error TEXT
);

CREATE TABLE IF NOT EXISTS job_deps (
  id INTEGER PRIMARY KEY AUTOINCREMENT, -- the orchestrator's own
  task_id INTEGER NOT NULL,
  depends_on_task_id INTEGER NOT NULL,
  created_at TEXT DEFAULT (datetime('now')), -- the orchestrator's own
  UNIQUE(task_id, depends_on_task_id)
);

CREATE TABLE IF NOT EXISTS repo_freeze (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  repo TEXT NOT NULL,
  frozen_at TEXT DEFAULT (datetime('now')),
  reason TEXT,
  work_item_id TEXT,
  cleared_at TEXT
);

CREATE INDEX IF NOT EXISTS idx_jobs_status ON jobs(status, id);

CREATE INDEX IF NOT EXISTS idx_freeze_repo ON repo_freeze(repo);
