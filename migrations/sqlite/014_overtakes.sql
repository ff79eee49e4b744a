-- Overtakes, stored once a finish instead of once for each pair of tasks. A task's base is stale when another task of its
-- lane finished while the task was paused, or finished work that ran beside its own.

-- The tasks that finished in a lane while another of its tasks was paused or in progress. A trigger inserts the rows, and
-- deletes those of a lane in which nobody waits to be told (src/store/triggers/overtakes.ts).
CREATE TABLE IF NOT EXISTS gate_finishes (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  repo TEXT NOT NULL,
  task_id INTEGER NOT NULL,
  started INTEGER NOT NULL
);

CREATE INDEX IF NOT EXISTS gate_finishes_lane ON gate_finishes(repo, id);

-- A task in progress is told of the finishes after this one that ended started work; NULL until a job of it starts.
ALTER TABLE tasks ADD COLUMN base_from INTEGER;

-- A task is told of every finish after this one, up to the end of its pause; NULL where there is none to tell.
ALTER TABLE tasks ADD COLUMN paused_from INTEGER;

-- The latest finish when the pause ended; NULL while the task is paused.
ALTER TABLE tasks ADD COLUMN paused_to INTEGER;

-- The job that was told of a stale base last, and up to which finish. Once it completes, the base is fresh up to there.
ALTER TABLE tasks ADD COLUMN told_job_id INTEGER;

ALTER TABLE tasks ADD COLUMN told_to INTEGER;

-- Finds the tasks of a lane that a finish may concern because of a pause.
CREATE INDEX IF NOT EXISTS gate_tasks_overtaken ON tasks(repo, id) WHERE paused_from IS NOT NULL AND stage NOT IN ('done', 'cancelled');

-- The pairs that the table gate_overtakes has: their overtakers become finishes, in the order in which they finished.
INSERT INTO gate_finishes(repo, task_id, started)
SELECT t.repo, o.overtaken_by, 1 FROM gate_overtakes o JOIN tasks t ON t.id = o.task_id
GROUP BY t.repo, o.overtaken_by ORDER BY MIN(o.id);

-- Each overtaken task is told of its own pairs, which are one run of its lane's finishes.
UPDATE tasks SET
  paused_from = (SELECT MIN(f.id) - 1 FROM gate_overtakes o JOIN gate_finishes f ON f.task_id = o.overtaken_by WHERE o.task_id = tasks.id AND f.repo = tasks.repo),
  paused_to = (SELECT MAX(f.id) FROM gate_overtakes o JOIN gate_finishes f ON f.task_id = o.overtaken_by WHERE o.task_id = tasks.id AND f.repo = tasks.repo),
  told_job_id = (SELECT MAX(o.told_job_id) FROM gate_overtakes o WHERE o.task_id = tasks.id),
  told_to = (SELECT MAX(f.id) FROM gate_overtakes o JOIN gate_finishes f ON f.task_id = o.overtaken_by WHERE o.task_id = tasks.id AND f.repo = tasks.repo AND o.told_job_id IS NOT NULL)
WHERE id IN (SELECT o.task_id FROM gate_overtakes o);

-- A task that is paused now is told of what finishes from now on, too.
UPDATE tasks SET paused_to = NULL, paused_from = COALESCE(paused_from, (SELECT COALESCE(MAX(id), 0) FROM gate_finishes))
WHERE paused_at IS NOT NULL AND stage NOT IN ('done', 'cancelled');

UPDATE tasks SET base_from = (SELECT COALESCE(MAX(id), 0) FROM gate_finishes)
WHERE lane_state <> 0 AND stage NOT IN ('done', 'cancelled');

-- The old table stays, empty: nothing reads or writes it.
DELETE FROM gate_overtakes;
