-- Which tasks finished in a lane while another of its tasks was paused: the paused one's base is stale.
-- A trigger sees every finish, also one that another program writes.

CREATE TABLE IF NOT EXISTS gate_overtakes (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  task_id INTEGER NOT NULL,
  overtaken_by INTEGER NOT NULL,
  told_job_id INTEGER
);

CREATE INDEX IF NOT EXISTS gate_overtakes_task ON gate_overtakes(task_id, id);

CREATE TRIGGER IF NOT EXISTS gate_task_finished AFTER UPDATE OF stage ON tasks
WHEN NEW.stage IN ('done', 'cancelled') AND OLD.stage NOT IN ('done', 'cancelled')
BEGIN
  INSERT INTO gate_overtakes(task_id, overtaken_by)
  SELECT parked.id, NEW.id FROM tasks parked
  WHERE parked.repo = NEW.repo AND parked.id <> NEW.id
    AND parked.paused_at IS NOT NULL AND parked.stage NOT IN ('done', 'cancelled');
END;
